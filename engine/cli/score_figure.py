"""The figure of a score against the cost of runs, drawn by `study` and `export`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.evaluation.table import Table

AGAINST = {"steps": "training_steps", "processor-hours": "processor_hours", "gpu-hours": "gpu_hours"}
"""Costs against which a score can be drawn: names in the option and in `engine.evaluation.costs`."""


def score_options(to: argparse.ArgumentParser, default: str) -> None:
    """Add --score and --against; `default` is what is drawn without --score."""
    to.add_argument("--score", metavar="METRIC", help=f"metric on the y axis of the figure ({default})")
    to.add_argument(
        "--against", choices=[*AGAINST], default="steps", help="quantity on its x axis (default steps); hours are "
        "those of training, on the CPU times the threads"
    )  # fmt: skip


def check_score(metric: str, output: Path) -> None:
    """Raise ConfigError for an unknown metric, or a file that is not a figure."""
    from engine.evaluation.catalogue import METRICS
    from engine.figures.drawing import check_format

    if metric not in METRICS:
        raise ConfigError(f"There is no metric {metric!r}. Choose from: {', '.join(METRICS)}.")
    check_format(output)


def draw_score(table: "Table", metric: str, against: str, output: Path) -> None:
    """Draw a metric of the runs of a table by methods. Raises ConfigError if none has it, or RunError."""
    from engine.evaluation.catalogue import METRICS
    from engine.evaluation.charts import points
    from engine.evaluation.costs import COSTS, course_note
    from engine.figures.drawing import save
    from engine.figures.evaluation import scatter_figure
    from engine.figures.looks import look, looks_of

    x, y = COSTS[AGAINST[against]], METRICS[metric]
    datasets = table.datasets
    if len(datasets) > 1:
        raise ConfigError(f"These runs are of several data sets: {', '.join(datasets.values())}. Draw one at a time.")
    found = points(table, x.metric, y.metric, next(iter(datasets), ()))
    if not found:
        raise ConfigError(f"No run has both {y.name} and {x.title.lower()}: evaluate the runs first.")
    looks = [look(number) for number in looks_of(table, {}, methods=True)]
    note = course_note([point.row for point in found], metric)
    save(scatter_figure(found, [line.title for line in table.lines], looks, x, y, note), output)
