"""DAVA: the pace of its capacity at given accuracies, its losses and a whole step against the authors' code written
out, and a run stopped while the capacity moves.
"""

import csv
import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from engine.jobs.events import Progress, Request
from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.methods.dava import accuracy_of, discrimination, mixed_latents
from engine.networks.dava import Discriminator
from engine.networks.vae import sample
from engine.runs.checkpoints import load_weights
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.stepper import Stepper
from engine.training.trainer import train


def made(data, **settings):
    values = {"dataset": "arrays", "objective": "dava", "latents": 3, "network": "burgess"}
    return build(RunConfig.parse(values | settings), data).to(torch.device("cpu")).train()


@pytest.fixture
def method(data):
    return made(data)


def noise(seed=1):
    return torch.Generator().manual_seed(seed)


def images(number):
    return torch.rand(number, 1, 32, 32, generator=noise(5)).contiguous(memory_format=torch.channels_last)


class Fixed(nn.Module):
    """A discriminator that says the same of whatever it sees, or is always right."""

    def __init__(self, logit=0.0, right=False):
        super().__init__()
        self.logit, self.right = nn.Parameter(torch.tensor(logit)), right

    def forward(self, images):
        signs = torch.ones(len(images))
        if self.right:
            signs[len(images) // 2 :] = -1
        return signs * self.logit


# The capacity


def test_a_step_of_the_capacity_is_the_authors():
    """Their comment: with c_max 8, a threshold of 100,000 x 128 and half a batch of 128 a step, delta C is 4e-5."""
    own = RunConfig(objective="dava").method
    assert own.capacity_step == pytest.approx(own.capacity_limit * (128 // 2) / (100_000 * 128))
    assert (own.gamma, own.capacity_limit, own.adversarial_weight, own.decoder_weight) == (500, 8, 0.3, 0.001)


@pytest.mark.parametrize(
    ("accuracy", "moved"), [(0.3, 1), (0.5, 1), (0.501, 1), (0.505, 0), (0.51, 0), (0.511, -1), (1, -1)]
)
def test_the_capacity_moves_forward_at_chance_and_back_when_the_discriminator_can_tell(method, accuracy, moved):
    for _ in range(5):
        method.pace(0.5)
    before = method.capacity
    assert before == pytest.approx(5 * 3 * 4e-5)
    method.pace(accuracy)
    assert method.capacity - before == pytest.approx(moved * 3 * 4e-5)


def test_the_capacity_stays_between_0_and_its_limit(data):
    method = made(data, capacity_step=0.3, capacity_limit=0.5)
    method.pace(1.0)
    assert method.capacity == 0
    found = []
    for accuracy in [0.5] * 4 + [1.0] * 4:
        method.pace(accuracy)
        found.append(method.capacity / 3)
    assert found == pytest.approx([0.3, 0.5, 0.5, 0.5, 0.3, 0, 0, 0])


@pytest.mark.parametrize(
    ("discriminator", "path"), [(Fixed(0.0), [0, 1, 2, 3]), (Fixed(9.0, right=True), [0, 0, 0, 0])]
)
def test_steps_with_a_fixed_discriminator_move_it_or_not(data, discriminator, path):
    method = made(data, discriminator_rate=1e-7, capacity_step=0.01)
    method.networks.discriminator = discriminator
    stepper = Stepper(method, torch.device("cpu"), 120, 15, 100)
    found = [dict(zip(stepper.names, stepper(Batch(images(8), None), step + 1), strict=True)) for step in range(4)]
    # What is reported is what the step was trained with: before its own move.
    assert [values["capacity"].item() for values in found] == pytest.approx([3 * 0.01 * moves for moves in path])
    accuracy = 1.0 if discriminator.right else 0.5
    assert [values["discriminator_accuracy"].item() for values in found] == [accuracy] * 4
    assert int(method.networks.moves) == (4 if accuracy == 0.5 else 0)


# What the discriminator sees, and its loss


def test_latents_of_the_aggregate_posterior_are_each_those_of_some_image():
    z = torch.arange(40.0).reshape(10, 4)
    apart = mixed_latents(z, noise())
    assert apart.shape == z.shape
    assert (apart % 4).tolist() == [[0.0, 1, 2, 3]] * 10  # each in its own column
    rows = (apart // 4).long()
    assert any(len(set(row.tolist())) > 1 for row in rows)  # of different images
    drawn = mixed_latents(torch.arange(4.0)[:, None].repeat(1, 3000), noise()).numpy()
    counts = np.bincount(drawn.astype(int).ravel())
    assert np.abs(counts - 3000).max() < 250  # with even chances, and with replacement:
    assert any(len(set(column)) < 4 for column in drawn.T)


def test_its_loss_is_the_cross_entropy_with_targets_drawn_within_their_range():
    judged = torch.tensor([0.3, -2.0, 1.0, 0.0])
    drawn = torch.rand(4, generator=noise()).double().numpy()
    targets = np.concatenate([1 - 0.6 * drawn[:2], 0.6 * drawn[2:]])
    p = 1 / (1 + np.exp(-judged.double().numpy()))
    expected = -targets * np.log(p) - (1 - targets) * np.log(1 - p)
    np.testing.assert_allclose(discrimination(judged, 2, noise()), expected, rtol=1e-5)


def test_a_discriminator_that_knows_nothing_is_right_for_half_exactly():
    assert accuracy_of(torch.zeros(10), 5) == 0.5
    assert accuracy_of(torch.full((10,), 9.0), 5) == 0.5
    sure = torch.tensor([0.41, 0.41, -1.0, 0.4])  # a probability of 0.6 is a logit of log 1.5 = 0.405
    assert accuracy_of(sure, 2) == 1.0
    assert accuracy_of(sure.flip(0), 2) == 0.0


def test_the_discriminator_is_that_of_the_authors():
    found = Discriminator(64, 1)
    widths = [layer.out_channels for layer in found.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 32, 64, 64]
    assert [(m.in_features, m.out_features) for m in found.modules() if isinstance(m, nn.Linear)] == [
        (1024, 256),
        (256, 1),
    ]
    norm = next(layer for layer in found.modules() if isinstance(layer, nn.GroupNorm))
    x = torch.randn(3, 32, 8, 8, generator=noise())
    torch.testing.assert_close(norm(x), nn.InstanceNorm2d(32)(x))
    for side in (28, 32, 128):
        assert Discriminator(side, 3)(torch.rand(2, 3, side, side)).shape == (2,)


# A step


def clipped(gradients):
    """Scaled down to a norm of 1, as torch.nn.utils.clip_grad_norm_ does."""
    norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
    return [g * min(1.0, 1 / (norm + 1e-6)) for g in gradients]


class Adam:
    """By its own equations."""

    def __init__(self, weights, rate):
        self.weights, self.rate, self.number = weights, rate, 0
        self.first, self.second = ([torch.zeros_like(w) for w in weights] for _ in range(2))

    def step(self, gradients):
        self.number += 1
        for place, (w, g) in enumerate(zip(self.weights, gradients, strict=True)):
            self.first[place] = 0.9 * self.first[place] + 0.1 * g
            self.second[place] = 0.999 * self.second[place] + 0.001 * g**2
            m, v = self.first[place] / (1 - 0.9**self.number), self.second[place] / (1 - 0.999**self.number)
            w.data -= self.rate * m / (v.sqrt() + 1e-8)


@pytest.mark.usefixtures("double")
def test_a_step_is_the_authors_iteration(data):
    """train_dava.py written out for two steps, with gradients by autograd.grad, from a capacity of its own."""
    method = made(data, gamma=300, capacity_step=0.02, adversarial_weight=0.4, decoder_weight=0.02, learning_rate=1e-3)
    method.networks.moves.fill_(7)
    plain, draws, expected_draws = deepcopy(method.networks), noise(2), noise(2)
    encoder, decoder = list(plain.vae.encoder.parameters()), list(plain.vae.decoder.parameters())
    critic = list(plain.discriminator.parameters())
    of_vae, of_critic = Adam([*encoder, *decoder], 1e-3), Adam(critic, 1e-4)
    optimisers, real = method.optimisers(), images(12).double()
    moves, accuracies = 7, []
    for step in (1, 2):
        mean, log_variance = plain.vae.encode(real)
        logits = plain.vae.logits(sample(mean, log_variance, expected_draws))
        p = logits.sigmoid()
        reconstruction = -(real * p.log() + (1 - real) * (1 - p).log()).sum((1, 2, 3)).mean()
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)
        loss = reconstruction + 300 * (kl.mean() - 0.02 * moves) ** 4  # per latent, as there
        gradient = clipped(torch.autograd.grad(loss, [*encoder, *decoder]))
        of_vae.step(gradient)
        z = sample(*plain.vae.encode(real), expected_draws)
        seen = plain.vae.logits(z).sigmoid()
        chosen = torch.randint(12, (12, 3), generator=expected_draws)
        apart = torch.stack([z.detach()[chosen[:, j], j] for j in range(3)], dim=1)
        mixed = plain.vae.logits(apart).sigmoid()
        judged = plain.discriminator(torch.cat([seen, mixed]).detach())
        smoothed = 0.6 * torch.rand(24, generator=expected_draws)
        targets = torch.cat([1 - smoothed[:12], smoothed[12:]])
        q = judged.sigmoid()
        wrong = -(targets * q.log() + (1 - targets) * (1 - q).log()).sum()
        right = (q[:12] >= 0.6).sum().item() + (q[12:] < 0.6).sum().item()
        of_critic.step(clipped(torch.autograd.grad(wrong, critic)))
        accuracy = right / 24
        accuracies.append(accuracy)
        excess = max((accuracy - 0.5) * 100, 0)
        plain.discriminator.eval()
        judged = plain.discriminator(torch.cat([seen, mixed])).sigmoid()
        plain.discriminator.train()
        deceive = -excess * 0.4 * (1 - judged[:12]).log().sum()
        imitate = -min(excess, 1) * 0.02 * judged[12:].log().sum()
        more = torch.autograd.grad(deceive, encoder, retain_graph=True)
        of_encoder = clipped([a + b for a, b in zip(gradient, more, strict=False)])
        of_decoder = torch.autograd.grad(imitate, decoder)
        of_vae.step([*of_encoder, *(a + b for a, b in zip(gradient[len(encoder) :], of_decoder, strict=True))])

        found = method.step(Batch(real, None), Context(step, 10, 120, draws, optimisers))
        assert found["capacity"].item() == pytest.approx(3 * 0.02 * moves)
        for name, value in {
            "loss": loss, "reconstruction": reconstruction, "kl": kl.sum(1).mean(), "discriminator_loss": wrong / 24,
        }.items():  # fmt: skip
            assert found[name].item() == pytest.approx(value.item(), rel=1e-6), name
        assert found["discriminator_accuracy"].item() == pytest.approx(accuracy)
        moves += 1 if accuracy <= 0.501 else -1 if accuracy > 0.51 else 0
        assert int(method.networks.moves) == moves
    assert max(accuracies) > 0.5  # so that encoder and decoder had an objective of their own
    for (name, value), other in zip(method.networks.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-7, atol=1e-7, msg=name)


def test_a_run_stopped_and_resumed_keeps_its_capacity(tmp_path):
    values = {"objective": "dava", "dataset": "digits", "network": "burgess", "latents": 3, "batch_size": 8,
              "steps": 8, "log_steps": 1, "preview_steps": 50, "capacity_step": 0.5, "threads": 1}  # fmt: skip
    config = RunConfig.parse(values)
    whole, stopped = (Run.create(tmp_path, config, name) for name in ("whole", "stopped"))
    list(train(whole))
    job = train(stopped)
    for event in job:
        if isinstance(event, Progress) and event.what == "Training" and event.done >= 5:
            job.send(Request.STOP)
            break
    list(job)
    list(train(Run.open(stopped.path)))
    found = []
    for run in (whole, stopped):
        with run.metrics_file.open() as file:
            found.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
    assert found[0] == found[1]
    rows = found[0]
    assert list(rows[0])[5:9] == ["capacity", "discriminator_accuracy", "discriminator_loss", "kl_0"]
    capacity = [float(row["capacity"]) for row in rows]
    accuracy = [float(row["discriminator_accuracy"]) for row in rows]
    for before, after, told in zip(capacity, capacity[1:], accuracy, strict=False):
        move = 1 if told <= 0.501 else 0 if told <= 0.51 else -1
        assert after == pytest.approx(max(0, before + 1.5 * move))
    weights = load_weights(whole.checkpoint_folder).tensors
    assert all(
        torch.equal(value, load_weights(stopped.checkpoint_folder).tensors[name]) for name, value in weights.items()
    )
    assert weights["moves"].dtype == torch.int64
