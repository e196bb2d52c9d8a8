"""QLAE: codes by brute force, the gradient that passes them, and a step by AdamW's own equations."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.methods.latents import Latent
from engine.methods.qlae import codes_used, straight_through
from engine.networks.codebook import Codebook
from engine.settings.run_config import RunConfig

SETTINGS = {"dataset": "arrays", "objective": "qlae", "latents": 3, "codes": 4, "learning_rate": 1e-3,
            "quantisation_weight": 0.3, "commitment_weight": 0.2}  # fmt: skip


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def method(data):
    return build(RunConfig.parse(SETTINGS), data).train()


@pytest.fixture
def codebook(rng):
    made = Codebook(3, 4)
    with torch.no_grad():
        made.values.copy_(torch.randn(3, 4, generator=rng))
    return made


def test_the_codes_are_at_first_those_of_the_source():
    # QuantizedLatent in latents/quantized.py: linspace(-0.5, 0.5) for each latent.
    np.testing.assert_allclose(Codebook(2, 10).values.detach(), np.tile(np.linspace(-0.5, 0.5, 10), (2, 1)), atol=1e-7)
    own = RunConfig(objective="qlae").method
    assert (own.codes, own.quantisation_weight, own.commitment_weight, own.weight_decay) == (10, 0.01, 0.01, 0.1)


def test_the_nearest_code_is_found_by_looking_at_each(codebook, rng):
    said = 2 * torch.randn(50, 3, generator=rng)
    numbers = codebook.nearest(said)
    values = codebook.of(numbers)
    for i, latent in np.ndindex(50, 3):
        book = codebook.values[latent].tolist()
        nearest = min(book, key=lambda value: abs(value - said[i, latent].item()))
        assert values[i, latent].item() == pytest.approx(nearest)
        assert numbers[i, latent].item() == sorted(book).index(nearest)  # in order, however they were trained


def test_the_gradient_passes_the_rounding(rng):
    said, rounded = (torch.randn(4, 3, generator=rng, requires_grad=True) for _ in range(2))
    given = torch.randn(4, 3, generator=rng)
    z = straight_through(said, rounded)
    torch.testing.assert_close(z, rounded)
    (z * given).sum().backward()
    assert torch.equal(said.grad, given)
    assert rounded.grad is None


def test_two_steps_are_those_of_adamw_on_the_loss_per_pixel(method, rng):
    """Every weight, against gradients by autograd.grad and AdamW's equations (Loshchilov & Hutter 2019)."""
    images = torch.rand(6, 1, 32, 32, generator=rng)
    weights = {name: p.detach().clone().requires_grad_() for name, p in method.networks.named_parameters()}
    with torch.no_grad():  # codes among what the encoder says
        said = method.vae.outputs_of(images)
        for book in (weights["codebook.values"], method.networks.codebook.values):
            book.copy_(said.t()[:, :4] + 0.01)
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in weights.items()}
    optimisers = method.optimisers()

    def call(part, inputs):
        own = {name.removeprefix(f"{part}."): p for name, p in weights.items() if name.startswith(part)}
        return torch.func.functional_call(method.networks.get_submodule(part), own, inputs)

    for step in (1, 2):
        said = torch.cat(call("vae.encoder", images), 1)[:, :3]
        books = weights["codebook.values"]
        which = torch.tensor(
            [[min(range(4), key=lambda k, i=i, j=j: abs(books[j, k] - said[i, j])) for j in range(3)] for i in range(6)]
        )
        rounded = torch.stack([books[j][which[:, j]] for j in range(3)], 1)
        logits = call("vae.decoder", said + (rounded - said).detach())
        bce = binary_cross_entropy_with_logits(logits, images)  # the mean over images and pixels
        error = (said - rounded).square().mean()
        loss = (
            bce
            + 0.3 * (said.detach() - rounded).square().mean()
            + 0.2 * (said - rounded.detach()).square().mean()
        )  # fmt: skip
        gradients = torch.autograd.grad(loss, weights.values())
        for (name, p), gradient in zip(list(weights.items()), gradients, strict=True):
            first, second = moments[name]
            first.mul_(0.9).add_(0.1 * gradient)
            second.mul_(0.999).add_(0.001 * gradient**2)
            moved = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
            decay = 0 if name.endswith("bias") or name == "codebook.values" else 0.1
            weights[name] = (p.detach() - 1e-3 * (moved + decay * p.detach())).requires_grad_()
        terms = method.step(Batch(images, None), Context(step, 10, 120, torch.Generator(), optimisers))
        assert terms["reconstruction"].item() == pytest.approx(1024 * bce.item(), rel=1e-5)
        assert terms["quantisation_error"].item() == pytest.approx(error.item(), rel=1e-4)
        assert terms["loss"].item() == pytest.approx(1024 * loss.item(), rel=1e-5)
        used = [np.unique(which[:, j], return_counts=True)[1] / 6 for j in range(3)]
        expected = np.mean([math.exp(-(p * np.log(p)).sum()) for p in used])
        assert terms["codes_used"].item() == pytest.approx(expected, rel=1e-5)
    for name, p in method.networks.named_parameters():
        torch.testing.assert_close(p.detach(), weights[name].detach(), rtol=2e-4, atol=2e-6, msg=name)


def test_reconstruction_alone_does_not_move_the_codes(data, rng):
    method = build(RunConfig.parse(SETTINGS | {"quantisation_weight": 0}), data).train()
    before = method.networks.codebook.values.detach().clone()
    images = torch.rand(6, 1, 32, 32, generator=rng)
    method.step(Batch(images, None), Context(1, 10, 120, torch.Generator(), method.optimisers()))
    assert torch.equal(method.networks.codebook.values, before)


def test_an_image_is_the_numbers_of_its_codes_and_decoded_from_their_values(method, codebook, rng):
    method.networks.codebook = codebook
    images = torch.rand(5, 1, 32, 32, generator=rng)
    with torch.no_grad():
        mean, log_variance = found = method.eval().encode(images)
        said = method.vae.outputs_of(images)
        assert torch.equal(mean, codebook.nearest(said).float())
        assert not log_variance.any()
        assert torch.equal(method.sample(found, rng), mean)
        values = codebook.values.sort(1).values
        expected = method.vae.logits(torch.stack([values[j][mean[:, j].long()] for j in range(3)], 1))
        torch.testing.assert_close(method.logits(mean), expected)
        torch.testing.assert_close(method.logits(mean + 0.4), expected)  # a slider may stop between codes
        beyond = torch.tensor([[-3.0, 9.0, 1.0]])
        torch.testing.assert_close(method.logits(beyond), method.logits(torch.tensor([[0.0, 3.0, 1.0]])))
    assert method.kinds == (Latent.code(4),) * 3


def test_codes_in_use_are_counted_by_the_evenness_of_their_frequencies():
    assert codes_used(torch.arange(8)[:, None] % 4, 4).item() == pytest.approx(4)
    assert codes_used(torch.full((8, 2), 3), 4).item() == pytest.approx(1)
    both = torch.stack([torch.arange(8) % 2, torch.zeros(8, dtype=torch.long)], 1)
    assert codes_used(both, 4).item() == pytest.approx(1.5)
