"""The evaluation of a run: a job that computes its metrics and stores them in evaluation.json."""

import hashlib
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import Dataset, Fingerprint, fingerprint_of, load_if_available, load_prepared, prepare
from engine.data.subsets import subset_of, training_positions
from engine.errors import CheckpointError, ConfigError, DataError, StudioError
from engine.evaluation.catalogue import COMPARED, METRICS, OURS, VERSION, Need, usual_metrics
from engine.evaluation.forward import forward
from engine.evaluation.further_scores import FURTHER
from engine.evaluation.generated import GENERATED
from engine.evaluation.ground_truth import SCORES
from engine.evaluation.metric import PLUGIN_METRICS, Metric, Score, found_by
from engine.evaluation.prediction import PREDICTIONS
from engine.evaluation.reasons import COMPARES, NEEDS_CATEGORY, method_reason, no_labels, no_training_split
from engine.evaluation.representation import Representation
from engine.evaluation.results import SEED, Results, missing, of_other_code, of_plugin, too_narrow
from engine.evaluation.sampling import drawn_from, sample_of
from engine.evaluation.summaries import category_results, correlation_results, headline_results, training_results
from engine.jobs.events import Evaluated, Event, Job, Progress, Request, Warned
from engine.jobs.processes import Children
from engine.runs.checkpoints import checkpoint_step
from engine.runs.kept_weights import MAX_WEIGHTS_BYTES, WEIGHTS
from engine.runs.plugins_used import plugins_used, require_plugins
from engine.runs.run import Run
from engine.runs.trained import TrainedModel, load_model
from engine.settings.absent import missing_words
from engine.system.reading import DamagedError, read_limited, reason_of
from engine.system.user_code import raised_words

TRAINING = ("reconstruction_train", "reconstruction_train_mean")
MEASURED: tuple[Metric, ...] = (*SCORES, *FURTHER, *PREDICTIONS, *GENERATED)
"""Metrics of the application that are computed from a representation, in this order."""
GROUND_TRUTH = tuple(name for name in OURS if Need.FACTORS in METRICS[name].needs)
_OF_METRICS = frozenset(column.metric for metric in MEASURED for column in metric.columns)
HEADLINE = tuple(name for name in OURS if name not in (*TRAINING, *COMPARED, *_OF_METRICS))
WITHOUT_FACTORS = (*HEADLINE, *TRAINING)
"""Metrics that need no ground-truth factors and take seconds each."""

NOT_SHIPPED = "models of the gallery have the metrics they came with; copy it to your runs to compute others"
"""Why a model of the gallery lacks a metric."""

Computing = Generator[Event, Request | None, dict[str, Any]]


def evaluate(run: Run, metrics: Sequence[str] | None = None) -> Job:
    """Compute a run's metrics, or take them from evaluation.json if weights and data are the same.

    By default these are `usual_metrics`; those that compare runs are never computed here. Missing metrics are added to
    the existing ones and stored as soon as each is known. Metrics of other weights or data are computed again. Yields
    Warned if the data differ from those of the previous evaluation or of training, Progress, then one Evaluated. For a
    run of the gallery nothing is computed. Raises ConfigError for unknown metrics, CheckpointError, DataError,
    PluginMissingError or RunError.
    """
    wanted = list(dict.fromkeys(metrics or usual_metrics()))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        raise ConfigError(f"There is no metric {unknown[0]!r}. Choose from: {', '.join(METRICS)}.")
    step = checkpoint_step(run.checkpoint_folder)
    if step is None:
        raise CheckpointError(f"{run.name} has no weights yet: training has not reached its first checkpoint.")
    none = {name: missing(reason) for name in METRICS if (reason := method_reason(run.config, name))}
    none |= {name: missing(COMPARES) for name in COMPARED}
    kept = _of_weights(run, key_of_weights(run))
    if run.shipped:  # nothing is computed, since nothing could be kept
        none |= {name: missing(NOT_SHIPPED) for name in wanted if name not in none | kept["metrics"]}
        yield Evaluated(run.path, _result(run, kept, none, wanted))
        return
    complete = "data" in kept and not any(_lacks(none | kept["metrics"], name) for name in wanted)
    if not complete:
        require_plugins(run.config)
    dataset, gone = yield from data_of(run, needed=not complete)
    if dataset is None:
        yield Warned(f"{gone} The saved metrics of {run.name} are shown; they cannot be checked against its data.")
    else:
        now = fingerprint_of(dataset)
        notes = [note for note in (run.data_note(now, step), run.plugin_note(step), _outdated(run, kept, now)) if note]
        if notes:
            yield Warned(" ".join(notes))
        kept = _kept(run, key_of_weights(run), now)
        lacking = [name for name in wanted if _lacks(none | kept["metrics"], name)]
        if lacking:
            kept = yield from _compute(run, dataset, lacking)
    yield Evaluated(run.path, _result(run, kept, none, wanted))


