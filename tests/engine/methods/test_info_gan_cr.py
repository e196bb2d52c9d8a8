"""InfoGAN-CR: networks against the authors' recipe, spectral norms against numpy's SVD, pairs and losses against plain
loops, the bound against a channel whose mutual information is known, and a run stopped around the contrast's begin.
"""

import csv
import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from engine.jobs.events import Progress, Request
from engine.methods.base import Batch, Context
from engine.methods.code_gan import discriminator_loss, generator_loss, information_of_uniform
from engine.methods.registry import METHODS, make, spec_for
from engine.networks.info_gan_cr import halvings
from engine.networks.spectral_norm import SpectralNorm, draw_vectors, settle, spectral
from engine.runs.checkpoints import load_trainer, load_weights
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.studies.methods_text import methods_text
from engine.training.trainer import train

METHOD = METHODS["info-gan-cr"]


def method(side=32, channels=1, **settings):
    config = RunConfig.parse({"objective": "info-gan-cr", "batch_size": 8, **settings})
    made = make(config, spec_for(config, (side, side, channels), 10))
    made.initialise(torch.Generator().manual_seed(5))
    return made.to(torch.device("cpu")).train()


@pytest.fixture
def contrasting():
    return method(contrast_weight=2, gap=0.5)


def images(number, side=32):
    drawn = torch.rand(number, 1, side, side, generator=torch.Generator().manual_seed(3))
    return drawn.contiguous(memory_format=torch.channels_last)


def noise(seed=11):
    return torch.Generator().manual_seed(seed)


def context(made, jumped=()):
    return Context(1, 10, 160, noise(), made.optimisers(), frozenset(jumped))


# The networks: fjxmlzn/InfoGAN-CR, InfoGAN-CR_dSprites/gan/network.py, written out


def count(layers):
    return sum(parameter.numel() for parameter in layers.parameters())


def test_the_networks_have_the_recipes_layers():
    networks = method(64).networks
    generator = (10 + 1) * 128 + 2 * 128 + (128 + 1) * 1024 + 2 * 1024
    generator += (64 * 64 * 16 + 64) + 2 * 64 + (64 * 32 * 16 + 32) + 2 * 32 + (32 * 32 * 16 + 32) + 2 * 32
    generator += 32 * 16 + 1
    assert count(networks.generator) == generator

    def features(inputs):
        convolutions = (inputs * 32 * 16 + 32) + (32 * 32 * 16 + 32) + (32 * 64 * 16 + 64) + (64 * 64 * 16 + 64)
        return convolutions + (1024 + 1) * 128

    assert count(networks.recogniser) == features(1) + (128 + 1) + (128 + 1) * 128 + (128 + 1) * 5
    assert count(networks.pair) == features(2) + (128 + 1) * 5
    leaks = {layer.negative_slope for layer in networks.modules() if isinstance(layer, nn.LeakyReLU)}
    assert leaks == {0.2}
    # Rectified first, normalised then; D, Q and R have no batch normalisation but spectral norms: 5 + 1 + 2, and 5.
    kinds = [type(layer) for layer in (*networks.generator.hidden, *networks.generator.pixels)]
    normalised = [place for place, kind in enumerate(kinds) if kind in (nn.BatchNorm1d, nn.BatchNorm2d)]
    assert len(normalised) == 5
    assert all(kinds[place - 1] in (nn.ReLU, nn.LeakyReLU) for place in normalised)
    for network, number in ((networks.recogniser, 8), (networks.pair, 5)):
        layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        assert sum(parametrize.is_parametrized(layer) for layer in layers) == number
        assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in network.modules())
    assert not parametrize.is_parametrized(networks.pair.codes)


@pytest.mark.parametrize(("side", "times"), [(28, 2), (32, 3), (64, 4), (128, 5)])
def test_images_of_other_sides_go_through(side, times):
    made = method(side, 3, contrast_weight=1)
    assert halvings(side) == times
    with torch.no_grad():
        pictures = made.decode(torch.zeros(2, 5))
        assert pictures.shape == (2, 3, side, side)
        assert made.encode(pictures).mean.shape == (2, 5)
        assert made.networks.pair(torch.cat([pictures, pictures], 1)).shape == (2, 5)


