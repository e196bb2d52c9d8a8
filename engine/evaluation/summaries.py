"""Entries of evaluation.json from one forward pass: losses, KL, sharpness, correlations of latents."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.category_error import MAJORITY, ONE_TO_ONE, contingency, majority_error, one_to_one_error
from engine.evaluation.correlation import (
    MEAN_CORRELATION,
    TOTAL_CORRELATION,
    mean_correlation,
    total_correlation,
    varying,
)
from engine.evaluation.forward import ForwardPass
from engine.evaluation.intervals import wilson
from engine.evaluation.results import Results, entry, mean_entry, missing
from engine.evaluation.sharpness import PROTOCOL as SHARPNESS
from engine.methods.latents import Latent, priors_words
from engine.runs.divergence import ACTIVE_NATS, active_latents

BCE = "binary cross-entropy summed over pixels, mean over images"
UNIT = "grey levels²"


def headline_results(passed: ForwardPass, kinds: Sequence[Latent], split: str, of: int) -> Results:
    """Return reconstruction, KL, ELBO, active latents and sharpness of images from a split of `of`, where available."""
    found: Results = {"sharpness_originals": missing("its images are not known, only their codes")}
    if len(passed.sharpness_originals):
        found["sharpness_originals"] = mean_entry(passed.sharpness_originals, UNIT, SHARPNESS, split, of)
    if len(passed.reconstruction):
        found |= _reconstruction_results(passed, split, of)
    if len(passed.kl):
        found |= _kl_results(passed.kl, kinds, split, of)
    if len(passed.reconstruction) and len(passed.kl):
        bound = -passed.reconstruction - passed.kl.sum(1)
        name = "-(reconstruction + KL), one sample of z"
        found["elbo"] = mean_entry(bound, "nats", name, split, of, "sampled")
    return found


def _reconstruction_results(passed: ForwardPass, split: str, of: int) -> Results:
    sharp, originals = passed.sharpness, passed.sharpness_originals
    name = "sharpness of reconstructions over that of the originals"
    return {
        "reconstruction": mean_entry(passed.reconstruction, "nats", BCE, split, of, "sampled"),
        "reconstruction_mean": mean_entry(passed.reconstruction_mean, "nats", BCE, split, of, "mean"),
        "sharpness": mean_entry(sharp, UNIT, SHARPNESS, split, of, "mean"),
        "sharpness_ratio": entry(float(sharp.mean() / originals.mean()), "", name, split, len(sharp), of, z="mean")
        if originals.mean()
        else missing("the originals have no edges"),
    }


def _kl_results(kl: NDArray[np.float64], kinds: Sequence[Latent], split: str, of: int) -> Results:
    """KL and active latents, from the KL of each image and latent, (n, latents)."""
    name = f"KL of the posterior from {priors_words(kinds)}, summed over latents, mean over images"
    active = f"latents with a mean KL above {ACTIVE_NATS} nats"
    return {
        "kl": mean_entry(kl.sum(1), "nats", name, split, of),
        "active_latents": entry(active_latents(kl.mean(0)), "latents", active, split, len(kl), of),
    }


def category_results(categories: NDArray[np.int64], labels: NDArray[np.int64], split: str, of: int) -> Results:
    """Return the category errors of images from a split of `of`; categories and labels are (n,), integers from 0."""
    counts, n = contingency(categories, labels), len(labels)
    errors = {
        "category_error": (majority_error(counts), MAJORITY),
        "category_error_matched": (one_to_one_error(counts), ONE_TO_ONE),
    }
    return {
        metric: entry(100 * error, "%", name, split, n, of, interval=[100 * end for end in wilson(error, n)])
        for metric, (error, name) in errors.items()
    }


def training_results(passed: ForwardPass, of: int) -> Results:
    """Return the reconstruction losses of images from a training split of `of`."""
    return {
        "reconstruction_train": mean_entry(passed.reconstruction, "nats", BCE, "train", of, "sampled"),
        "reconstruction_train_mean": mean_entry(passed.reconstruction_mean, "nats", BCE, "train", of, "mean"),
    }


def correlation_results(means: NDArray[np.float64], split: str, of: int) -> Results:
    """Return total and mean correlation of posterior means (n, latents) of images from a split of `of`, or reasons.

    Categorical latents must be left out, since the number of a category is not a quantity.
    """
    images, latents = means.shape
    if images <= latents:
        reason = f"{images:,} {split} images are too few to estimate the correlation of {latents} latents"
        return {"total_correlation": missing(reason), "mean_correlation": missing(reason)}
    codes = varying(means)
    if codes.shape[1] < 2:
        reason = "fewer than two latents vary over the images: there is nothing to correlate"
        return {"total_correlation": missing(reason), "mean_correlation": missing(reason)}
    total, mean = total_correlation(codes), mean_correlation(codes)
    return {
        "total_correlation": entry(
            total, "nats", TOTAL_CORRELATION, split, images, of, z="mean", latents=codes.shape[1]
        )
        if np.isfinite(total)
        else missing("two latents or more are linearly dependent: the total correlation is infinite"),
        "mean_correlation": entry(mean, "", MEAN_CORRELATION, split, images, of, z="mean", latents=codes.shape[1]),
    }
