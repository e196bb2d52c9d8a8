"""Two epochs of training, recomputed in a few lines from the data files and the papers' formulas.

Kingma & Welling 2014 (the terms of the objective), Burgess et al. 2018 (C), Chen et al. 2018 (the total correlation),
Kingma & Ba 2015 (Adam, algorithm 1). Only the network and its initial weights, which have tests of their own, come from
the application.
"""

import csv
import gzip
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import logsigmoid

from engine.data import load_dataset
from engine.methods.building import build
from engine.runs.checkpoints import load_weights
from engine.runs.previews import list_previews, load_preview
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.trainer import train

IMAGES, BATCH, EPOCH, STEPS, LOG = 373, 65, 6, 12, 5  # 5 batches of 65 and one of 48
C_MAX, C_EPOCHS, GAMMA, BETA = 3.0, 1.5, 20.0, 6.0
SEED, LATENTS = 3, 4
CASES = [
    ("vae", False, 5e-4),
    ("vae", True, 2e-3),
    ("beta-vae", False, 1e-3),
    ("annealed-abs", False, 5e-4),
    ("annealed-relu", True, 5e-4),
    ("beta-tcvae", False, 5e-4),
]


def read(folder, name):
    """Read an IDX file, whose header ends with the shape."""
    content = (folder / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    shape = np.frombuffer(content, ">u4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def loss_of(objective, reconstruction, kl, z, mean, log_variance, c):
    if objective == "vae":
        return reconstruction + kl
    if objective == "beta-vae":
        return reconstruction + BETA * kl
    if objective == "annealed-abs":
        return reconstruction + GAMMA * torch.abs(kl - c)
    if objective == "annealed-relu":
        return reconstruction + GAMMA * torch.clamp(kl - c, min=0)
    joint, product = [], []
    for i in range(len(z)):
        each = torch.distributions.Normal(mean, torch.exp(log_variance / 2)).log_prob(z[i])
        others = math.log((IMAGES - 1) / (IMAGES * (len(z) - 1)))
        weight = torch.tensor([-math.log(IMAGES) if j == i else others for j in range(len(z))])
        joint.append(torch.logsumexp(weight + each.sum(1), 0))
        product.append(torch.logsumexp(weight[:, None] + each, 0).sum())
    return reconstruction + kl + (BETA - 1) * (torch.stack(joint) - torch.stack(product)).mean()


def computed(run, folder, objective, conditional, rate):
    """Rows (loss, reconstruction, KL, C, KL of each latent), and how far each step's weights are from those computed.

    Each step is computed from the run's weights before it, so that rounding differences do not accumulate.
    """
    images = torch.tensor(read(folder, "train-images-idx3-ubyte.gz") / 255.0, dtype=torch.float32)[:, None]
    labels = torch.tensor(read(folder, "train-labels-idx1-ubyte.gz").astype(np.int64))
    model = build(run.config, load_dataset("mnist", folder)).networks
    noise = torch.Generator().manual_seed(SEED)
    parameters = dict(model.named_parameters())
    first = {name: torch.zeros_like(p) for name, p in parameters.items()}
    second = {name: torch.zeros_like(p) for name, p in parameters.items()}
    each_step, off = [], []
    for step in range(1, STEPS + 1):
        epoch, position = divmod(step - 1, EPOCH)
        order = np.random.default_rng((SEED, epoch)).permutation(IMAGES)[position * BATCH :][:BATCH]
        x = images[order]
        mean, log_variance = model.encode(x)
        z = mean + torch.exp(log_variance / 2) * torch.empty(len(x), LATENTS).normal_(generator=noise)
        code = torch.cat([z, torch.eye(10)[labels[order]]], 1) if conditional else z
        logits, x = model.decoder(code).double(), x.double()
        reconstruction = -(x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum((1, 2, 3)).mean()
        each = -0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).mean(0)
        kl, c = each.sum(), C_MAX * min(1, step / (C_EPOCHS * EPOCH))
        loss = loss_of(objective, reconstruction, kl, z, mean, log_variance, c)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        found = load_weights(run.checkpoint_folder, step).tensors
        for (name, parameter), g in zip(parameters.items(), gradients, strict=True):
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g * g
            unbiased = first[name] / (1 - 0.9**step), second[name] / (1 - 0.999**step)
            expected = parameter.detach() - rate * unbiased[0] / (torch.sqrt(unbiased[1]) + 1e-8)
            off.append(((expected - found[name]).abs() / rate).flatten())
        c = c if objective.startswith("annealed") else float("nan")
        each_step.append([loss.item(), reconstruction.item(), kl.item(), c, *each.tolist()])
        model.load_state_dict(found)
    ends = [*range(LOG, STEPS + 1, LOG), STEPS]
    starts = [0, *ends[:-1]]
    rows = np.array([np.mean(each_step[a:b], axis=0) for a, b in zip(starts, ends, strict=True)])
    return rows, torch.cat(off), model.eval()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{'conditional' if case[1] else 'plain'}")
def both(request, tmp_path_factory, few_digits):
    """A run, and the same computed here."""
    objective, conditional, rate = request.param
    config = RunConfig(
        dataset="mnist",
        data_folder=few_digits,
        network="burgess",
        objective=objective,
        conditional=conditional,
        learning_rate=rate,
        batch_size=BATCH,
        latents=LATENTS,
        beta=BETA,
        gamma=GAMMA,
        capacity_max=C_MAX,
        capacity_epochs=C_EPOCHS,
        epochs=2,
        seed=SEED,
        log_steps=LOG,
        preview_steps=LOG,
        keep_steps=tuple(range(1, STEPS + 1)),
        device="cpu",
    )
    run = Run.create(tmp_path_factory.mktemp("reference"), config)
    list(train(run))
    rows, off, model = computed(run, few_digits, objective, conditional, rate)
    return run, rows, off, model


def test_every_value_of_every_row_agrees_with_the_recomputation(both):
    run, expected, *_ = both
    with run.metrics_file.open() as file:
        rows = list(csv.DictReader(file))
    names = ["loss", "reconstruction", "kl", "capacity", *(f"kl_{latent}" for latent in range(LATENTS))]
    found = np.array([[float(row[name] or "nan") for name in names] for row in rows])
    assert [int(row["step"]) for row in rows] == [*range(LOG, STEPS + 1, LOG), STEPS]
    assert [float(row["epoch"]) for row in rows] == pytest.approx([int(row["step"]) / EPOCH for row in rows])
    np.testing.assert_allclose(found[:, :2], expected[:, :2], rtol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_update_of_the_weights_agrees_with_adam(both):
    """In units of the learning rate. Where a gradient is pure rounding error, Adam's step may have either sign."""
    *_, off, _ = both
    assert float(off.mean()) < 0.01
    assert float((off > 0.05).float().mean()) < 0.02


@torch.no_grad()
def test_held_out_values_agree_with_the_test_images(both, few_digits):
    """KL involves no noise; the reconstruction loss is within the spread over other draws of the noise."""
    run, *_, model = both
    images = torch.tensor(read(few_digits, "t10k-images-idx3-ubyte") / 255.0, dtype=torch.float32)[:, None]
    labels = torch.tensor(read(few_digits, "t10k-labels-idx1-ubyte").astype(np.int64))
    mean, log_variance = model.encode(images)
    kl = -0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).sum(1).mean()
    draws = []
    for _ in range(20):
        z = mean + torch.exp(log_variance / 2) * torch.randn(
            mean.shape, generator=torch.Generator().manual_seed(len(draws))
        )
        p = model.decode(z, labels if run.config.conditional else None)
        draws.append(float(-(images * p.log() + (1 - images) * (1 - p).log()).nan_to_num().sum((1, 2, 3)).mean()))
    with run.held_out_file.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, LOG, 2 * LOG, STEPS]
    assert float(rows[-1]["kl"]) == pytest.approx(float(kl), rel=1e-4)
    assert abs(float(rows[-1]["reconstruction"]) - np.mean(draws)) < 6 * np.std(draws) + 0.01 * np.mean(draws)
    assert float(rows[-1]["epoch"]) == 2.0


@torch.no_grad()
def test_previews_agree_with_the_model(both, few_digits):
    """The last picture: reconstructions through the posterior mean, each latent from -3 to 3 from the first image."""
    run, rows, _, model = both
    preview = load_preview(list_previews(run.previews_folder)[-1])
    images = read(few_digits, "t10k-images-idx3-ubyte")
    labels = read(few_digits, "t10k-labels-idx1-ubyte").astype(np.int64)
    which = [int(np.flatnonzero((images == original[..., 0]).all((1, 2)))[0]) for original in preview.originals]
    given = torch.tensor(labels[which]) if run.config.conditional else None
    mean, _ = model.encode(torch.tensor(images[which] / 255.0, dtype=torch.float32)[:, None])
    assert close(preview.reconstructions, model.decode(mean, given))
    assert preview.latents == tuple(range(LATENTS))
    np.testing.assert_allclose(preview.kl_per_latent, rows[-1][4:], rtol=1e-4, atol=1e-4)
    for row, latent in zip(preview.traversal, preview.latents, strict=True):
        z = mean[:1].repeat(8, 1)
        z[:, latent] = torch.linspace(-3, 3, 8)
        assert close(row, model.decode(z, None if given is None else given[:1].repeat(8)))
    with Image.open(list_previews(run.previews_folder)[-1]) as picture:
        assert picture.size == (8 * 28, (2 + LATENTS) * 28)


def close(pictures, probabilities):
    """Whether uint8 pictures are these probabilities, rounded."""
    expected = 255 * probabilities.movedim(1, -1).numpy()
    return np.abs(pictures - expected).max() < 0.6
