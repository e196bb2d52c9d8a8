"""The evaluation of a run: a job that computes its metrics and keeps them in evaluation.json."""

import hashlib
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.checkpoints import checkpoint_step
from engine.data import Dataset, load_dataset, prepare
from engine.errors import CheckpointError, ConfigError
from engine.evaluation.catalogue import IMAGES, METRICS, VERSION
from engine.evaluation.forward import forward
from engine.evaluation.ground_truth import SCORES, GroundTruth
from engine.evaluation.reasons import no_training_split
from engine.evaluation.results import SEED, missing, too_narrow
from engine.evaluation.summaries import correlation_results, headline_results, training_results
from engine.events import Evaluated, Event, Job, Progress, Request
from engine.kept import MOST_WEIGHTS, WEIGHTS
from engine.models.loading import TrainedModel, load_model
from engine.processes import Children
from engine.reading import DamagedError, read_limited, reason_of
from engine.runs import Run

TRAINING = ("reconstruction_train", "reconstruction_train_mean")
GROUND_TRUTH = tuple(name for names in SCORES for name in names)
HEADLINE = tuple(name for name in METRICS if name not in TRAINING and name not in GROUND_TRUTH)
WITHOUT_FACTORS = tuple(name for name in METRICS if name not in GROUND_TRUTH)
"""Metrics that need no ground-truth factors; seconds each."""

Computing = Generator[Event, Request | None, dict[str, Any]]


def evaluate(run: Run, metrics: Sequence[str] | None = None) -> Job:
    """Compute a run's metrics (all by default), or take them from evaluation.json if its checkpoint is the same.

    Metrics that are not there yet are added to those that are, and kept as soon as each is known. Yields Progress, then
    one Evaluated. Raises ConfigError for unknown metrics, CheckpointError, DataError or RunError.
    """
    wanted = list(dict.fromkeys(metrics or METRICS))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        raise ConfigError(f"There is no metric {unknown[0]!r}. There are: {', '.join(METRICS)}.")
    if checkpoint_step(run.checkpoint_folder) is None:
        raise CheckpointError(f"{run.name} has no weights yet: it was not trained up to its first checkpoint.")
    kept = _kept(run, _key(run))
    lacking = [name for name in wanted if _lacks(kept["metrics"], name)]
    if lacking:
        kept = yield from _compute(run, lacking)
    result = kept | {
        "run": str(run.path),
        "name": run.name,
        "metrics": {name: kept["metrics"][name] for name in wanted},
    }
    yield Evaluated(run.path, result)


def _lacks(metrics: dict[str, Any], name: str) -> bool:
    """Whether a metric is to be computed: it is not there, or its interval is wrong."""
    entry = metrics.get(name)
    return entry is None or (isinstance(entry, dict) and too_narrow(name, entry))


def kept_kl(trained: TrainedModel) -> NDArray[np.float64] | None:
    """Mean KL of each latent, (latents,), as an evaluation of these weights found it; None without one."""
    try:
        kept = _kept(trained.run, _key(trained.run))
    except CheckpointError:  # these weights may be kept ones, and the newest gone
        return None
    found = kept.get("kl_per_latent")
    if kept.get("step") != trained.step or not isinstance(found, list) or len(found) != trained.model.latents:
        return None
    return np.array(found, np.float64) if all(isinstance(value, int | float) for value in found) else None


def _key(run: Run) -> str:
    """What kept metrics belong to: these weights, computed this way."""
    try:
        weights = read_limited(run.checkpoint_folder / WEIGHTS, MOST_WEIGHTS)
    except (OSError, DamagedError) as error:
        raise CheckpointError(f"The file of the weights of {run.name} {reason_of(error)}.") from None
    return f"{VERSION}-{hashlib.sha256(weights).hexdigest()[:16]}"


def _kept(run: Run, key: str) -> dict[str, Any]:
    """What evaluation.json holds for these weights, its metrics a dict, empty when there are none."""
    kept = run.evaluation()
    if kept.get("checkpoint") == key:
        return kept
    return {"metrics": {}}


def _compute(run: Run, lacking: Sequence[str]) -> Computing:
    for event in prepare(*run.config.data):
        if isinstance(event, Progress):
            yield event
    dataset = load_dataset(*run.data)
    key, trained = _load(run, dataset)
    what = f"Evaluating {run.name}"
    kept = _kept(run, key)
    with Children(torch.get_num_threads()) as children:
        truth = GroundTruth(trained, children, what)
        if set(lacking) & set(HEADLINE):
            kept = _keep(trained, key, (yield from _compute_headline(trained, what)))
        if set(lacking) & set(TRAINING):
            kept = _keep(trained, key, (yield from _compute_training(trained, what)))
        for names in SCORES:
            if set(lacking) & set(names):
                kept = _keep(trained, key, {"metrics": (yield from truth.compute(names))})
    return kept


def _load(run: Run, dataset: Dataset) -> tuple[str, TrainedModel]:
    """The model and the key of its weights, also while a training run replaces them."""
    while True:
        key = _key(run)
        trained = load_model(run, dataset)
        if key == _key(run):
            return key, trained


def _keep(trained: TrainedModel, key: str, new: dict[str, Any]) -> dict[str, Any]:
    """Add to evaluation.json, and return what it holds now."""
    run = trained.run
    before = _kept(run, key)
    metrics = before["metrics"] | new["metrics"]
    about = {"run": str(run.path), "name": run.name, "step": trained.step, "checkpoint": key}
    kept = before | new | about | {"metrics": {name: metrics[name] for name in METRICS if name in metrics}}
    run.write_evaluation(kept)
    return kept


def _compute_headline(trained: TrainedModel, what: str) -> Computing:
    split = trained.dataset.headline_split
    of = len(trained.dataset.splits[split])
    passed = yield from forward(
        trained, sample_of(trained.dataset, split), SEED, f"{what}: {split} images", sharpness=True
    )
    return {
        "metrics": headline_results(passed, split, of) | correlation_results(passed, split, of),
        "kl_per_latent": [round(float(v), 6) for v in passed.kl.mean(0)],
    }


def _compute_training(trained: TrainedModel, what: str) -> Computing:
    dataset = trained.dataset
    if "train" not in dataset.splits:
        return {"metrics": {name: missing(no_training_split(dataset.title)) for name in TRAINING}}
    passed = yield from forward(trained, sample_of(dataset, "train"), SEED, f"{what}: training images", sharpness=False)
    return {"metrics": training_results(passed, len(dataset.splits["train"]))}


def sample_of(dataset: Dataset, split: str, limit: int = IMAGES) -> NDArray[np.int64]:
    """Positions of at most `limit` images of a split, drawn with a fixed seed, in order."""
    indices = np.asarray(dataset.splits[split], dtype=np.int64)
    if len(indices) <= limit:
        return indices
    return np.sort(np.random.default_rng(SEED).choice(indices, limit, replace=False))