def test_optimisers_and_defaults_are_the_authors():
    made = method()
    found = {name: optimiser.param_groups[0] for name, optimiser in made.optimisers().items()}
    assert {name: (group["lr"], group["betas"][0]) for name, group in found.items()} == {
        "recogniser": (2e-3, 0.5), "generator": (1e-3, 0.5), "pair": (2e-3, 0.5),
    }  # fmt: skip
    own = made.config.method  # config.py: info_coe 0.05, cr_coe 0 to 2 at 288,000, gap 0
    assert (own.information_weight, own.gap, own.continuous_codes, own.noise) == (0.05, 0, 5, 5)
    assert [own.at(step, 11_520, 322_560).contrast_weight for step in (287_999, 288_000, 322_560)] == [0, 2, 2]


def test_without_a_contrast_there_is_no_pair_network_and_no_curve_of_it():
    made = method(contrast_weight=0)
    assert made.networks.pair is None
    assert set(made.optimisers()) == {"recogniser", "generator"}
    assert METHOD.curves(made.config) == ("discriminator_loss", "generator_loss", "information")
    assert METHOD.curves(RunConfig(objective="info-gan-cr")) == (
        *(term.name for term in METHOD.terms), "contrast_weight",
    )  # fmt: skip
    assert "pair network" not in METHOD.network_words(made.config, 64) + METHOD.rate_words(made.config)


# Spectral norms


@pytest.mark.parametrize("layer", [nn.Linear(12, 7), nn.Conv2d(3, 6, 4)])
def test_a_weight_is_divided_by_its_largest_singular_value(layer):
    """As numpy's SVD has it, of the weight as a matrix with a row for each output."""
    torch.manual_seed(1)
    nn.init.normal_(layer.weight)
    before = layer.weight.detach().clone()
    expected = np.linalg.svd(before.flatten(1).numpy(), compute_uv=False)[0]
    normalised = nn.Sequential(spectral(layer))
    draw_vectors(normalised, noise())
    for _ in range(200):
        settle(normalised)
    torch.testing.assert_close(layer.weight, before / expected, rtol=1e-4, atol=1e-6)
    largest = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), compute_uv=False)[0]
    assert largest == pytest.approx(1, rel=1e-4)


def test_one_power_iteration_is_that_of_the_authors():
    """gan/sn.py in numpy, there with a column for each output; u moves when it is told to, not when used."""
    weight = torch.randn(5, 9, generator=noise())
    norm = SpectralNorm(5)
    norm.u.copy_(nn.functional.normalize(torch.randn(5, generator=noise(2)), dim=0))
    w, u = weight.T.double().numpy(), norm.u[None].double().numpy()
    v = u @ w.T
    v /= np.linalg.norm(v)
    later = v @ w
    later /= np.linalg.norm(later)
    sigma = (v @ w @ later.T).item()
    for _ in range(2):
        np.testing.assert_allclose(norm(weight), weight / sigma, rtol=1e-5)
        np.testing.assert_allclose(norm.u, u[0], rtol=1e-6)
    norm.settle(weight)
    np.testing.assert_allclose(norm.u, later[0], rtol=1e-5)


def test_a_step_settles_the_norms_once(contrasting):
    before = {name: u.clone() for name, u in contrasting.networks.named_buffers() if name.endswith(".u")}
    assert len(before) == 7 + 4  # three convolutions at 32 pixels and a layer, D's and two of Q's; R's like the first
    contrasting.step(Batch(images(8), None), context(contrasting))
    for name, u in before.items():
        norm = contrasting.networks.get_submodule(name.removesuffix(".u"))
        weight = contrasting.networks.get_parameter(name.removesuffix("0.u") + "original")
        rows = weight.detach().permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight.detach()
        v = u @ rows  # with the weights after the step
        expected = rows @ (v / v.norm())
        torch.testing.assert_close(norm.u, expected / expected.norm(), rtol=1e-4, atol=1e-5)


# The contrast's pairs


