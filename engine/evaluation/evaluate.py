"""The evaluation of a run: a job that computes its metrics and keeps them in evaluation.json."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.checkpoints import checkpoint_step
from engine.data import Dataset, load_dataset, prepare
from engine.errors import CheckpointError, ConfigError
from engine.evaluation.divergence import ACTIVE_NATS, active_latents
from engine.evaluation.forward import ForwardPass, forward
from engine.evaluation.sharpness import PROTOCOL as SHARPNESS_PROTOCOL
from engine.events import Evaluated, Job, Progress
from engine.models.loading import load_model
from engine.runs import Run

IMAGES = 10_000
"""Images a metric is computed on: MNIST's whole test split; of larger splits a seeded sample."""

SEED = 0
METRICS: dict[str, str] = {
    "reconstruction": "Reconstruction loss",
    "reconstruction_mean": "Reconstruction loss, z = mean",
    "reconstruction_train": "Reconstruction loss, training images",
    "reconstruction_train_mean": "Reconstruction loss, training images, z = mean",
    "kl": "KL divergence",
    "elbo": "ELBO",
    "active_latents": "Active latents",
    "sharpness": "Sharpness",
    "sharpness_originals": "Sharpness of the originals",
    "sharpness_ratio": "Sharpness ratio",
}


def evaluate(run: Run, metrics: Sequence[str] | None = None) -> Job:
    """Compute a run's metrics (all by default), or take them from evaluation.json if its checkpoint is the same.

    Yields Progress, then one Evaluated. Raises ConfigError for unknown metrics, CheckpointError or DataError.
    """
    wanted = list(metrics or METRICS)
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        raise ConfigError(f"There is no metric {unknown[0]!r}. There are: {', '.join(METRICS)}.")
    step = checkpoint_step(run.checkpoint_folder)
    if step is None:
        raise CheckpointError(f"{run.name} has no weights yet: it was not trained up to its first checkpoint.")
    kept = run.evaluation()
    if kept.get("step") != step or not set(METRICS) <= set(kept.get("metrics") or {}):
        kept = yield from _compute(run)
        run.write_evaluation(kept)
    result = kept | {
        "run": str(run.path),
        "name": run.name,
        "metrics": {name: kept["metrics"][name] for name in wanted},
    }
    yield Evaluated(run.path, result)


def _compute(run: Run) -> Any:
    for event in prepare(*run.config.data):
        if isinstance(event, Progress):
            yield event
    dataset = load_dataset(*run.config.data)
    trained = load_model(run, dataset)
    split = dataset.headline_split
    what = f"Evaluating {run.name}"
    chosen = sample_of(dataset, split)
    passed = yield from forward(trained, chosen, SEED, f"{what}: {split} images", sharpness=True)
    results = _headline(passed, split)
    if "train" in dataset.splits:
        training = yield from forward(
            trained, sample_of(dataset, "train"), SEED, f"{what}: training images", sharpness=False
        )
        results |= _training(training)
    else:
        reason = f"{dataset.title} has no training split of its own: its numbers are over all images"
        results |= {
            name: {"value": None, "reason": reason} for name in ("reconstruction_train", "reconstruction_train_mean")
        }
    return {
        "run": str(run.path),
        "name": run.name,
        "step": trained.step,
        "metrics": {name: results[name] for name in METRICS},
        "kl_per_latent": [round(float(v), 6) for v in passed.kl.mean(0)],
    }


def sample_of(dataset: Dataset, split: str, limit: int = IMAGES) -> NDArray[np.int64]:
    """Positions of at most `limit` images of a split, drawn with a fixed seed, in order."""
    indices = np.asarray(dataset.splits[split], dtype=np.int64)
    if len(indices) <= limit:
        return indices
    return np.sort(np.random.default_rng(SEED).choice(indices, limit, replace=False))


BCE = "binary cross-entropy summed over pixels, mean over images"


def _headline(passed: ForwardPass, split: str) -> dict[str, Any]:
    kl = passed.kl.sum(1)
    sharp, originals = passed.sharpness, passed.sharpness_originals
    return {
        "reconstruction": _mean(passed.reconstruction, "nats", BCE, split, "sampled"),
        "reconstruction_mean": _mean(passed.reconstruction_mean, "nats", BCE, split, "mean"),
        "kl": _mean(kl, "nats", "KL of the posterior from N(0, 1), summed over latents, mean over images", split),
        "elbo": _mean(-passed.reconstruction - kl, "nats", "-(reconstruction + KL), one sample of z", split, "sampled"),
        "active_latents": _value(
            active_latents(passed.kl.mean(0)),
            "latents",
            f"latents with a mean KL above {ACTIVE_NATS} nats",
            split,
            len(kl),
        ),
        "sharpness": _mean(sharp, "grey levels²", SHARPNESS_PROTOCOL, split, "mean"),
        "sharpness_originals": _mean(originals, "grey levels²", SHARPNESS_PROTOCOL, split),
        "sharpness_ratio": _value(
            float(sharp.mean() / originals.mean()) if originals.mean() else None,
            "",
            "sharpness of reconstructions over that of the originals",
            split,
            len(sharp),
            "mean",
        ),
    }


def _training(passed: ForwardPass) -> dict[str, Any]:
    return {
        "reconstruction_train": _mean(passed.reconstruction, "nats", BCE, "train", "sampled"),
        "reconstruction_train_mean": _mean(passed.reconstruction_mean, "nats", BCE, "train", "mean"),
    }


def _mean(values: NDArray[np.float64], unit: str, name: str, split: str, z: str | None = None) -> dict[str, Any]:
    """A mean over images with its 95 % interval (normal approximation of the mean)."""
    mean = float(values.mean())
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return _value(mean, unit, name, split, len(values), z) | {"interval": [mean - half, mean + half]}


def _value(value: float | None, unit: str, name: str, split: str, n: int, z: str | None = None) -> dict[str, Any]:
    protocol: dict[str, Any] = {"name": name, "split": split, "n": n, "seed": SEED}
    if z:
        protocol["z"] = z
    return {"value": value, "unit": unit, "protocol": protocol}
