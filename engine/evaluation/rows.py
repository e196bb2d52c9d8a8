"""Rows of the metrics table, read from run folders."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from engine.data import Fingerprint
from engine.evaluation.catalogue import METRICS, VERSION, Column, column_of
from engine.evaluation.reasons import known_reason
from engine.evaluation.results import of_other_code, too_narrow
from engine.methods.base import Supervision
from engine.methods.registry import METHODS
from engine.runs.kept_weights import weights_step
from engine.runs.plugins_used import in_full
from engine.runs.run import Run
from engine.settings.run_config import DATASET_TITLES, OWN_DATA, RunConfig
from engine.system.plain_text import clean_name, one_line

NOT_YET = "not evaluated yet"
DAMAGED = "evaluation.json is damaged; evaluate the run again to replace it"
UNKNOWN_DATA = "these values were written by version 1.0.0, which did not record their data; evaluate the run again"
OTHER_VERSION = "evaluation.json was written by another version of Disentangle Studio; evaluate the run again"


DataKey: TypeAlias = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A run with its metrics as in evaluation.json; `note` says why there are none.

    `dataset` is the title of the data set, with the file's name for the user's own data; runs are compared within the
    same `data`. `newest` is the step of the current weights, which may be later than `step`. `fingerprint` is that of
    the data used for the metrics; `data_note` says if these differ from the training data or are not known, and
    `code_note` if the metrics were computed with other plug-ins than the run was trained with, or than are loaded.
    `threads` are the CPU threads it was trained with, 0 on a GPU, None if that is not known. `version` is set by
    `by_version` if a table has rows of several data sets with the same name.
    """

    name: str
    method: str
    dataset: str
    seed: int
    step: int
    metrics: Mapping[str, Mapping[str, Any]]
    config: RunConfig = field(default_factory=RunConfig)
    path: Path | None = None
    kl_per_latent: tuple[float, ...] = ()
    note: str = ""
    newest: int | None = None
    fingerprint: Fingerprint | None = None
    data_note: str = ""
    version: str = ""
    threads: int | None = None
    code_note: str = ""
    plugins: tuple[str, ...] = ()
    """The plug-ins with which the metrics were computed, each with its version and the start of its fingerprint."""

    def value(self, metric: str) -> float | None:
        """Return a metric's value, or None if there is none."""
        value = self.metrics.get(metric, {}).get("value")
        return None if value is None else float(value)

    @property
    def data(self) -> DataKey:
        """Key of the run's data set: only values with the same key are compared."""
        return (*data_key(self.config), self.version) if self.version else data_key(self.config)

    @property
    def supervision(self) -> Supervision:
        """What the run learned from in addition to images; values are only ranked within the same supervision."""
        return self.config.supervision

    @property
    def elsewhere(self) -> str:
        """Where its codes come from in a few words, if it was not trained here; else empty."""
        return str(METHODS[self.config.objective].provenance(self.config).get("words", ""))

    @property
    def older(self) -> bool:
        """Whether the metrics are for earlier weights than the current ones."""
        return bool(self.metrics) and self.newest is not None and self.newest != self.step

    def reason(self, metric: str) -> str:
        """Return why a metric has no value: as evaluated, else as known beforehand, else that it was not computed."""
        known = self.metrics.get(metric, {}).get("reason") or known_reason(self.config, metric)
        return one_line(str(known or self.note or "not computed yet"))


def read_row(run: Run) -> Row:
    """Read a run's row. Metrics that are damaged or of another version are left out, and its `note` says so."""
    kept = run.evaluation()
    metrics, note = _metrics(run, kept)
    data = Fingerprint.read(kept.get("data")) if metrics else None
    return Row(
        run.name,
        run.config.method_title,
        dataset_title(run.config),
        run.config.seed,
        kept.get("step", 0),
        metrics,
        run.config,
        run.path,
        tuple(map(float, kept.get("kl_per_latent", []))) if metrics else (),
        note,
        weights_step(run.checkpoint_folder),
        data,
        _data_note(run, kept, data) if metrics else "",
        threads=_threads(run),
        code_note=_code_note(run, kept, metrics),
        plugins=tuple(in_full(*use) for use in _plugins(kept)) if metrics else (),
    )


def _threads(run: Run) -> int | None:
    """CPU threads that a run was trained with, 0 on a GPU; None if that is not known."""
    device, threads = run.resolved.get("device"), run.resolved.get("threads")
    if device is None:
        return None
    return threads if device == "cpu" else 0


def _data_note(run: Run, kept: dict[str, Any], data: Fingerprint | None) -> str:
    """Say if metrics are of other data than the run was trained on, or if that is not known; else empty."""
    if data is None:
        return UNKNOWN_DATA
    before = run.trained_at(kept.get("step", 0))
    changes = before.changes(data) if before else ""
    return f"these values are of other data than the run was trained on (changed: {changes})" if changes else ""