def _result(run: Run, kept: dict[str, Any], none: Results, wanted: Sequence[str]) -> dict[str, Any]:
    """What is reported of the wanted metrics: those kept, else the reasons in `none`."""
    return kept | {
        "run": str(run.path),
        "name": run.name,
        "method": run.config.method_title,
        "supervision": str(run.config.supervision),
        "metrics": {name: (none | kept["metrics"])[name] for name in wanted},
    }


def data_of(run: Run, *, needed: bool) -> Generator[Event, Request | None, tuple[Dataset | None, str]]:
    """Return the run's data set, or None and the reason if it is not available and not `needed`. Raises DataError."""
    if not needed and run.config.data_folder is None:
        return load_if_available(*run.data)
    try:
        for event in prepare(*run.config.data):
            if isinstance(event, Progress):
                yield event
        return load_prepared(*run.data), ""
    except DataError as error:
        if needed:
            raise
        return None, str(error)


def _outdated(run: Run, kept: dict[str, Any], now: Fingerprint) -> str:
    """Say why the saved metrics of these weights do not belong to these data; empty if they do."""
    before = Fingerprint.read(kept.get("data"))
    changes = before.changes(now) if before else ""
    if not kept["metrics"] or (before and not changes):
        return ""
    legacy = "were written by version 1.0.0, which did not record their data"
    why = f"are of other data ({changes})" if before else legacy
    return f"The saved metrics of {run.name} {why}: they are dropped, and the requested ones are computed again."


def _lacks(metrics: dict[str, Any], name: str) -> bool:
    """Whether a metric must be computed: it is missing, its interval is wrong, or its plug-in failed or changed."""
    entry = metrics.get(name)
    if not isinstance(entry, dict):
        return entry is None
    return too_narrow(name, entry) or of_other_code(name, entry) or entry.get("failed") is True


def kept_kl(trained: TrainedModel) -> NDArray[np.float64] | None:
    """Return the mean KL of each latent, (latents,), from an evaluation of these weights and data; None without one."""
    try:
        kept = _kept(trained.run, key_of_weights(trained.run), fingerprint_of(trained.dataset))
    except CheckpointError:  # the model may have kept weights although the newest are gone
        return None
    found = kept.get("kl_per_latent")
    if kept.get("step") != trained.step or not isinstance(found, list) or len(found) != trained.model.latents:
        return None
    return np.array(found, np.float64) if all(isinstance(value, int | float) for value in found) else None


def key_of_weights(run: Run) -> str:
    """Return the key of saved metrics: the digest of weights, the version of the metrics, and the code of plug-ins."""
    try:
        weights = read_limited(run.checkpoint_folder / WEIGHTS, MAX_WEIGHTS_BYTES)
    except (OSError, DamagedError) as error:
        raise CheckpointError(f"The weights file of {run.name} {reason_of(error)}.") from None
    plugins = run.plugins if missing_words(run.config) else plugins_used(run.config)
    code = hashlib.sha256("".join(use.fingerprint for use in plugins).encode()).hexdigest()[:16]
    return f"{VERSION}-{hashlib.sha256(weights).hexdigest()[:16]}" + (f"-{code}" if plugins else "")


def _of_weights(run: Run, key: str) -> dict[str, Any]:
    """The content of evaluation.json for these weights; its metrics are an empty dict if there are none."""
    kept = run.evaluation()
    if kept.get("checkpoint") == key:
        return kept
    return {"metrics": {}}


def _kept(run: Run, key: str, data: Fingerprint) -> dict[str, Any]:
    """The content of evaluation.json for these weights and data."""
    kept = _of_weights(run, key)
    return kept if Fingerprint.read(kept.get("data")) == data else {"metrics": {}}


def _compute(run: Run, dataset: Dataset, lacking: Sequence[str]) -> Computing:
    key, trained = load_with_key(run, dataset)
    if trained.device_note:
        yield Warned(trained.device_note)
    what = f"Evaluating {run.name}"
    kept = _kept(run, key, fingerprint_of(dataset))
    with Children(torch.get_num_threads()) as children:
        representation = Representation(trained, children, what)
        if set(lacking) & set(HEADLINE):
            kept = keep(trained, key, (yield from _compute_headline(trained, what)))
        if set(lacking) & set(TRAINING):
            kept = keep(trained, key, (yield from _compute_training(trained, what)))
        for metric in (*MEASURED, *PLUGIN_METRICS.values()):
            if set(lacking) & {column.metric for column in metric.columns}:
                kept = keep(trained, key, {"metrics": (yield from _measured(metric, representation))})
    return kept