@pytest.mark.parametrize("gap", [0.0, 0.7, 2.0])
def test_a_pair_shares_its_noise_and_one_code_and_differs_by_the_gap_in_all_others(gap):
    made = method(contrast_weight=1, gap=gap, noise=3)
    pairs = made.draw_contrast(2000, noise())
    seen = set()
    for first, second, shared in zip(pairs.first, pairs.second, pairs.shared.tolist(), strict=True):
        assert first[:3].tolist() == second[:3].tolist()
        seen.add(shared)
        for code in range(5):
            one, other = first[3 + code].item(), second[3 + code].item()
            assert max(abs(one), abs(other)) <= 1 + 1e-6
            if code == shared:
                assert one == other
            else:
                assert abs(one - other) >= gap - 1e-6
                assert one != other
    assert seen == set(range(5))
    counts = np.bincount(pairs.shared)
    assert np.abs(counts - 400).max() < 90  # even chances: 400 each, a standard deviation of 18
    same = pairs.first[torch.arange(2000), 3 + pairs.shared]
    assert same.var().item() == pytest.approx(1 / 3, rel=0.1)  # of U(-1, 1)


def test_codes_that_differ_have_the_distribution_of_the_authors():
    """Their own loop (gan/latent.py, sample_different), with numpy: the same mean distance and spread."""
    gap, rng = 0.8, np.random.default_rng(4)
    made = method(contrast_weight=1, gap=gap)
    pairs = made.draw_contrast(20_000, noise())
    found = [pairs.first[:, 5:].numpy(), pairs.second[:, 5:].numpy()]
    apart = found[0] != found[1]
    plain = []
    for _ in range(20_000):
        a, b = rng.uniform(-1 + gap / 2, 1 - gap / 2, 2)
        sign = 1 if a > b else -1
        plain.append((a + sign * gap / 2, b - sign * gap / 2))
    expected = np.array(plain)
    distance = np.abs(found[0] - found[1])[apart]
    assert distance.mean() == pytest.approx(np.abs(expected[:, 0] - expected[:, 1]).mean(), rel=0.01)
    assert found[0][apart].var() == pytest.approx(expected.var(), rel=0.03)
    # Either may be the larger.
    assert (found[0] > found[1])[apart].mean() == pytest.approx(0.5, abs=0.01)


# Losses


def test_losses_on_tiny_logits_are_their_closed_forms():
    real, fake = torch.tensor([0.0, math.log(3)]), torch.tensor([0.0, -math.log(4)])
    # D(x) = 1/2 and 3/4; D(G) = 1/2 and 1/5.
    expected = -(math.log(1 / 2) + math.log(3 / 4)) / 2 - (math.log(1 / 2) + math.log(4 / 5)) / 2
    assert discriminator_loss(real, fake).item() == pytest.approx(expected)
    assert generator_loss(fake).item() == pytest.approx(-(math.log(1 / 2) + math.log(1 / 5)) / 2)


def test_the_contrasts_loss_is_the_cross_entropy_of_the_shared_code(contrasting, monkeypatch):
    logits = torch.tensor([[0.0, 0, 0, 0, 0], [math.log(6), 0, 0, 0, 0], [0, 0, math.log(6), 0, 0]])
    monkeypatch.setattr(contrasting.networks.pair, "forward", lambda pairs: logits)
    loss, accuracy = contrasting.contrast_losses(torch.zeros(3, 2, 32, 32), torch.tensor([1, 0, 0]))
    # 1/5 by chance; 6/10 for the right one; 1/10 for a wrong one.
    assert loss.item() == pytest.approx(-(math.log(1 / 5) + math.log(6 / 10) + math.log(1 / 10)) / 3)
    assert accuracy.item() == pytest.approx(1 / 3)


