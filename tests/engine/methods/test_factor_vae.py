"""FactorVAE against algorithm 2 of its paper written out plainly, and a total correlation that is known."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.methods import factor_vae
from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.methods.factor_vae import discrimination, permuted
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.methods.updates import update
from engine.networks.vae import sample
from engine.settings.run_config import RunConfig

GAMMA = 7.0


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def method(data):
    config = RunConfig.parse({"dataset": "arrays", "objective": "factor-vae", "gamma": GAMMA, "latents": 3})
    return build(config, data).train()


def test_the_discriminator_is_that_of_the_paper(method):
    # Appendix A: six hidden layers of 1,000 units with leaky ReLU of slope 0.2, then two logits.
    layers = list(method.discriminator)
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == list(pairwise([3, *[1000] * 6, 2]))
    slopes = [layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)]
    assert slopes == [0.2] * 6


def test_a_step_is_algorithm_2(method, rng):
    """Every weight after two steps, against gradients by autograd.grad and Adam by its own equations."""
    images = torch.rand(12, 1, 32, 32, generator=rng).to(memory_format=torch.channels_last)
    names = [name for name, _ in method.networks.named_parameters()]
    weights = {name: value.detach().clone().requires_grad_() for name, value in method.networks.named_parameters()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in weights.items()}
    optimisers, noise, expected_noise = method.optimisers(), torch.Generator(), torch.Generator()
    noise.manual_seed(1)
    expected_noise.manual_seed(1)

    def call(module, *arguments, name):
        part = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        return torch.func.functional_call(module, part, arguments)

    def adam(name, gradient, step):
        rate, decay = (1e-4, (0.5, 0.9)) if name.startswith("discriminator") else (5e-4, (0.9, 0.999))
        first, second = moments[name]
        first.mul_(decay[0]).add_((1 - decay[0]) * gradient)
        second.mul_(decay[1]).add_((1 - decay[1]) * gradient**2)
        moved = (first / (1 - decay[0] ** step)) / ((second / (1 - decay[1] ** step)).sqrt() + 1e-8)
        return (weights[name].detach() - rate * moved).requires_grad_()

    for step in (1, 2):
        mine, other = images[:6], images[6:]
        mean, log_variance = call(method.vae.encoder, mine, name="vae.encoder")
        z = sample(mean, log_variance, expected_noise)
        logits = call(method.vae.decoder, z, name="vae.decoder")
        judged = call(method.discriminator, z, name="discriminator")
        correlation = (judged[:, 0] - judged[:, 1]).mean()
        reconstruction, kl = (
            reconstruction_per_image(logits, mine).mean(),
            kl_per_latent(mean, log_variance).sum(1).mean(),
        )
        loss = reconstruction + kl + GAMMA * correlation
        vae = [name for name in names if name.startswith("vae.")]
        gradients = dict(zip(vae, torch.autograd.grad(loss, [weights[n] for n in vae], retain_graph=True), strict=True))
        weights |= {name: adam(name, gradient, step) for name, gradient in gradients.items()}
        with torch.no_grad():
            z_other = sample(*call(method.vae.encoder, other, name="vae.encoder"), expected_noise)
            shuffled = permuted(z_other, expected_noise)
        apart = call(method.discriminator, shuffled, name="discriminator")
        wrong = -(judged.detach().log_softmax(1)[:, 0].mean() + apart.detach().log_softmax(1)[:, 1].mean()) / 2
        of_z = call(method.discriminator, z.detach(), name="discriminator")
        cost = -(of_z.log_softmax(1)[:, 0].mean() + apart.log_softmax(1)[:, 1].mean()) / 2
        critic = [name for name in names if name.startswith("discriminator.")]
        gradients = dict(zip(critic, torch.autograd.grad(cost, [weights[n] for n in critic]), strict=True))
        weights |= {name: adam(name, gradient, step) for name, gradient in gradients.items()}

        terms = method.step(Batch(images, None), Context(step, 10, 120, noise, optimisers))
        assert terms["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
        assert terms["reconstruction"].item() == pytest.approx(reconstruction.item(), rel=1e-5)
        assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-3)
        assert terms["total_correlation"].item() == pytest.approx(correlation.item(), rel=1e-4, abs=1e-6)
        assert terms["discriminator_loss"].item() == pytest.approx(wrong.item(), rel=1e-5)
    for name, value in method.networks.named_parameters():
        torch.testing.assert_close(value.detach(), weights[name].detach(), rtol=2e-4, atol=2e-6, msg=name)


def test_each_latent_is_permuted_across_the_images_on_its_own(rng):
    z = torch.arange(40.0).reshape(10, 4)
    moved = permuted(z, rng)
    assert torch.equal(moved.sort(0).values, z)  # the same values in each column
    orders = {tuple(column.tolist()) for column in (moved // 4).long().T}
    assert len(orders) == 4  # no column moves like another


def test_a_discriminator_that_cannot_tell_costs_ln_2_and_a_perfect_one_nothing():
    undecided = torch.zeros(5, 2)
    assert discrimination(undecided, undecided).item() == pytest.approx(math.log(2))
    certain = torch.tensor([[30.0, 0.0]]).repeat(5, 1)
    assert discrimination(certain, certain.flip(1)).item() == pytest.approx(0, abs=1e-6)
    assert discrimination(certain.flip(1), certain).item() == pytest.approx(30)  # wrong about every row


def test_an_update_moves_the_weights_of_its_optimiser_and_no_others():
    one, other = torch.nn.Linear(2, 1), torch.nn.Linear(1, 1)
    before = [p.detach().clone() for p in other.parameters()]
    update(torch.optim.SGD(one.parameters(), lr=0.1), other(one(torch.ones(3, 2))).square().mean())
    assert all(p.grad is None for p in other.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))


def test_a_discriminator_finds_a_known_total_correlation(data, rng, monkeypatch):
    """Of two standard normal latents with correlation r it is -ln(1 - r^2) / 2 (closed form). Narrow layers do."""
    monkeypatch.setattr(factor_vae, "UNITS", 100)
    method = build(RunConfig.parse({"dataset": "arrays", "objective": "factor-vae", "latents": 3}), data).train()
    r = 0.8
    optimiser = torch.optim.Adam(method.discriminator.parameters(), lr=3e-4, betas=(0.5, 0.9))

    def draw(n):
        z = torch.randn(n, 3, generator=rng)
        z[:, 1] = r * z[:, 0] + math.sqrt(1 - r**2) * z[:, 1]
        return z

    for _ in range(150):
        z = draw(256)
        update(optimiser, discrimination(method.discriminator(z), method.discriminator(permuted(draw(256), rng))))
    with torch.no_grad():
        judged = method.discriminator(draw(20_000))
    found = (judged[:, 0] - judged[:, 1]).mean().item()
    assert found == pytest.approx(-math.log(1 - r**2) / 2, rel=0.25)


def test_the_two_batches_of_a_step_are_other_images_in_other_orders(method, data):
    sampler = method.sampler(data, np.arange(120))
    epoch = [sampler(step) for step in range(sampler.steps_per_epoch)]
    halves = [np.concatenate(each) for each in zip(*(np.split(batch, 2) for batch in epoch), strict=True)]
    for half in halves:
        assert sorted(half) == list(range(120))  # each image once an epoch in either
    assert not np.array_equal(*halves)
