"""Sweeps of factors through codes that are known, and rank correlations against their closed form."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.data import ArrayStore, Dataset, Factors
from engine.errors import DataError
from engine.evaluation.sweeps import CANDIDATES, STARTS, correlation, find_sweeps
from engine.jobs.events import Progress
from engine.methods.base import Posterior
from engine.methods.latents import Latent
from engine.runs.trained import TrainedModel

SIZES = (3, 7, 5)
CLASSES = np.stack([a.ravel() for a in np.indices(SIZES)], axis=1)


def dataset(kept=None):
    """Images whose first pixels are their classes, of a full grid or of some of it."""
    there = np.arange(len(CLASSES)) if kept is None else kept
    images = np.zeros((len(there), 32, 32, 1), np.uint8)
    images[:, 0, :3, 0] = CLASSES[there]
    values = (np.arange(3.0), np.linspace(0.5, 2, 7), np.arange(5.0))
    table = None if kept is None else CLASSES[kept]
    factors = Factors(("shape", "scale", "x"), values, {"shape": ("square", "ellipse", "heart")}, table)
    split = {"all": np.arange(len(there))}
    return Dataset("arrays", "Known", ArrayStore(images), (32, 32, 1), split, "drawn", factors=factors)


class Known:
    """Codes of an image that are functions of its classes: shape and x, -scale², (x - 2)², a little of x, nothing.

    The first moves furthest along x, but the third moves with nothing else.
    """

    step, run = 7, SimpleNamespace(name="known")

    def __init__(self, dataset, categories=0):
        self.dataset = dataset
        kinds = (Latent.categorical(3),) * categories + (Latent.gaussian(),) * (5 - categories)
        self.model = SimpleNamespace(latents=5, kinds=kinds)

    def fused(self):
        return self

    def posterior_of(self, positions):
        return self.encode(self.dataset.images(positions))

    def encode(self, images):
        shape, scale, x = torch.from_numpy(images[:, 0, :3, 0].astype(np.float32)).T
        mean = torch.stack([5 * shape + 2.5 * x, -(scale**2), (x - 2) ** 2, 0.01 * x, 0 * x], dim=1)
        return Posterior(mean, torch.zeros_like(mean))


def finish(job):
    events = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as end:
            return events, end.value


def test_each_factor_is_shown_with_the_latent_that_moves_most_along_it():
    events, found = finish(find_sweeps(Known(dataset())))
    assert found.step == 7
    assert [(sweep.factor, sweep.latent) for sweep in found.sweeps] == [("shape", 0), ("scale", 1), ("x", 2)]
    shape, scale, x = found.sweeps
    assert [len(sweep.means) for sweep in found.sweeps] == [STARTS] * 3
    np.testing.assert_array_equal(scale.means, np.tile(-(np.arange(7.0) ** 2), (STARTS, 1)))
    np.testing.assert_array_equal(x.means, np.tile((np.arange(5.0) - 2) ** 2, (STARTS, 1)))
    np.testing.assert_allclose(np.diff(shape.means), 5, atol=1e-6)  # x is constant along a sweep
    np.testing.assert_array_equal(scale.places, np.linspace(0.5, 2, 7))
    assert (shape.names, list(shape.places)) == (("square", "ellipse", "heart"), [0, 1, 2])
    # Names have no order; -scale² only falls; (x - 2)² is symmetric.
    assert (shape.correlation, scale.correlation, x.correlation) == (None, pytest.approx(1), pytest.approx(0))
    assert (shape.heading, scale.heading) == ("shape", "scale · |ρ| = 1.00")
    assert found.note == ""
    assert isinstance(events[-1], Progress)


def test_the_rank_correlation_is_spearmans_formula_where_no_ranks_are_tied():
    rng = np.random.default_rng(0)
    values, means = np.sort(rng.random(20)), rng.random((8, 20))
    differences = means.argsort(1).argsort(1) - np.arange(20)
    closed_form = 1 - 6 * (differences**2).sum(1) / (20 * (20**2 - 1))
    assert correlation(values, means) == pytest.approx(np.abs(closed_form).mean())
    gaps = means.copy()
    gaps[:, 5:] = np.nan
    assert correlation(values, gaps) == pytest.approx(correlation(values[:5], means[:, :5]))
    assert correlation(values, np.ones((2, 20))) == 0
    assert correlation(values[:2], means[:, :2]) is None


def test_in_a_grid_with_holes_only_images_that_are_there_are_swept():
    kept = np.random.default_rng(1).permutation(105)[:60]
    _, found = finish(find_sweeps(Known(dataset(kept))))
    scale = found.sweeps[1]
    assert np.isnan(scale.means).any()
    there = np.isfinite(scale.means)
    assert (there.sum(1) >= 2).all()
    np.testing.assert_array_equal(scale.means[there], np.tile(-(np.arange(7.0) ** 2), (len(there), 1))[there])


def test_a_factor_that_never_varies_alone_is_left_out_and_named():
    kept = np.flatnonzero(CLASSES[:, 1] == CLASSES[:, 2])  # scale and x are always the same
    _, found = finish(find_sweeps(Known(dataset(kept))))
    assert [sweep.factor for sweep in found.sweeps] == ["shape"]
    assert found.note == "No images differ in scale or x only."
    diagonal = kept[CLASSES[kept, 0] == 0]
    with pytest.raises(DataError, match="Known has no images that differ in one factor only"):
        finish(find_sweeps(Known(dataset(diagonal))))
    assert len(CLASSES) <= CANDIDATES


def test_categories_and_inactive_latents_are_not_shown():
    _, found = finish(find_sweeps(Known(dataset(), categories=1)))
    assert {sweep.latent for sweep in found.sweeps} <= {1, 2}  # 3 and 4 hardly vary
    with pytest.raises(DataError, match="known has no active latent whose values are quantities"):
        finish(find_sweeps(Known(dataset(), categories=5)))


def test_data_without_factors_are_refused_with_a_sentence(trained):
    assert isinstance(trained, TrainedModel)
    with pytest.raises(DataError, match=r"MNIST has no ground-truth factors\."):
        finish(find_sweeps(trained))