def _code_note(run: Run, kept: dict[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Say if metrics were computed with other plug-ins than the run's training, or than the loaded ones."""
    notes = []
    now = _plugins(kept)
    before = [(use.name, use.version, use.fingerprint) for use in run.plugins_at(kept.get("step", 0))]
    if metrics and "plugins" in kept and {use[2] for use in now} != {use[2] for use in before}:
        computed, trained = (" and ".join(in_full(*use) for use in uses) or "no plug-in" for uses in (now, before))
        notes.append(f"these values were computed with {computed}, but the run was trained with {trained}")
    others = [METRICS[name].name for name, entry in metrics.items() if of_other_code(name, entry)]
    if others:
        was = "was" if len(others) == 1 else "were"
        notes.append(f"{' and '.join(others)} {was} computed by another version of the plug-in than is loaded")
    return "; ".join(notes)


def _plugins(kept: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, version and fingerprint of the plug-ins with which metrics were computed, from evaluation.json."""
    found = kept.get("plugins")
    return [
        (one_line(str(use.get("name")), 40), one_line(str(use.get("version")), 40), str(use.get("fingerprint")))
        for use in (found if isinstance(found, list) else [])
        if isinstance(use, dict)
    ]


def by_version(rows: Sequence[Row]) -> list[Row]:
    """Return rows in which evaluations on different data with the same name have different `data`.

    A file may have been replaced between two evaluations, or a run evaluated on a slightly different copy.
    """
    known: dict[DataKey, set[Fingerprint]] = {}
    for row in rows:
        if row.fingerprint is not None:
            known.setdefault(data_key(row.config), set()).add(row.fingerprint)
    several = {key for key, found in known.items() if len(found) > 1}
    return [
        replace(row, version=row.fingerprint.short) if row.fingerprint and data_key(row.config) in several else row
        for row in rows
    ]


def row_of(run: Run) -> Row | None:
    """Return the run's row, or None if it was not evaluated."""
    row = read_row(run)
    return None if row.note == NOT_YET else row


def columns_of(rows: Iterable[Row]) -> list[Column]:
    """Return the columns of a table of these runs: every metric, then those of plug-ins that are not loaded."""
    others: dict[str, Column] = {}
    for row in rows:
        for name, entry in row.metrics.items():
            if name not in METRICS and name not in others and (column := column_of(name, entry)) is not None:
                others[name] = column
    return [*METRICS.values(), *others.values()]


def dataset_title(config: RunConfig) -> str:
    """Return the title of the data set, with the name of the file or folder for the user's own data.

    For factors that a representation brings with it, it has the beginning of their fingerprint instead.
    """
    title = DATASET_TITLES[config.dataset]
    if brought := METHODS[config.objective].own_data(config):
        return f"From files ({brought[:4]})"
    own = config.dataset in OWN_DATA and config.data_folder is not None
    return f"{title} ({clean_name(config.data_folder.name)})" if own and config.data_folder else title


def data_key(config: RunConfig) -> DataKey:
    """Return the key of a data set: its name and, for the user's own data, its path and image size.

    The folder of a built-in data set does not count, since its images are the same anywhere; nor does the path of a
    representation's file, which has factors and labels of its own.
    """
    if own := METHODS[config.objective].own_data(config):
        return (config.dataset, own)
    if config.dataset not in OWN_DATA:
        return (config.dataset,)
    size = (config.image_size,) if config.dataset == "images" else ()
    return (config.dataset, config.data_folder, *size)


def distinct_titles(rows: Iterable[Row]) -> dict[DataKey, str]:
    """Return distinct titles of the data sets: those that share a title are shown with more of their path."""
    given = list(rows)
    titles = {data_key(row.config): row.dataset for row in given}
    names = {key: _in_full(key, [k for k in titles if titles[k] == title and k != key]) or title
             for key, title in titles.items()}  # fmt: skip
    return {row.data: names[data_key(row.config)] + (f", data {row.version}" if row.version else "") for row in given}


def _in_full(key: DataKey, others: Sequence[DataKey]) -> str:
    """Title of own data with as much of its path, and its image size, as distinguishes it; empty without others."""
    if not others:
        return ""
    name, path, *size = key
    paths = [other[1] for other in others if other[1] != path]
    parts = path.parts if isinstance(path, Path) else ()
    depth = 1
    while depth < len(parts) and any(isinstance(p, Path) and p.parts[-depth:] == parts[-depth:] for p in paths):
        depth += 1
    words = [clean_name(str(Path(*parts[-depth:])) if paths else Path(*parts).name)]
    words += [f"{side} pixels" for side in size if any(other[1] == path for other in others)]
    return f"{DATASET_TITLES[str(name)]} ({', '.join(words)})"


def _metrics(run: Run, kept: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], str]:
    damaged = "evaluation.json" in run.problems
    if not kept:
        return {}, DAMAGED if damaged else NOT_YET
    if not kept.get("checkpoint", "").startswith(f"{VERSION}-"):
        return {}, OTHER_VERSION
    known = {name: entry for name, entry in kept["metrics"].items() if name in METRICS or column_of(name, entry)}
    shown = {name: _without_interval(entry) if too_narrow(name, entry) else entry for name, entry in known.items()}
    return shown, DAMAGED if damaged else ""


def _without_interval(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "interval"}
