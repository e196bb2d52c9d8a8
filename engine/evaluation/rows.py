"""What is known of a run's evaluation, read from its folder: a row of the table, or why there is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config import DATASET_TITLES, OWN_DATA, RunConfig
from engine.evaluation.catalogue import METRICS, VERSION
from engine.kept import weights_step
from engine.runs import Run

NOT_YET = "not evaluated yet"
DAMAGED = "evaluation.json is damaged; evaluate the run again to replace it"
OTHER_VERSION = "evaluation.json was written by another version of Disentangle Studio; evaluate the run again"


@dataclass(frozen=True, slots=True)
class Row:
    """A run with its metrics as in evaluation.json; `note` says why there are none.

    `dataset` is what runs are compared within: the data set's title, of own data with the file's name. `newest` is the
    step of the weights there are now, which may have been trained on since.
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

    def value(self, metric: str) -> float | None:
        """Return a metric's value, or None where there is none."""
        value = self.metrics.get(metric, {}).get("value")
        return None if value is None else float(value)

    @property
    def older(self) -> bool:
        """Whether the metrics are of earlier weights than the run has now."""
        return bool(self.metrics) and self.newest is not None and self.newest != self.step

    def reason(self, metric: str) -> str:
        """Why a metric has no value."""
        return str(self.metrics.get(metric, {}).get("reason") or self.note or "not computed yet")


def read_row(run: Run) -> Row:
    """Read a run's row. What is damaged or of another version is left out, and the row's `note` says so."""
    kept = run.evaluation()
    metrics, note = _metrics(run, kept)
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
    )


def row_of(run: Run) -> Row | None:
    """Return the run's row, or None when it was not evaluated."""
    row = read_row(run)
    return None if row.note == NOT_YET else row


def dataset_title(config: RunConfig) -> str:
    """Return the data set in words; of own data with the name of the file or folder."""
    title = DATASET_TITLES[config.dataset]
    own = config.dataset in OWN_DATA and config.data_folder is not None
    return f"{title} ({config.data_folder.name})" if own and config.data_folder else title


def _metrics(run: Run, kept: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], str]:
    damaged = "evaluation.json" in run.problems
    if not kept:
        return {}, DAMAGED if damaged else NOT_YET
    if not kept.get("checkpoint", "").startswith(f"{VERSION}-"):
        return {}, OTHER_VERSION
    known = {name: entry for name, entry in kept["metrics"].items() if name in METRICS}
    return known, DAMAGED if damaged else ""