def _measured(metric: Metric, representation: Representation) -> Generator[Event, Request | None, Results]:
    """Compute a metric and return its entries. If a plug-in's metric raises, the reason names its file and line."""
    names = [column.metric for column in metric.columns]
    origin = METRICS.origin(names[0])
    if reason := representation.lacking(metric.needs):
        return {name: missing(reason) for name in names}
    found: Results = {}
    try:
        for name, value in (yield from found_by(metric, representation)).items():
            score = Score(value) if isinstance(value, float) else value
            found[name] = missing(score) if isinstance(score, str) else representation.entry(METRICS[name], score)
    except StudioError:
        raise
    except Exception as error:
        if origin is None:
            raise
        reason = raised_words(error, origin.plugin, metric.compute)
        found = {name: missing(reason) | {"failed": True} for name in names}
    return found if origin is None else {name: of_plugin(METRICS[name], found[name], origin) for name in names}


def load_with_key(run: Run, dataset: Dataset) -> tuple[str, TrainedModel]:
    """Return the key of the run's weights and the model, consistent even while training replaces them."""
    while True:
        key = key_of_weights(run)
        trained = load_model(run, dataset)
        if key == key_of_weights(run):
            return key, trained


def keep(trained: TrainedModel, key: str, new: dict[str, Any]) -> dict[str, Any]:
    """Add results to evaluation.json and return its content."""
    run, data = trained.run, fingerprint_of(trained.dataset)
    before = _kept(run, key, data)
    about_data = {"data": data.values(), **_trained_on(trained)}
    metrics = before["metrics"] | {name: _with_data(entry, about_data) for name, entry in new["metrics"].items()}
    about = {
        "run": str(run.path),
        "name": run.name,
        "step": trained.step,
        "checkpoint": key,
        "data": data.values(),
        "dataset": trained.dataset.title,
        "plugins": [
            {"name": use.name, "version": use.version, "fingerprint": use.fingerprint}
            for use in plugins_used(run.config)
        ],
    }
    known = [name for name in METRICS if name in metrics]
    kept = before | new | about | {"metrics": {name: metrics[name] for name in dict.fromkeys([*known, *metrics])}}
    run.write_evaluation(kept)
    return kept


def _with_data(entry: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """An entry whose protocol, if any, names its data, and what was trained on if that was a subset."""
    return entry | {"protocol": entry["protocol"] | about} if "protocol" in entry else entry


def _trained_on(trained: TrainedModel) -> dict[str, Any]:
    """The subset that a run was trained on, and its size, for protocols; empty for all training images."""
    config, dataset = trained.run.config, trained.dataset
    if not (subset := subset_of(config)):
        return {}
    n = len(training_positions(dataset, config))
    return {"trained_on": {"subset": subset, "n": n, "of": len(dataset.training)}}


def _compute_headline(trained: TrainedModel, what: str) -> Computing:
    split = trained.dataset.headline_split
    of = len(trained.dataset.splits[split])
    # Without a split, a sample is drawn, which must not be called "all images".
    which = what if split == "all" else f"{what}: {split} images"
    chosen = sample_of(trained.dataset, split)
    passed = yield from forward(trained, chosen, SEED, which, sharpness=True)
    categories = [number for number, kind in enumerate(trained.model.kinds) if not kind.quantity]
    quantities = np.delete(passed.means, categories, axis=1)
    metrics = headline_results(passed, trained.model.kinds, split, of) | correlation_results(quantities, split, of)
    labels = trained.dataset.labels
    if categories and labels is not None:
        metrics |= category_results(passed.means[:, categories[0]].astype(np.int64), labels[chosen], split, of)
    elif categories:
        metrics |= {name: missing(no_labels(trained.dataset.title)) for name in NEEDS_CATEGORY}
    metrics |= {name: missing(reason) for name in HEADLINE if (reason := method_reason(trained.run.config, name))}
    kl = {"kl_per_latent": [round(float(v), 6) for v in passed.kl.mean(0)]} if len(passed.kl) else {}
    return {"metrics": metrics} | kl


def _compute_training(trained: TrainedModel, what: str) -> Computing:
    dataset = trained.dataset
    if not trained.model.has("reconstruction"):
        return {"metrics": {name: missing(method_reason(trained.run.config, name)) for name in TRAINING}}
    if "train" not in dataset.splits:
        return {"metrics": {name: missing(no_training_split(dataset.title)) for name in TRAINING}}
    positions = training_positions(dataset, trained.run.config)
    passed = yield from forward(trained, drawn_from(positions), SEED, f"{what}: training images", sharpness=False)
    return {"metrics": training_results(passed, len(positions))}