@pytest.mark.parametrize("deviation", [0.1, 0.5, 2.0])
def test_the_bound_stays_below_a_known_mutual_information(deviation):
    """An image that is the code plus normal noise: I = h(image) - h(noise), integrated numerically.

    Q says the best mean there is, E[c | image]; ends of the bound are 0 for a Q that knows nothing and 1/6 for exact.
    """
    grid = np.linspace(-1 - 8 * deviation, 1 + 8 * deviation, 20_001)
    c = np.linspace(-1, 1, 401)
    density = np.exp(-0.5 * ((grid[:, None] - c) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    image = density.mean(1)
    information = -np.trapezoid(image * np.log(image + 1e-300), grid) - 0.5 * math.log(
        2 * math.pi * math.e * deviation**2
    )
    codes = torch.empty(20_000, 1).uniform_(-1, 1, generator=noise())
    seen = codes + deviation * torch.randn(20_000, 1, generator=noise(2))
    best = np.interp(seen[:, 0], grid, (density * c).mean(1) / (image + 1e-300))
    bound = information_of_uniform(codes, torch.from_numpy(best).float()[:, None]).item()
    assert 0 < bound < min(1 / 6 + 0.01, information)
    assert information_of_uniform(codes, codes).item() == pytest.approx(1 / 6, abs=0.003)
    assert information_of_uniform(codes, torch.zeros_like(codes)).item() == 0


def plain_step(networks, real, inputs, contrast, own, optimisers):
    """The authors' iteration (gan/infogan_cr.py, train) written out, each image generated wherever it is used."""

    def pairs():
        return torch.cat(
            [networks.generator(contrast.first).sigmoid(), networks.generator(contrast.second).sigmoid()], 1
        )

    def turn(name, loss):
        optimisers[name].zero_grad()
        loss.backward()
        optimisers[name].step()
        return loss.item()

    def log_q(said):  # log density of N(mean, 1), summed over codes
        return (-0.5 * (inputs[:, own.noise :] - said) ** 2 - 0.5 * math.log(2 * math.pi)).sum(1)

    found = {"contrast": turn("pair", nn.functional.cross_entropy(networks.pair(pairs().detach()), contrast.shared))}
    generated = networks.generator(inputs).sigmoid().detach()
    real_logit, _ = networks.recogniser(real)
    fake_logit, said = networks.recogniser(generated)
    loss = -torch.sigmoid(real_logit).log().mean() - (1 - torch.sigmoid(fake_logit)).log().mean()
    found["discriminator"] = loss.item()
    turn("recogniser", loss - own.information_weight * log_q(said).mean())
    for _ in range(2):
        fake_logit, said = networks.recogniser(networks.generator(inputs).sigmoid())
        deceived = -torch.sigmoid(fake_logit).log().mean()
        found["generator"] = deceived.item()
        cross = nn.functional.cross_entropy(networks.pair(pairs()), contrast.shared)
        turn("generator", deceived - own.information_weight * log_q(said).mean() + own.contrast_weight * cross)
    return found


@pytest.mark.usefixtures("double")
def test_a_step_is_the_authors_iteration():
    contrasting = method(contrast_weight=2, gap=0.5)
    networks, own = deepcopy(contrasting.networks), contrasting.settings
    adam = {"pair": (networks.pair, 2e-3), "recogniser": (networks.recogniser, 2e-3),
            "generator": (networks.generator, 1e-3)}  # fmt: skip
    optimisers = {
        name: torch.optim.Adam(part.parameters(), lr, betas=(0.5, 0.999)) for name, (part, lr) in adam.items()
    }
    draws, real = noise(), images(8).double()
    inputs = contrasting.draw(8, draws)
    contrast = contrasting.draw_contrast(8, draws)
    expected = plain_step(networks, real, inputs, contrast, own, optimisers)
    found = contrasting.step(Batch(real, None), context(contrasting))
    assert found["contrast_loss"].item() == pytest.approx(expected["contrast"], rel=1e-5)
    assert found["discriminator_loss"].item() == pytest.approx(expected["discriminator"], rel=1e-6)
    assert found["generator_loss"].item() == pytest.approx(expected["generator"], rel=1e-6)
    for (name, value), other in zip(contrasting.networks.named_parameters(), networks.parameters(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-7, atol=1e-7, msg=name)


def test_the_contrast_is_part_of_what_the_generator_minimises():
    with_it, without = method(contrast_weight=2), method(contrast_weight="2 to 0 over 1 steps jump")
    without.settings = without.settings.model_copy(update={"contrast_weight": 0.0})
    for made in (with_it, without):
        made.step(Batch(images(8), None), context(made))
    pairs = zip(with_it.networks.generator.parameters(), without.networks.generator.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


# The contrast begins


def test_before_its_begin_the_contrast_is_nan_and_its_network_stays(contrasting):
    made = method()
    made.settings = made.config.method.at(1, 10, 100)
    before = deepcopy(made.networks.pair.state_dict())
    found = made.step(Batch(images(8), None), context(made))
    assert math.isnan(found["contrast_loss"])
    assert math.isnan(found["contrast_accuracy"])
    assert found["loss"].isfinite()
    assert all(torch.equal(value, before[name]) for name, value in made.networks.pair.state_dict().items())
    assert set(found) == {"loss", *(term.name for term in METHOD.terms)}


@pytest.mark.parametrize("jumped", ["contrast_weight", "gap"])
def test_where_its_weight_or_the_gap_jumps_the_network_and_its_optimiser_begin_anew(contrasting, jumped):
    here = context(contrasting)
    for _ in range(3):
        contrasting.step(Batch(images(8), None), here)
    pair = here.optimisers["pair"]
    weight = contrasting.networks.pair.codes.weight
    assert {state["step"].item() for state in pair.state.values()} == {3}
    before = weight.detach().clone()
    contrasting.step(Batch(images(8), None), Context(4, 10, 160, noise(), here.optimisers, frozenset({jumped})))
    assert {state["step"].item() for state in pair.state.values()} == {1}
    assert {state["step"].item() for state in here.optimisers["recogniser"].state.values()} == {4}
    # Drawn anew with a deviation of 0.02; a step of Adam moves each weight by its rate, 0.002.
    assert (weight - before).std().item() > 0.02
    assert weight.std().item() == pytest.approx(0.02, rel=0.3)


SETTINGS = {
    "objective": "info-gan-cr", "dataset": "digits", "batch_size": 8, "steps": 12, "log_steps": 2, "threads": 1,
    "preview_steps": 50, "contrast_weight": "0 to 2 over 4 steps jump", "gap": "1.9 to 0 over 8 steps jump",
}  # fmt: skip


def rows(run):
    with run.metrics_file.open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def test_a_run_stopped_before_at_and_after_the_begin_is_the_same_bit_for_bit(tmp_path):
    config = RunConfig.parse(SETTINGS)
    whole, stopped = (Run.create(tmp_path, config, name) for name in ("whole", "stopped"))
    list(train(whole))
    for stop in (3, 4, 7, 8):
        job = train(Run.open(stopped.path))
        for event in job:
            if isinstance(event, Progress) and event.what == "Training" and event.done >= stop:
                job.send(Request.STOP)
                break
        list(job)
        if stop == 3:  # the pair network has not taken a step
            weights = load_weights(stopped.checkpoint_folder)
            optimisers = load_trainer(stopped.checkpoint_folder, weights)["optimisers"]
            assert optimisers["pair"]["state"] == {}
            assert optimisers["generator"]["state"]
    list(train(Run.open(stopped.path)))
    one, other = (load_weights(run.checkpoint_folder) for run in (whole, stopped))
    assert one.step == other.step == 12
    assert any(name.endswith(".u") for name in one.tensors)
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    states = [load_trainer(run.checkpoint_folder, w) for run, w in ((whole, one), (stopped, other))]
    assert torch.equal(states[0]["noise"], states[1]["noise"])
    for name, optimiser in states[0]["optimisers"].items():
        for number, moments in optimiser["state"].items():
            for key, value in moments.items():
                assert torch.equal(value, states[1]["optimisers"][name]["state"][number][key]), (name, key)
    assert {moments["step"].item() for moments in states[0]["optimisers"]["pair"]["state"].values()} == {5}  # 8 to 12
    assert rows(whole) == rows(stopped)
    # Rows of steps 1-2, 3-4 (of which one had no contrast), 5-6, ...: no contrast, then some; the weights as scheduled.
    assert [row["contrast_loss"] != "" for row in rows(whole)] == [False, False, True, True, True, True]
    assert [float(row["contrast_weight"]) for row in rows(whole)] == [0, 1, 2, 2, 2, 2]
    assert [float(row["gap"]) for row in rows(whole)] == pytest.approx([1.9, 1.9, 1.9, 0.95, 0, 0])
    text = methods_text([whole])
    assert "rose at once from 0 to 2 after 4 steps" in text
    assert "spectral normalisation of every layer" in text
    assert "0.001 for the generator, 0.002 for discriminator and recogniser, 0.002 for the pair network" in text
