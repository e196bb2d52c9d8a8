"""InfoGAN: networks against the authors' recipe, losses against the paper's equations in numpy, who gets gradients."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from engine.methods.base import Batch, Context
from engine.methods.latents import Kind
from engine.methods.registry import METHODS, make, spec_for
from engine.methods.updates import update
from engine.networks.info_gan import unrecorded
from engine.settings.run_config import RunConfig

CPU = torch.device("cpu")


def method(side=28, channels=1, **settings):
    config = RunConfig.parse({"objective": "info-gan", "batch_size": 16, **settings})
    made = make(config, spec_for(config, (side, side, channels), 10))
    made.initialise(torch.Generator().manual_seed(5))
    return made.to(CPU).train()


@pytest.fixture
def small():
    return method(noise=7, categories=4, continuous_codes=3)


def images(number, side=28, channels=1):
    drawn = torch.rand(number, channels, side, side, generator=torch.Generator().manual_seed(3))
    return drawn.contiguous(memory_format=torch.channels_last)


def noise():
    return torch.Generator().manual_seed(11)


def context(made):
    return Context(1, 10, 160, noise(), made.optimisers())


# The networks: openai/InfoGAN, infogan/models/regularized_gan.py, written out


def count(layers):
    return sum(parameter.numel() for parameter in layers.parameters())


def test_the_networks_have_the_recipes_layers():
    networks = method().networks
    # 62 + 10 + 2 = 74 inputs; each normalisation has a scale and a shift, and every layer its bias.
    generator = (
        (74 + 1) * 1024 + 2 * 1024 + (1024 + 1) * 6272 + 2 * 6272 + (128 * 64 * 16 + 64) + 2 * 64 + (64 * 16 + 1)
    )
    shared = (64 * 16 + 64) + (64 * 128 * 16 + 128) + 2 * 128 + (6272 + 1) * 1024 + 2 * 1024
    heads = (1024 + 1) + (1024 + 1) * 128 + 2 * 128 + (128 + 1) * 12
    assert count(networks.generator) == generator == 6_652_481
    assert count(networks.recogniser) == shared + heads == 6_692_173
    assert [layer.num_features for layer in networks.generator.modules() if isinstance(layer, nn.BatchNorm1d)] == [
        1024, 6272
    ]  # fmt: skip
    leaks = {layer.negative_slope for layer in networks.modules() if isinstance(layer, nn.LeakyReLU)}
    assert leaks == {0.01}  # 0.1 in the paper's table, 0.01 in the code
    normalisations = [m for m in networks.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert len(normalisations) == 3 + 3
    assert {(layer.eps, layer.momentum) for layer in normalisations} == {(1e-5, 0.1)}  # moving average of decay 0.9


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3), (64, 1)])
def test_images_of_other_sides_and_colours_go_through(side, channels):
    made = method(side, channels)
    with torch.no_grad():
        assert made.encode(images(3, side, channels)).mean.shape == (3, 3)
        pictures = made.decode(torch.tensor([[4.0, 0.5, -1.0], [9.0, 0.0, 2.0]]))
    assert pictures.shape == (2, channels, side, side)
    assert made.networks.generator.start == (128, side // 4, side // 4)


def test_weights_are_drawn_as_in_the_recipe():
    networks = method().networks
    for layer in networks.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            assert layer.bias.abs().max() == 0
            cut = isinstance(layer, nn.Conv2d)
            if cut:
                assert layer.weight.abs().max() <= 0.04
            # A normal distribution cut off at two standard deviations has one of 0.8796 of them.
            if layer.weight.numel() > 1000:
                expected = 0.02 * (0.8796 if cut else 1)
                assert layer.weight.std().item() == pytest.approx(expected, rel=0.08)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.bias.abs().max() == 0
            assert (layer.weight - 1).std().item() == pytest.approx(0.02, rel=0.35)
    again = method().networks
    assert all(torch.equal(a, b) for a, b in zip(networks.parameters(), again.parameters(), strict=True))


def test_both_optimisers_are_the_recipes():
    found = {name: optimiser.param_groups[0] for name, optimiser in method().optimisers().items()}
    assert {name: (group["lr"], group["betas"]) for name, group in found.items()} == {
        "recogniser": (2e-4, (0.5, 0.999)),
        "generator": (1e-3, (0.5, 0.999)),
    }


# Drawing, and the losses in numpy


def test_noise_and_codes_are_drawn_from_their_priors():
    made = method()
    drawn = made.draw(20_000, noise()).numpy()
    assert drawn.shape == (20_000, 74)
    assert set(np.unique(drawn[:, 62:72])) == {0, 1}
    assert (drawn[:, 62:72].sum(1) == 1).all()
    np.testing.assert_allclose(drawn[:, 62:72].mean(0), 0.1, atol=0.01)
    even = np.delete(drawn, range(62, 72), axis=1)
    assert even.min() < -0.999
    assert even.max() > 0.999
    np.testing.assert_allclose(even.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(even.var(0), 1 / 3, atol=0.01)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain_information(said, inputs, noise_size, k):
    """I of Eq. 5, image by image: H(c) - E[-log Q]; entropies of N(0, 1) for continuous codes, as in the code."""
    category, continuous = [], []
    for row, given in zip(said, inputs, strict=True):
        weights = np.exp(row[:k] - row[:k].max())
        q = weights / weights.sum()
        c = int(np.argmax(given[noise_size : noise_size + k]))
        category.append(-math.log(1 / k) + math.log(q[c]))
        total = 0.0
        for value, mean in zip(given[noise_size + k :], row[k:], strict=True):
            density = -0.5 * math.log(2 * math.pi) - 0.5 * (value - mean) ** 2
            prior = -0.5 * math.log(2 * math.pi) - 0.5 * value**2
            total += density - prior
        continuous.append(total)
    return np.mean(category), np.mean(continuous)


def test_the_losses_are_the_papers_equations(small):
    real = images(12)
    with torch.no_grad(), unrecorded(small.networks):
        # The same draws and passes once more, in double precision from the networks' outputs on.
        inputs = small.draw(12, noise())
        generated = small.networks.generator(inputs).sigmoid()
        d_real = sigmoid(small.networks.recogniser(real)[0].double().numpy())
        logits, said = small.networks.recogniser(generated)
        d_fake, said = sigmoid(logits.double().numpy()), said.double().numpy()
    information = plain_information(said, inputs.double().numpy(), 7, 4)
    discriminator, objective = small.recogniser_losses(real, noise())
    expected = np.mean(-np.log(d_real)) + np.mean(-np.log(1 - d_fake))
    assert discriminator.item() == pytest.approx(expected, rel=1e-5)
    assert objective.item() == pytest.approx(expected - sum(information), rel=1e-5)
    generator, found = small.generator_losses(12, noise())  # the same noise: the same images
    assert generator.item() == pytest.approx(np.mean(-np.log(d_fake)), rel=1e-5)
    assert [each.item() for each in found] == pytest.approx(information, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("sure", "expected"), [(0.0, 0.0), (50.0, math.log(10))])
def test_the_bound_at_its_ends(sure, expected):
    # A recogniser that knows nothing: 0; one that is always right: H(c) = log 10 = 2.30 nats.
    made = method()
    inputs = made.draw(500, noise())
    said = torch.cat([sure * inputs[:, 62:72], torch.zeros(500, 2)], dim=1)
    category, continuous = made.information(said, inputs)
    assert category.item() == pytest.approx(expected, abs=1e-5)
    assert continuous.item() == pytest.approx(0, abs=1e-6)


def test_codes_that_are_recovered_exactly_count_a_sixth_each():
    # E[c²] / 2 of U(-1, 1) is 1/6.
    made = method()
    inputs = made.draw(50_000, noise())
    said = torch.cat([torch.zeros(50_000, 10), inputs[:, 72:]], dim=1)
    assert made.information(said, inputs)[1].item() == pytest.approx(2 / 6, abs=0.005)
    assert made.information(torch.cat([said[:, :10], -said[:, 10:]], dim=1), inputs)[1].item() < -0.9


# Who gets gradients


def norms(loss, networks):
    """Sum of the absolute gradients of each part: generator, shared layers, D's last, Q's."""
    networks.zero_grad()
    loss.backward()
    parts = {
        "generator": networks.generator,
        "shared": nn.ModuleList([networks.recogniser.features, networks.recogniser.hidden]),
        "D": networks.recogniser.real,
        "Q": networks.recogniser.codes,
    }
    found = {}
    for name, part in parts.items():
        given = [parameter.grad.abs().sum().item() for parameter in part.parameters() if parameter.grad is not None]
        found[name] = sum(given)
    return {name for name, norm in found.items() if norm > 1e-6}


def test_the_discriminators_loss_reaches_d_and_information_reaches_q_and_what_they_share(small):
    discriminator, objective = small.recogniser_losses(images(12), noise())
    assert norms(discriminator, small.networks) == {"shared", "D"}
    discriminator, objective = small.recogniser_losses(images(12), noise())
    assert norms(objective, small.networks) == {"shared", "D", "Q"}
    discriminator, objective = small.recogniser_losses(images(12), noise())
    assert norms(objective - discriminator, small.networks) == {"shared", "Q"}


def test_both_terms_reach_the_generator(small):
    loss, information = small.generator_losses(12, noise())
    assert "generator" in norms(loss, small.networks)
    loss, information = small.generator_losses(12, noise())
    assert norms(sum(information), small.networks) == {"generator", "shared", "Q"}


def test_without_information_q_learns_nothing_and_the_generator_hears_of_d_alone():
    made = method(information_weight=0)
    before = {name: value.clone() for name, value in made.networks.recogniser.codes.named_parameters()}
    made.step(Batch(images(16), None), context(made))
    assert all(torch.equal(value, before[name]) for name, value in made.networks.recogniser.codes.named_parameters())


def test_each_optimiser_moves_its_own_networks_downhill():
    made = method()
    real, optimisers = images(16), made.optimisers()
    before = {name: value.clone() for name, value in made.networks.named_parameters()}
    _, first = made.recogniser_losses(real, noise())
    update(optimisers["recogniser"], first)
    moved = {
        name.split(".")[0] for name, value in made.networks.named_parameters() if not torch.equal(value, before[name])
    }
    assert moved == {"recogniser"}
    assert made.recogniser_losses(real, noise())[1] < first
    before = {name: value.clone() for name, value in made.networks.named_parameters()}
    loss, information = made.generator_losses(16, noise())
    update(optimisers["generator"], loss - sum(information))
    moved = {
        name.split(".")[0] for name, value in made.networks.named_parameters() if not torch.equal(value, before[name])
    }
    assert moved == {"generator"}
    again, more = made.generator_losses(16, noise())
    assert again - sum(more) < loss - sum(information)


def test_a_step_is_two_updates_of_adam_on_the_papers_objectives(small):
    other, weight = method(noise=7, categories=4, continuous_codes=3), small.settings.information_weight
    draws, real, networks = noise(), images(16), other.networks
    adam = {"betas": (0.5, 0.999)}
    first = torch.optim.Adam(networks.recogniser.parameters(), lr=2e-4, **adam)
    second = torch.optim.Adam(networks.generator.parameters(), lr=1e-3, **adam)

    def judged(inputs):
        with unrecorded(networks.recogniser):
            logits, said = networks.recogniser(torch.sigmoid(networks.generator(inputs)))
        return torch.sigmoid(logits), sum(other.information(said, inputs))

    inputs = other.draw(16, draws)
    d_real = torch.sigmoid(networks.recogniser(real)[0])
    d_fake, information = judged(inputs)
    loss = -(d_real.log() + (1 - d_fake).log()).mean() - weight * information
    first.zero_grad()
    loss.backward()
    first.step()
    d_fake, information = judged(other.draw(16, draws))  # with the discriminator as it is now
    second.zero_grad()
    (-d_fake.log().mean() - weight * information).backward()
    second.step()
    small.step(Batch(real, None), context(small))
    for (name, value), expected in zip(small.networks.named_parameters(), networks.parameters(), strict=True):
        # The first step of Adam is the sign of the gradient, which rounding may turn where there is hardly any: in
        # biases before a normalisation everywhere, in weights seldom.
        if value.ndim > 1:
            other_way = ((value - expected).abs() > 1e-5).double().mean().item()
            assert other_way < 0.02, name


def test_a_steps_loss_is_the_sum_of_what_it_reports(small):
    found = small.step(Batch(images(16), None), context(small))
    parts = [found[name].item() for name in ("discriminator_loss", "generator_loss")]
    information = [found[name].item() for name in ("category_information", "continuous_information")]
    assert found["loss"].item() == pytest.approx(sum(parts) - sum(information), rel=1e-5)
    assert set(found) == {"loss", *(term.name for term in METHODS["info-gan"].terms)}


# Running means, encoding and decoding


def test_the_running_means_of_d_and_q_are_those_of_real_images_alone(small):
    other = method(noise=7, categories=4, continuous_codes=3)
    real = images(16)
    small.step(Batch(real, None), context(small))
    with torch.no_grad():
        other.networks.recogniser(real)  # nothing but the real images' pass, before any weight moved
    for name, value in other.networks.recogniser.named_buffers():
        if "running" in name:
            torch.testing.assert_close(small.networks.recogniser.get_buffer(name), value)


def test_a_category_is_the_most_likely_one_and_its_codes_are_means(small):
    small.eval()
    with torch.no_grad():
        said = small.networks.recogniser(images(9))[1]
        mean, log_variance = small.encode(images(9))
    assert mean[:, 0].tolist() == said[:, :4].argmax(1).tolist()
    torch.testing.assert_close(mean[:, 1:], said[:, 4:])
    assert (log_variance == 0).all()  # a standard deviation of 1


def test_decoding_takes_the_category_one_hot_and_the_fixed_noise(small):
    small.eval()
    z = torch.tensor([[2.0, 0.1, -0.2, 0.3], [9.0, 0, 0, 0], [-1.0, 0, 0, 0], [2.2, 0.1, -0.2, 0.3]])
    fixed = small.networks.fixed_noise
    assert fixed.abs().max() <= 1
    assert fixed.std() > 0.3
    one_hot = torch.tensor([[0, 0, 1.0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]])  # the nearest that there is
    with torch.no_grad():
        expected = torch.sigmoid(small.networks.generator(torch.cat([fixed.repeat(4, 1), one_hot, z[:, 1:]], dim=1)))
        torch.testing.assert_close(small.decode(z), expected)
    assert "fixed_noise" in small.networks.state_dict()


def test_latents_are_the_category_and_then_the_codes():
    config = RunConfig(objective="info-gan", latents=77, categories=6, continuous_codes=1)
    category, code = METHODS["info-gan"].latents_of(config)
    assert (category.kind, category.values()) == (Kind.CATEGORICAL, (0, 1, 2, 3, 4, 5))
    assert (code.kind, code.values()) == (Kind.UNIFORM, pytest.approx(np.linspace(-2, 2, 6)))
    assert METHODS["info-gan"].kl_columns(config) == 0
