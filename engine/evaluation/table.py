"""The table that gathers evaluated runs: one row a run, one column a metric, as text in several formats."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.runs import Run


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as the table shows it: title, unit, decimals, and which way is better ("↓", "↑" or "")."""

    metric: str
    title: str
    unit: str
    decimals: int
    better: str = ""


COLUMNS = (
    Column("reconstruction", "Reconstruction", "nats", 2, "↓"),
    Column("reconstruction_mean", "at z = mean", "nats", 2, "↓"),
    Column("kl", "KL", "nats", 2),
    Column("active_latents", "Active latents", "", 0),
    Column("sharpness", "Sharpness", "grey levels²", 0, "↑"),
    Column("sharpness_ratio", "Sharpness ratio", "", 3, "↑"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One evaluated run."""

    name: str
    method: str
    dataset: str
    seed: int
    step: int
    metrics: dict[str, Any]


def row_of(run: Run) -> Row | None:
    """Return the run's row, or None when it was not evaluated."""
    kept = run.evaluation()
    metrics = kept.get("metrics")
    if not isinstance(metrics, dict):
        return None
    return Row(
        run.name, run.config.method_title, run.config.dataset, run.config.seed, int(kept.get("step", 0)), metrics
    )


def shown(row: Row, column: Column) -> str:
    """Return a cell's text; a dash where there is no value."""
    value = row.metrics.get(column.metric, {}).get("value")
    return "–" if value is None else f"{value:.{column.decimals}f}"


def heading(column: Column) -> str:
    """Return a column's heading with the arrow and the unit."""
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{' ' + column.better if column.better else ''}{unit}"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        "| Run | Method | Data set | Seed | Step | " + " | ".join(heading(c) for c in COLUMNS) + " |",
        "|---|---|---|---|---|" + "---|" * len(COLUMNS),
    ]
    lines += ["| " + " | ".join(c.replace("|", r"\|") for c in _cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def comma_separated(rows: Sequence[Row]) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Run", "Method", "Data set", "Seed", "Step", *(heading(c) for c in COLUMNS)])
    writer.writerows(_cells(row) for row in rows)
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    return [row.name, row.method, row.dataset, str(row.seed), str(row.step), *(shown(row, c) for c in COLUMNS)]
