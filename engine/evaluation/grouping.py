"""Runs grouped by method, data set and any settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation.rows import DataKey, Row
from engine.methods.base import Supervision
from engine.methods.registry import METHODS
from engine.runs.alike import Key, seed_groups
from engine.runs.differences import MACHINE, differing_settings, experiment_settings
from engine.runs.run import short_method_title
from engine.settings.run_config import DATASET_TITLES, RunConfig, all_settings
from engine.system.fields import choices_of, unit_of
from engine.system.plain_text import one_line
from engine.system.schedule import Schedule, weight_text

METHOD = "method"
ALIKE = "alike"
"""Groups runs that are alike but for the seed: of the same settings, data, code and training steps."""

INCIDENTAL = MACHINE | {"dataset", "data_folder", "objective", "conditional", "seed"}
"""Settings implied by method and data set, and those in which runs of one experiment may differ."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Runs that share a row of the table."""

    title: str
    rows: tuple[Row, ...]


def grouped(rows: Sequence[Row], by: Sequence[str] = (METHOD,)) -> list[RowGroup]:
    """Group runs by data set, supervision and `by` ("method" or names of settings), in order of first occurrence.

    If `by` is only "alike", the groups are those of runs that are alike but for the seed.
    """
    if tuple(by) == (ALIKE,):
        alike = seed_groups(rows, _experiment, lambda row: row.seed)
        titles = experiment_titles([group[0].config for group in alike])
        return [RowGroup(title, tuple(group)) for title, group in zip(titles, alike, strict=True)]
    groups: dict[tuple[str, DataKey, Supervision], list[Row]] = {}
    for row in rows:
        groups.setdefault((title_of(row, by), row.data, row.supervision), []).append(row)
    return [RowGroup(title, tuple(members)) for (title, *_), members in groups.items()]


def _experiment(row: Row) -> Key:
    """What runs that are alike but for the seed have in common, and what their metrics must to be comparable."""
    settings = tuple((name, value) for name, value in experiment_settings(row.config) if name != "seed")
    return (settings, row.data, row.supervision, row.fingerprint, row.data_note, row.code_note, row.plugins, row.step)


def title_of(row: Row, by: Sequence[str]) -> str:
    """Return the title of the group that contains a run, e.g. "β-VAE, β = 4"."""
    parts = [row.method] if METHOD in by else []
    parts += [f"{setting_title(name)} = {setting_text(row.config, name)}" for name in by if name != METHOD]
    return ", ".join(parts) or "All runs"


def experiment_titles(configs: Sequence[RunConfig]) -> list[str]:
    """Return titles of experiments without their seed: method, data set, and the settings in which they differ.

    What all of them share is left out, except the method. Those that differ in nothing else, but in their data or code,
    are numbered.
    """
    several_data = len({config.dataset for config in configs}) > 1
    by_method: dict[str, list[RunConfig]] = {}
    for config in configs:
        by_method.setdefault(short_method_title(config), []).append(config)
    found = []
    for config in configs:
        method = short_method_title(config)
        names = [n for n in differing_settings(by_method[method]) if n not in INCIDENTAL]
        parts = [method, *([DATASET_TITLES[config.dataset]] if several_data else [])]
        parts += [f"{setting_title(name)} = {setting_text(config, name)}" for name in names]
        found.append(", ".join(parts))
    return [
        f"{title} ({found[: number + 1].count(title)})" if found.count(title) > 1 else title
        for number, title in enumerate(found)
    ]


def sorted_rows(rows: Sequence[Row]) -> list[Row]:
    """Return runs sorted by data set, supervision, method (in the report's order) and seed."""
    methods = {name: number for number, name in enumerate(METHODS)}
    return sorted(
        rows,
        key=lambda row: (
            row.dataset.casefold(),
            tuple(map(str, row.data)),
            row.supervision.rank,
            row.config.conditional,
            methods.get(row.config.objective, len(methods)),
            row.seed,
            row.name,
        ),
    )


def differing(rows: Sequence[Row]) -> list[str]:
    """Return the names of settings in which runs differ, except those in `INCIDENTAL`."""
    return [name for name in differing_settings([row.config for row in rows]) if name not in INCIDENTAL]


def setting_title(name: str) -> str:
    """Return a setting's title."""
    return all_settings()[name].title or name


def setting_text(config: RunConfig, name: str) -> str:
    """Return a setting's value as text, with its unit; a dash if the run's method does not have it."""
    if name not in config.flat():
        return "–"
    unit = unit_of(config.field(name))
    value = config.value(name)
    if isinstance(value, Schedule):
        return value.text(unit)
    words = value_words(value, choices_of(config.field(name)))
    return f"{words} {unit}" if unit and words != "–" else words


def value_words(value: object, titles: dict[str, str]) -> str:
    """Return a setting's value as text; `titles` are the titles of the values it can take."""
    if value is None or value == ():
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))  # as it can be typed: in a list, commas separate numbers
    if isinstance(value, int | float | Schedule):
        return titles.get(str(value), weight_text(value))
    return titles.get(str(value), one_line(str(value)))
