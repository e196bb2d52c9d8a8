"""Runs of latents that are ordered categories or codes, wherever runs are shown and evaluated."""

import csv
import math

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.evaluate import evaluate
from engine.evaluation.reasons import known_reason
from engine.export.summary import traversal_caption
from engine.export.traversal import save_latents
from engine.methods.registry import METHODS
from engine.runs.previews import list_previews, load_preview
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig
from engine.studies.methods_text import methods_text
from engine.training.trainer import train
from engine.traversal import encode, latent_kl, path, start_from_image, start_from_prior, traverse_from, ways

SETTINGS = {"dataset": "digits", "batch_size": 32, "steps": 4, "log_steps": 2, "preview_steps": 4, "latents": 3,
            "network": "burgess", "threads": 1}  # fmt: skip

METRICS = ("reconstruction", "reconstruction_mean", "elbo", "kl", "active_latents", "total_correlation",
           "mean_correlation", "category_error")  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits):
    folder, found = tmp_path_factory.mktemp("discrete"), {}
    for name in ("d-vae", "qlae"):
        run = Run.create(folder, RunConfig.parse(SETTINGS | {"objective": name}), name)
        list(train(run))
        found[name] = load_model(run, digits)
    return found


def metrics_of(trained):
    *_, last = evaluate(trained.run, METRICS)
    return last.result["metrics"]


def test_kl_of_categories_is_from_the_uniform_prior_and_active_latents_follow(trained, digits):
    model = trained["d-vae"]
    metrics = metrics_of(model)
    with torch.no_grad():
        images = torch.tensor(digits.images(digits.splits["test"])[..., 0] / 255, dtype=torch.float32)[:, None]
        outputs = model.model.vae.outputs_of(images).double().numpy().reshape(-1, 3, 64)
    p = np.exp(outputs - outputs.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    kl = (p * np.log(64 * p)).sum(-1)  # by the definition
    assert metrics["kl"]["value"] == pytest.approx(kl.sum(1).mean(), rel=1e-3)
    assert metrics["kl"]["protocol"]["name"].startswith("KL of the posterior from one of 64 categories from −1 to 1, ")
    assert metrics["active_latents"]["value"] == (kl.mean(0) > 0.1).sum()
    assert metrics["elbo"]["value"] == pytest.approx(-metrics["reconstruction"]["value"] - metrics["kl"]["value"])
    np.testing.assert_allclose(latent_kl(model).values, kl.mean(0), rtol=1e-3, atol=1e-5)
    assert metrics["total_correlation"]["protocol"]["latents"] == 3
    assert metrics["category_error"] == {"value": None, "reason": "D-VAE has no categorical code"}


def test_a_method_without_kl_has_a_dash_with_its_reason_and_the_codes_are_quantities(trained):
    metrics = metrics_of(trained["qlae"])
    for name in ("kl", "elbo", "active_latents"):
        assert metrics[name] == {"value": None, "reason": METHODS["qlae"].lacks["kl"]}
        assert known_reason(trained["qlae"].run.config, name) == METHODS["qlae"].lacks["kl"]
    assert metrics["reconstruction"]["value"] == metrics["reconstruction_mean"]["value"] > 0  # nothing is drawn
    assert "value" in metrics["mean_correlation"]
    assert metrics["category_error"]["reason"] == "QLAE has no categorical code"
    with trained["qlae"].run.held_out_file.open() as file:
        assert all(float(row["reconstruction"]) > 0 and row["kl"] == "" for row in csv.DictReader(file))


def test_the_curves_have_the_terms_and_the_noise_of_each_step(trained):
    with trained["d-vae"].run.metrics_file.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[7:] == ["perplexity", "straight_through_gap", "noise_scale", "kl_0", "kl_1", "kl_2"]
    noise = [1.25 - 0.75 * math.cos(math.pi * step / 4) for step in (1, 2, 3, 4)]
    assert [float(row["noise_scale"]) for row in rows] == pytest.approx([np.mean(noise[:2]), np.mean(noise[2:])])


def test_traversals_and_pictures_go_through_the_categories_and_the_codes(trained):
    for name, steps, columns in (("d-vae", 11, 8), ("qlae", 10, 10)):
        model = trained[name]
        kl = latent_kl(model).values
        start = start_from_image(model, 5)
        grid = traverse_from(model, start, [0, 2], kl)
        assert grid.images.shape[:2] == (2, steps)
        z = torch.tensor(start.mean, dtype=torch.float32).repeat(steps, 1)
        z[:, 2] = torch.tensor(grid.values[1])
        with torch.no_grad():
            expected = model.model.decode(z)[:, 0].numpy() * 255
        assert np.abs(grid.images[1, ..., 0] - expected).max() <= 0.51
        [preview] = [load_preview(file) for file in list_previews(model.run.previews_folder)][-1:]
        assert preview.traversal.shape[:2] == (3, columns)
    grid = traverse_from(trained["qlae"], start, [0, 2], kl, (-3, 3), 4)
    assert grid.values == (tuple(range(10)),) * 2
    assert grid.columns == tuple(range(10))
    assert grid.note(0) == "0 to 9"
    assert "over its 10 codes" in traversal_caption(trained["qlae"].run, "image 5", grid, {})


def test_a_walk_between_codes_stops_at_codes_and_samples_say_that_there_is_no_prior(trained):
    model = trained["qlae"]
    assert ways(model.model.kinds) == (False,)
    a, b = start_from_image(model, 5), start_from_prior(model, 3)
    assert (start_from_prior(model).mean == 4).all()
    assert b.words == "random codes, draw 3"
    points = path(model, a, b, 7, spherical=False)
    np.testing.assert_array_equal(points, np.rint(np.linspace(a.mean, b.mean, 7)))
    places = np.linspace(-1, 1, 64)
    drawn = start_from_prior(trained["d-vae"], 3)
    assert drawn.words == "the prior, draw 3"
    assert np.abs(drawn.mean[:, None] - places).min(1) == pytest.approx(0)


def test_the_posterior_of_an_image_and_the_exported_latents_are_what_the_method_says(trained, digits, tmp_path):
    found = encode(trained["qlae"], digits.images(np.arange(4)))
    assert (found.mean == np.rint(found.mean)).all()
    assert not found.log_variance.any()
    list(save_latents(trained["d-vae"].run, tmp_path / "z.npz"))
    with np.load(tmp_path / "z.npz") as arrays:
        found = encode(trained["d-vae"], digits.images(np.arange(4)))
        np.testing.assert_allclose(arrays["means"][:4], found.mean, atol=1e-4)
        np.testing.assert_allclose(arrays["log_variances"][:4], found.log_variance, atol=1e-3)
        assert np.abs(arrays["means"]).max() <= 1


def test_a_methods_section_says_what_the_encoder_outputs_and_how_it_is_trained(trained):
    text = methods_text([trained["d-vae"].run])
    assert "it outputs logits of 64 categories for each of 3 latents" in text
    assert "Noise rose along half a cosine from 0.5 to 2 over 100 % of the run" in text
    text = methods_text([trained["qlae"].run])
    assert "it outputs 3 numbers, each rounded to the nearest of 10 learned ones" in text
    assert "AdamW with a learning rate of 0.0005 and a weight decay of 0.1 for all but biases and codes" in text
