"""The lambda-beta-VAE: a step against its loss written out, and what lambda does to the gradient of a logit."""

import pytest
import torch

from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.methods.terms import reconstruction_per_image, squared_error_per_image
from engine.settings.run_config import RunConfig

BETA, WEIGHT = 3.0, 5.0


@pytest.mark.parametrize("conditional", [False, True])
def test_a_step_descends_the_authors_loss(data, conditional):
    """losses.py of the authors' code: sums over the batch divided by its size, by torch's own losses."""
    values = {"dataset": "arrays", "objective": "lambda-beta-vae", "beta": BETA, "error_weight": WEIGHT, "latents": 3}
    method = build(RunConfig.parse(values | {"conditional": conditional}), data).train()
    images = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    labels = torch.arange(6) % 3 if conditional else None
    mean, log_variance = method.vae.encode(images)
    noise = torch.empty_like(mean).normal_(generator=torch.Generator().manual_seed(1))
    drawn = torch.sigmoid(method.vae.logits(mean + noise * torch.exp(log_variance / 2), labels))
    cross_entropy = torch.nn.functional.binary_cross_entropy(drawn, images, reduction="sum") / 6
    error = torch.nn.functional.mse_loss(drawn, images, reduction="sum") / 6
    kl = -0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp()) / 6
    loss = cross_entropy + BETA * kl + WEIGHT * error
    weights = list(method.networks.parameters())
    expected = torch.autograd.grad(loss, weights)
    context = Context(1, 10, 120, torch.Generator().manual_seed(1), method.optimisers())
    terms = method.step(Batch(images, labels), context)
    assert terms["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert terms["reconstruction"].item() == pytest.approx(cross_entropy.item(), rel=1e-5)
    assert terms["kl"].item() == pytest.approx(kl.item(), rel=1e-4)
    assert terms["squared_error"].item() == pytest.approx(error.item(), rel=1e-5)
    for weight, gradient in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-4 * gradient.abs().max().item())


def test_lambda_strengthens_the_gradient_of_a_logit_by_up_to_half_of_itself():
    # By hand: d(p - x)^2 / dlogit = 2 (p - x) p (1 - p), and the cross-entropy's derivative is p - x.
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64).reshape(25, 1, 1, 1).requires_grad_()
    images = torch.ones_like(logits).detach()
    [of_error] = torch.autograd.grad(squared_error_per_image(logits, images).sum(), logits)
    [of_entropy] = torch.autograd.grad(reconstruction_per_image(logits, images).sum(), logits)
    p = logits.detach().sigmoid()
    torch.testing.assert_close(of_error / of_entropy, 2 * p * (1 - p))
    assert (of_error / of_entropy).max().item() == pytest.approx(0.5)


def test_the_defaults_are_in_the_authors_grid():
    # config.py of the authors' code.
    settings = RunConfig(objective="lambda-beta-vae").method
    assert settings.beta in (1, 4, 8, 16, 32)
    assert settings.error_weight in (0, 2, 4, 6, 8)


def test_a_beta_below_1_is_said_to_give_no_bound():
    [warning] = RunConfig(objective="lambda-beta-vae", beta=0.5).warnings(60_000)
    assert warning == "β is 0.5: below 1 the objective is not a lower bound on the likelihood."
