"""Selection of the best runs of a study by a metric."""

from collections.abc import Sequence

from engine.errors import ConfigError
from engine.evaluation.catalogue import COMPARED, METRICS
from engine.evaluation.rows import Row
from engine.studies.study import Study


def selectors(study: Study) -> tuple[str, ...]:
    """Return the metrics by which the best run of a study can be chosen: those that compare runs, then its own."""
    own = [name for name in study.metrics if name in METRICS and METRICS[name].better in ("↑", "↓")]
    return (*COMPARED, *own)


def check_selector(study: Study, metric: str) -> None:
    """Raise ConfigError unless the best run of a study can be chosen by a metric."""
    if metric not in (known := selectors(study)):
        raise ConfigError(f"{metric!r} cannot choose the best run of this study. Choose from: {', '.join(known)}.")


def best_runs(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the run with the best value, one for each supervision, the least first; empty if none has a value."""
    found: dict[int, Row] = {}
    sign = -1 if METRICS[metric].better == "↓" else 1
    for row in sorted(rows, key=lambda row: row.supervision.rank):
        value, before = row.value(metric), found.get(row.supervision.rank)
        kept = None if before is None else before.value(metric)
        if value is not None and (kept is None or sign * value > sign * kept):
            found[row.supervision.rank] = row
    return list(found.values())


def selection_text(rows: Sequence[Row], metric: str) -> str:
    """Say which run is the best by a metric, e.g. "Best of 6 runs by MIG: a, 0.412 (the others 0.1 to 0.3)."."""
    column = METRICS[metric]
    parts = []
    chosen = best_runs(rows, metric)
    for best in chosen:
        alike = [row for row in rows if row.supervision == best.supervision and row.value(metric) is not None]
        values = [value for row in alike if row is not best and (value := row.value(metric)) is not None]
        places = column.decimals
        others = f" (the others {min(values):.{places}f} to {max(values):.{places}f})" if values else ""
        kind = f" {best.supervision}" if len(chosen) > 1 else ""
        words = f"Best of {len(alike):,}{kind} run{'s' if len(alike) > 1 else ''} by {column.name}: {best.name}"
        parts.append(f"{words}, {best.value(metric):.{places}f}{others}.")
    if parts:
        return " ".join(parts)
    reasons = dict.fromkeys(row.reason(metric) for row in rows)
    return f"No run has a value of {column.name}: {'; '.join(reasons) or 'none is evaluated yet'}."
