"""What every method keeps to, whatever it is; and a method of a kind that version 1.0.0 had no place for."""

import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch

from engine.data import prepare
from engine.evaluation.evaluate import WITHOUT_FACTORS, evaluate
from engine.jobs.events import Progress, Request
from engine.methods.base import Batch, Context, Method, Posterior, Supervision, Term
from engine.methods.building import build
from engine.methods.registry import METHODS
from engine.methods.samplers import Independent
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.methods.vae import Vae
from engine.networks.vae import VAE
from engine.runs.checkpoints import load_trainer, load_weights
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.stepper import Stepper
from engine.training.trainer import Trainer, train

pytestmark = pytest.mark.usefixtures("narrow")

LATENTS = 5
SETTINGS = {
    "dataset": "digits", "batch_size": 16, "latents": LATENTS, "log_steps": 4, "preview_steps": 50, "threads": 1
}  # fmt: skip

SMALL = {"network": "burgess", "batch_size": 8}


def batch(config, number=16):
    """Drawn at random: images of the digits' shape, and labels and factors where the method is given some."""
    rng = torch.Generator().manual_seed(3)
    images = torch.rand(number, 1, 32, 32, generator=rng).to(memory_format=torch.channels_last)
    factors = torch.arange(number)[:, None] if METHODS[config.objective].supervision is Supervision.FULL else None
    return Batch(images, torch.arange(number) % 3 if config.conditional else None, factors)


def possible(conditional):
    """The methods that can be conditional, or all."""
    return [name for name, method in METHODS.items() if method.conditional or not conditional]


@pytest.mark.parametrize(("name", "conditional"), [(name, c) for c in (False, True) for name in possible(c)])
def test_a_step_reports_its_terms_and_moves_every_weight(data, name, conditional):
    config = RunConfig.parse(SETTINGS | {"objective": name, "conditional": conditional})
    method = build(config, data).to(torch.device("cpu")).train()
    before = {key: value.clone() for key, value in method.networks.named_parameters()}
    stepper = Stepper(method, torch.device("cpu"), 1500, 94, 100)
    values = dict(zip(stepper.names, stepper(batch(config), 1).tolist(), strict=True))
    shared = [term for term in ("loss", "reconstruction", "kl") if METHODS[name].has(term)]
    latents = [f"kl_{number}" for number in range(LATENTS)] if METHODS[name].has("kl") else []
    assert list(values) == [*shared, *(term.name for term in METHODS[name].terms), *latents]
    assert np.isfinite([values[term] for term in (*shared, *latents)]).all()
    # A term that does not exist yet is NaN; which one, the method's own tests say.
    assert not np.isinf(list(values.values())).any()
    if METHODS[name].has("kl"):
        assert values["kl"] == pytest.approx(sum(values[latent] for latent in latents), rel=1e-5)
    idle = {id(weight) for each in stepper.optimisers.values() if not each.state for weight in weights_of(each)}
    assert len(idle) < len(before)
    for key, value in method.networks.named_parameters():
        assert torch.equal(value, before[key]) == (id(value) in idle), key


def weights_of(optimiser):
    return [weight for group in optimiser.param_groups for weight in group["params"]]


