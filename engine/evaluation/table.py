"""The table that gathers evaluated runs: one row a run or a method, one column a metric, as text in several formats."""

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    Column("disentanglement", "Disentanglement", "", 3, "↑"),
    Column("beta_vae", "β-VAE score", "", 3, "↑"),
    Column("factor_vae", "FactorVAE score", "", 3, "↑"),
    Column("mig", "MIG", "", 3, "↑"),
    Column("sap", "SAP", "", 3, "↑"),
    Column("dci_disentanglement", "DCI disentanglement", "", 3, "↑"),
    Column("dci_completeness", "DCI completeness", "", 3, "↑"),
    Column("dci_informativeness", "DCI informativeness", "", 3, "↑"),
    Column("total_correlation", "Total correlation", "nats", 3, "↓"),
    Column("mean_correlation", "Mean correlation", "", 3, "↓"),
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


@dataclass(frozen=True, slots=True)
class MethodRow:
    """Runs of one method on one data set, as rows of their own."""

    method: str
    dataset: str
    runs: tuple[Row, ...]


def by_method(rows: Sequence[Row]) -> list[MethodRow]:
    """Gather runs by data set and method, in the order in which each first comes."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.dataset), []).append(row)
    return [MethodRow(method, dataset, tuple(runs)) for (method, dataset), runs in groups.items()]


def values_of(rows: Sequence[Row], column: Column) -> list[float]:
    """Return the values of a metric in those rows that have one."""
    found = (row.metrics.get(column.metric, {}).get("value") for row in rows)
    return [float(value) for value in found if value is not None]


def spread_of(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and standard deviation (n - 1); None where there are too few values."""
    return (
        statistics.mean(values) if values else None,
        statistics.stdev(values) if len(values) > 1 else None,
    )


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Return the columns in which any row has a value."""
    return [column for column in COLUMNS if values_of(rows, column)]


def shown(row: Row, column: Column) -> str:
    """Return a cell's text; a dash where there is no value."""
    return _number(row.metrics.get(column.metric, {}).get("value"), column)


def shown_spread(values: Sequence[float], column: Column) -> str:
    """Return "mean ± standard deviation", the mean alone of one value, a dash of none."""
    mean, deviation = spread_of(values)
    # A mean over runs needs a decimal where each run has a whole number.
    column = replace(column, decimals=max(column.decimals, 1)) if len(values) > 1 else column
    return _number(mean, column) + ("" if deviation is None else f" ± {_number(deviation, column)}")


def heading(column: Column) -> str:
    """Return a column's heading with the arrow and the unit."""
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{' ' + column.better if column.better else ''}{unit}"


def markdown(rows: Sequence[Row], *, methods: bool = False) -> str:
    """Return the table as Markdown: one row a run, or a method with mean, standard deviation and number of runs."""
    head, *body = _lines(rows, methods)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in body]
    return "\n".join(lines) + "\n"


def comma_separated(rows: Sequence[Row], *, methods: bool = False) -> str:
    """Return the table as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(_lines(rows, methods))
    return text.getvalue()


def latex(rows: Sequence[Row], *, methods: bool = False) -> str:
    """Return the table as a LaTeX tabular; it needs the package booktabs."""
    head, *body = ([_latex_cell(cell) for cell in line] for line in _lines(rows, methods))
    words = 3 if not methods else 2
    lines = [
        rf"\begin{{tabular}}{{{'l' * words}{'r' * (len(head) - words)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(line) + r" \\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


FORMATS = {"markdown": markdown, "csv": comma_separated, "latex": latex}

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "²": "$^2$",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    **{character: "\\" + character for character in "&%$#_{}"},
}


def _latex_cell(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def _lines(rows: Sequence[Row], methods: bool) -> list[list[str]]:
    """Headings, then the cells of each row; columns in which no row has a value are left out."""
    columns = columns_of(rows)
    headings = [heading(column) for column in columns]
    if not methods:
        return [
            ["Run", "Method", "Data set", "Seed", "Step", *headings],
            *([row.name, row.method, row.dataset, str(row.seed), str(row.step), *(shown(row, c) for c in columns)]
              for row in rows),
        ]  # fmt: skip
    return [
        ["Method", "Data set", "n", *headings],
        *([group.method, group.dataset, str(len(group.runs)),
           *(shown_spread(values_of(group.runs, c), c) for c in columns)] for group in by_method(rows)),
    ]  # fmt: skip


def _number(value: float | None, column: Column) -> str:
    return "–" if value is None else f"{value:.{column.decimals}f}"
