"""What a plug-in's method or network returns is checked before training, and errors name its line."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from engine.errors import PluginError
from engine.methods.base import Posterior, Term
from engine.methods.beta_vae import BetaVae
from engine.methods.gaussian import PenaltyMethod
from engine.methods.vae import Vae
from engine.networks.architectures import NETWORKS
from engine.networks.network import Network
from engine.networks.vae import VAE
from engine.plugins.interface import GaussianEncoder, Plugin
from engine.plugins.registering import register, unregister
from engine.runs.metrics_file import MetricsReader
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from engine.system.user_code import forget_code, register_code
from engine.training.trainer import train

SETTINGS = {"dataset": "digits", "network": "mlp", "latents": 4, "batch_size": 8, "steps": 3, "device": "cpu",
            "log_steps": 1}  # fmt: skip


@pytest.fixture(autouse=True)
def own():
    register_code(__file__, "own")
    yield
    forget_code(__file__)
    unregister("own")


def said(tmp_path, method=None, network=None, **settings):
    """The sentence that training with this method or network ends in, and the state that the run is left in."""
    if isinstance(network, str):  # of another plug-in
        network, settings = None, settings | {"network": network}
    methods, networks = {"own-vae": method} if method else {}, {"own": network} if network else {}
    register(Plugin("own", "1.0", 1, methods=methods, networks=networks), Origin("", "", "a" * 64))
    chosen = {"objective": "own-vae"} if method else {"objective": "vae", "network": "own"}
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | chosen | settings))
    with pytest.raises(PluginError) as caught:
        list(train(run, fresh=True))
    return str(caught.value), run.state()


def own_method(**functions):
    return type("Own", (Vae,), {"title": "Own", "short": "own"} | functions)


class Lacking(BetaVae):
    title = short = "Lacking"

    def step(self, batch, context):
        terms = super().step(batch, context)
        del terms["kl"]
        return terms


def test_a_term_that_is_missing_is_found_at_the_first_step(tmp_path):
    words, state = said(tmp_path, Lacking)
    line = Lacking.step.__code__.co_firstlineno
    assert words == (
        "The plug-in own 1.0: step must return a dict with loss, reconstruction, kl, kl_per_latent, and returned none "
        f"for kl (test_own_code.py, line {line})."
    )
    assert (state.state, state.step) == ("failed", 0)


def stepping(change):
    def step(self, batch, context):
        return change(Vae.step(self, batch, context))

    return own_method(step=step)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: None, "step must return a dict with loss, reconstruction, kl, kl_per_latent, and returned None"),
        (
            lambda t: t | {"kl": t["kl_per_latent"]},
            "a tensor with a single number, and returned a tensor of shape (4,)",
        ),
        (lambda t: t | {"loss": 3.0}, "loss, a tensor with a single number, and returned a float"),
        (lambda t: t | {"kl": torch.tensor(1)}, "and returned a tensor of shape () and type int64"),
        (
            lambda t: t | {"kl_per_latent": torch.zeros(5)},
            "kl_per_latent of shape (4,) (latents), and returned",
        ),
        (lambda t: t | {"kl": torch.tensor(torch.nan)}, "kl, a tensor with a single number, and returned NaN"),
        (
            lambda t: t | {"loss": torch.tensor(torch.inf)},
            "loss, a tensor with a single number, and returned an inf",
        ),
        (lambda t: t | {"loss": torch.zeros((), requires_grad=True)}, "loss without its gradient: loss.detach()"),
        (lambda t: t | {"tails": t["kl"]}, "and returned tails too, which its terms do not name"),
    ],
)
def test_what_a_step_returns_is_looked_at_once(tmp_path, change, words):
    assert words in said(tmp_path, stepping(change))[0]


class Penalised(PenaltyMethod):
    title = short = "Penalised"
    formula = "reconstruction loss + KL"
    source = "this test"
    terms = (Term("tails", "Tails", "nats", "A curve of its own."),)

    @classmethod
    def penalty(cls, codes, settings):
        return cls.change(codes.kl, codes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kl, codes: kl, "failed: TypeError: penalty must return the penalty and a dict of the method's own "
         "terms, not a Tensor of shape ()"),
        (lambda kl, codes: (codes.mean.sum(1), {"tails": kl}), "failed: TypeError: the penalty must be a scalar, a "
         "mean over the batch, not a Tensor of shape (8,)"),
        (lambda kl, codes: (kl, {"tails": 3.0}), "failed: TypeError: the term tails must be a tensor with a single "
         "number, not a float"),
        (lambda kl, codes: (kl, {}), "kl, tails, kl_per_latent, and returned none for tails"),
        (lambda kl, codes: (kl, {"tails": kl * torch.inf}), "tails, a tensor with a single number, and returned an "
         "infinite number"),
    ],
)  # fmt: skip
def test_what_a_penalty_returns_is_looked_at_and_named_with_its_line(tmp_path, change, words):
    sentence, _ = said(tmp_path, type("Own", (Penalised,), {"change": staticmethod(change)}))
    line = Penalised.penalty.__code__.co_firstlineno
    assert f"{words} (test_own_code.py, line {line})." in sentence


def with_term(value):
    def step(self, batch, context):
        return Vae.step(self, batch, context) | {"later": torch.tensor(value)}

    return own_method(step=step, terms=(Term("later", "Later", "nats", "It begins later."),))


def test_a_term_of_its_own_may_not_exist_yet_and_is_then_an_empty_cell(tmp_path):
    register(Plugin("own", "1.0", 1, methods={"own-vae": with_term(torch.nan)}), Origin("", "", "a" * 64))
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | {"objective": "own-vae"}))
    list(train(run))
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    assert reader.own == ("later",)
    assert reader.column("later").tolist() == pytest.approx([torch.nan] * 3, nan_ok=True)
    assert reader.problem == ""


def test_a_term_of_its_own_may_not_be_infinite(tmp_path):
    assert "later, a tensor with a single number, and returned an inf" in said(tmp_path, with_term(torch.inf))[0]


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        ({"encode": lambda self, x: torch.zeros(3, 4)}, "encode must return a Posterior of mean and log-variance"),
        ({"encode": lambda self, x: Posterior(torch.zeros(3, 5), torch.zeros(3, 5))},
         "encode must return a mean of shape (3, 4) (images, latents), and returned a tensor of shape (3, 5)"),
        ({"encode": lambda self, x: Posterior(torch.zeros(3, 4), torch.zeros(3, 4).double())},
         "(images, latents), float32, and returned a tensor of shape (3, 4) and type float64"),
        ({"encode": lambda self, x: Posterior(torch.full((3, 4), torch.nan), torch.zeros(3, 4))},
         "encode must return a mean of shape (3, 4) (images, latents), and returned NaN in it"),
        ({"logits": lambda self, z, labels=None: torch.zeros(3, 32, 32)},
         "logits must return logits of shape (3, 1, 32, 32) (images, channels, height, width), and returned"),
        ({"kl": lambda self, posterior: torch.zeros(3)}, "kl must return the KL divergence of each latent"),
        ({"sample": lambda self, posterior, noise: posterior}, "sample must return z of shape (3, 4)"),
    ],
)  # fmt: skip
def test_what_it_encodes_and_decodes_is_looked_at_before_the_first_step(tmp_path, functions, words):
    sentence, state = said(tmp_path, own_method(**functions))
    assert words in sentence
    assert "(test_own_code.py, line " in sentence
    assert state.step == 0


class Narrow(Network):
    title = "Narrow"
    about = "One linear layer."

    def encoder(self, spec):
        return GaussianEncoder(nn.Flatten(), spec.image_shape[0] ** 2, spec.latents)

    def decoder(self, spec):
        return nn.Linear(spec.latents, 7)

    def encoder_words(self, side, normalisation):
        return "one layer"

    def decoder_words(self):
        return "has one"


class Single(Narrow):
    def encoder(self, spec):
        return nn.Sequential(nn.Flatten(), nn.Linear(spec.image_shape[0] ** 2, spec.latents))

    def decoder(self, spec):
        return NETWORKS["mlp"].decoder(spec)


def test_a_networks_line_is_named_where_the_method_is_our_own(tmp_path):
    words, _ = said(tmp_path, network=Narrow())
    line = Narrow.decoder.__code__.co_firstlineno
    assert "logits must return logits of shape (3, 1, 32, 32)" in words
    assert f"and returned a tensor of shape (3, 7) and type float32 (test_own_code.py, line {line})." in words


def test_an_encoder_that_gives_one_tensor_is_named_though_our_code_fails_on_it(tmp_path):
    words, _ = said(tmp_path, network=Single())
    assert "encode must return a Posterior of mean and log-variance" in words
    assert f"(test_own_code.py, line {Single.encoder.__code__.co_firstlineno})" in words


class Building(Vae):
    title = short = "Building"

    def build(self):
        return VAE(replace(self.spec, latents=5))


def test_a_function_that_a_method_inherits_from_us_is_not_at_fault_but_what_builds_its_networks(tmp_path):
    words, _ = said(tmp_path, Building)
    line = Building.build.__code__.co_firstlineno
    assert words.endswith(f"returned a tensor of shape (3, 5) and type float32 (test_own_code.py, line {line}).")


class Inheriting(Vae):
    title = short = "Inheriting"


def test_the_plug_in_of_the_network_is_named_where_the_method_of_another_uses_it(tmp_path):
    register(Plugin("nets", "2.0", 1, networks={"narrow": Narrow()}), Origin("", "", "b" * 64))
    try:
        words, _ = said(tmp_path, Inheriting, network="narrow")
    finally:
        unregister("nets")
    assert words.startswith("The plug-in nets 2.0: logits must return logits of shape (3, 1, 32, 32)")
    assert f"(test_own_code.py, line {Narrow.decoder.__code__.co_firstlineno})." in words


def test_a_method_that_is_right_trains_as_if_unchecked(tmp_path):
    register(Plugin("own", "1.0", 1, methods={"own-vae": own_method()}), Origin("", "", "a" * 64))
    rows = []
    for objective in ("own-vae", "vae"):
        run = Run.create(tmp_path, RunConfig.parse(SETTINGS | {"objective": objective}))
        list(train(run))
        table = [line.split(",") for line in run.metrics_file.read_text().splitlines()]
        rows.append([[cell for name, cell in zip(table[0], line, strict=True) if name != "seconds"] for line in table])
    assert rows[0] == rows[1]