@pytest.mark.parametrize("name", METHODS)
def test_folding_normalisation_into_the_convolutions_changes_no_value(data, name):
    config = RunConfig.parse(SETTINGS | {"objective": name, "normalisation": "batch"})
    method = build(config, data).to(torch.device("cpu"))
    stepper = Stepper(method.train(), torch.device("cpu"), 1500, 94, 100)
    for step in range(3):
        stepper(batch(config), step + 1)  # so that the running means are not those of the beginning
    images = batch(config, 5).images
    with torch.no_grad():
        whole, folded = method.eval().encode(images), method.fused().encode(images)
    torch.testing.assert_close(folded.mean, whole.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(folded.log_variance, whole.log_variance, rtol=1e-4, atol=1e-5)
    for sequence in method.fused().networks.modules():
        if isinstance(sequence, torch.nn.Sequential):
            for one, other in pairwise(sequence):
                assert not (isinstance(one, torch.nn.Conv2d) and isinstance(other, torch.nn.BatchNorm2d))


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_lacks_has_a_reason_and_what_its_latents_are_fits_its_networks(data, name):
    method = METHODS[name]
    assert set(method.lacks) <= {"reconstruction", "kl"}
    assert all(reason and not reason.endswith(".") for reason in method.lacks.values())
    config = RunConfig.parse(SETTINGS | {"objective": name})
    made = build(config, data).to(torch.device("cpu")).eval()
    kinds = method.latents_of(config)
    assert len(kinds) == made.latents
    z = torch.tensor([[kind.values()[-1] for kind in kinds]])
    with torch.no_grad():
        assert made.encode(batch(config, 2).images).mean.shape == (2, len(kinds))
        assert made.decode(z).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_computes_what_it_does_not_lack_and_nothing_else(name):
    method = METHODS[name]
    assert (method.kl is not Method.kl) is method.has("kl")
    assert (method.sample is not Method.sample) is method.has("reconstruction")


@pytest.mark.parametrize("name", METHODS)
def test_only_a_supervised_method_is_given_the_factors_of_its_images(data_file, tmp_path, name):
    values = SETTINGS | SMALL | {"dataset": "arrays", "data_folder": data_file, "objective": name, "steps": 1}
    list(prepare("arrays", data_file))
    trainer = Trainer(Run.create(tmp_path, RunConfig.parse(values)))
    given = trainer.steps.batch(0).factors
    if METHODS[name].supervision is Supervision.FULL:
        expected = trainer.dataset.factors.classes(trainer.steps.sampler(0))
        np.testing.assert_array_equal(given.numpy(), expected)
    else:
        assert given is None


STOPS = (1, 6, 14, 15, 20, 29)
"""In a row, between rows, at the end of an epoch of 15 steps, at the next one's beginning, in it, before its end."""


@pytest.mark.parametrize("name", METHODS)
def test_every_method_stopped_and_resumed_is_the_same_bit_for_bit(data_file, tmp_path, name):
    values = SETTINGS | SMALL | {"dataset": "arrays", "data_folder": data_file, "steps": 32}
    config = RunConfig.parse(values | {"objective": name})
    runs = [Run.create(tmp_path, config, title) for title in ("whole", "stopped")]
    list(train(runs[0]))
    for stop in STOPS:
        stop_at(Run.open(runs[1].path), stop)
    list(train(Run.open(runs[1].path)))
    assert_equal(*runs)


def stop_at(run, step):
    job = train(run)
    for event in job:
        if isinstance(event, Progress) and event.what == "Training" and event.done >= step:
            list(iter_after(job, Request.STOP))
            return


def assert_equal(one, other):
    """Weights, curves, and the states of optimisers and noise."""
    weights = [load_weights(run.checkpoint_folder) for run in (one, other)]
    assert weights[0].step == weights[1].step == one.config.steps
    for name, tensor in weights[0].tensors.items():
        assert torch.equal(tensor, weights[1].tensors[name]), name
    assert rows(one) == rows(other)
    states = [load_trainer(run.checkpoint_folder, w) for run, w in zip((one, other), weights, strict=True)]
    assert torch.equal(states[0]["noise"], states[1]["noise"])
    for name, optimiser in states[0]["optimisers"].items():
        for number, moments in optimiser["state"].items():
            for key, value in moments.items():
                assert torch.equal(value, states[1]["optimisers"][name]["state"][number][key])


def test_methods_are_described_without_loading_torch():
    code = (
        "import sys; from engine.methods.registry import METHODS; from engine.settings.run_config import RunConfig\n"
        "for name, method in METHODS.items():\n"
        "    config = RunConfig(objective=name)\n"
        "    method.warnings(config, 1000), config.method.at(1, 10, 100), method.schedule_words(config, 1000)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[3])


def test_independent_images_come_once_an_epoch_in_the_order_of_seed_and_epoch():
    # numpy's own permutation of (seed, epoch), written out.
    positions = np.arange(100, 133)
    sampler = Independent(positions, 10, 7, 4)
    order = np.random.default_rng((7, 2)).permutation(positions)
    assert [sampler(step).tolist() for step in range(8, 12)] == [
        order[:10].tolist(), order[10:20].tolist(), order[20:30].tolist(), order[30:].tolist()
    ]  # fmt: skip
    assert sampler(3).tolist() != sampler(7).tolist()  # also backwards, as after a resume
    assert sampler(8).tolist() == order[:10].tolist()


# A second network, with its own optimiser, seeing other images than the first


class Critic(torch.nn.Module):
    """A VAE, and beside it a network that tells z from a draw of the prior."""

    def __init__(self, spec):
        super().__init__()
        self.vae = VAE(spec)
        self.critic = torch.nn.Sequential(torch.nn.Linear(spec.latents, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


class Adversarial(Vae):
    """A VAE whose z is judged by a critic: as an adversarial method needs, not one to use."""

    title = short = "Adversarial"
    terms = (Term("critic", "Critic", "nats", "Its loss."),)

    def build(self):
        return Critic(self.spec)

    def optimisers(self):
        def adam(part):
            return torch.optim.Adam(part.parameters(), lr=1e-3, fused=True)

        return {"vae": adam(self.networks.vae), "critic": adam(self.networks.critic)}

    def sampler(self, dataset, indices):
        return Pairs(super().sampler(dataset, indices))

    def encode(self, images):
        return Posterior(*self.networks.vae.encode(images))

    def logits(self, z, labels=None):
        return self.networks.vae.logits(z, labels)

    def step(self, batch: Batch, context: Context):
        images, others = batch.images.chunk(2)
        posterior = self.encode(images)
        z = self.sample(posterior, context.noise)
        kl = kl_per_latent(*posterior).mean(0)
        reconstruction = reconstruction_per_image(self.logits(z), images).mean()
        loss = reconstruction + kl.sum() + self.networks.critic(z).mean()
        context.optimisers["vae"].zero_grad()
        loss.backward()
        context.optimisers["vae"].step()
        with torch.no_grad():
            z = self.sample(self.encode(others), context.noise)
        drawn = torch.empty_like(z).normal_(generator=context.noise)
        critic = torch.nn.functional.softplus(self.networks.critic(drawn) - self.networks.critic(z)).mean()
        context.optimisers["critic"].zero_grad()
        critic.backward()
        context.optimisers["critic"].step()
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl.sum(), "kl_per_latent": kl, "critic": critic}
        return {name: value.detach() for name, value in found.items()}


class Pairs:
    """Two batches a step: that of the step, and the next one."""

    def __init__(self, single):
        self.single, self.steps_per_epoch = single, single.steps_per_epoch

    def __call__(self, step):
        first, second = self.single(step), self.single(step + 1)
        number = min(len(first), len(second))
        return np.concatenate([first[:number], second[:number]])


@pytest.fixture
def adversarial(monkeypatch):
    monkeypatch.setitem(METHODS, "adversarial", Adversarial)
    return RunConfig.parse(SETTINGS | {"objective": "adversarial", "network": "burgess", "steps": 110})


def rows(run):
    with run.metrics_file.open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def test_a_method_with_two_networks_trains_and_resumes_bit_for_bit(adversarial, tmp_path):
    runs = [Run.create(tmp_path, adversarial, name) for name in ("whole", "stopped")]
    list(train(runs[0]))
    for stop in (1, 6, 93, 100, 105):  # within a row, between rows, before and in the second epoch
        stop_at(Run.open(runs[1].path), stop)
    list(train(Run.open(runs[1].path)))
    assert_equal(*runs)
    assert {name.split(".")[0] for name in load_weights(runs[0].checkpoint_folder).tensors} == {"vae", "critic"}
    assert all(float(row["critic"]) > 0 for row in rows(runs[0]))


class Plain(Vae):
    """An autoencoder: it reconstructs, and has no KL. Not one to use."""

    title = short = "Plain"
    lacks = MappingProxyType({"kl": "an autoencoder has no KL"})

    def kl(self, posterior):
        raise NotImplementedError

    def step(self, batch: Batch, context: Context):
        reconstruction = reconstruction_per_image(self.logits(self.encode(batch.images).mean), batch.images).mean()
        [optimiser] = context.optimisers.values()
        optimiser.zero_grad()
        reconstruction.backward()
        optimiser.step()
        return {"loss": reconstruction.detach(), "reconstruction": reconstruction.detach()}


def test_a_method_may_lack_its_kl_alone(monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, "plain", Plain)
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | {"objective": "plain", "steps": 8}))
    list(train(run))
    assert [(float(row["reconstruction"]) > 0, row["kl"]) for row in rows(run)] == [(True, "")] * 2
    assert "kl_0" not in rows(run)[0]
    with run.held_out_file.open() as file:
        held_out = list(csv.DictReader(file))
    assert all(float(row["reconstruction"]) > 0 and row["kl"] == "" for row in held_out)
    *_, last = evaluate(run, WITHOUT_FACTORS)
    metrics = last.result["metrics"]
    assert metrics["reconstruction"]["value"] > 0
    assert metrics["sharpness_ratio"]["value"] > 0
    for name in ("kl", "elbo", "active_latents"):
        assert metrics[name] == {"value": None, "reason": "an autoencoder has no KL"}


def iter_after(job, request):
    yield job.send(request)
    yield from job
