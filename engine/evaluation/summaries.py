"""What one pass over images says, as entries of evaluation.json: losses, KL, sharpness, correlations of latents."""

import numpy as np

from engine.evaluation.correlation import (
    MEAN_CORRELATION,
    TOTAL_CORRELATION,
    mean_correlation,
    total_correlation,
    varying,
)
from engine.evaluation.forward import ForwardPass
from engine.evaluation.results import Results, entry, mean_entry, missing
from engine.evaluation.sharpness import PROTOCOL as SHARPNESS_PROTOCOL
from engine.runs.divergence import ACTIVE_NATS, active_latents

BCE = "binary cross-entropy summed over pixels, mean over images"


def headline_results(passed: ForwardPass, split: str, of: int) -> Results:
    """Reconstruction, KL, ELBO, active latents and sharpness over images from a split of `of`."""
    kl = passed.kl.sum(1)
    sharp, originals = passed.sharpness, passed.sharpness_originals
    name = "sharpness of reconstructions over that of the originals"
    return {
        "reconstruction": mean_entry(passed.reconstruction, "nats", BCE, split, of, "sampled"),
        "reconstruction_mean": mean_entry(passed.reconstruction_mean, "nats", BCE, split, of, "mean"),
        "kl": mean_entry(
            kl, "nats", "KL of the posterior from N(0, 1), summed over latents, mean over images", split, of
        ),
        "elbo": mean_entry(
            -passed.reconstruction - kl, "nats", "-(reconstruction + KL), one sample of z", split, of, "sampled"
        ),
        "active_latents": entry(
            active_latents(passed.kl.mean(0)),
            "latents",
            f"latents with a mean KL above {ACTIVE_NATS} nats",
            split,
            len(kl),
            of,
        ),
        "sharpness": mean_entry(sharp, "grey levels²", SHARPNESS_PROTOCOL, split, of, "mean"),
        "sharpness_originals": mean_entry(originals, "grey levels²", SHARPNESS_PROTOCOL, split, of),
        "sharpness_ratio": entry(float(sharp.mean() / originals.mean()), "", name, split, len(sharp), of, z="mean")
        if originals.mean()
        else missing("the originals have no edges"),
    }


def training_results(passed: ForwardPass, of: int) -> Results:
    """Reconstruction over images from a training split of `of`."""
    return {
        "reconstruction_train": mean_entry(passed.reconstruction, "nats", BCE, "train", of, "sampled"),
        "reconstruction_train_mean": mean_entry(passed.reconstruction_mean, "nats", BCE, "train", of, "mean"),
    }


def correlation_results(passed: ForwardPass, split: str, of: int) -> Results:
    """Total and mean correlation of posterior means over images from a split of `of`, or why there are none."""
    images, latents = passed.means.shape
    if images <= latents:
        reason = f"{images:,} {split} images are too few to tell how {latents} latents correlate"
        return {"total_correlation": missing(reason), "mean_correlation": missing(reason)}
    codes = varying(passed.means)
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
