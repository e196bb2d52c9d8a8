"""A study in the making: methods × values of any settings × seeds, written as a study file."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import tomli_w

from engine.errors import ConfigError
from engine.methods.registry import METHODS
from engine.runs.differences import experiment_settings, unused_settings
from engine.settings.folders import remembered_data
from engine.settings.run_config import SCHEMA, Group, RunConfig, all_settings
from engine.studies.files import ELSEWHERE, study_of, with_length
from engine.studies.study import Study
from engine.system.fields import choices_of, group_of
from engine.system.files import write_bytes
from engine.system.numbers import exact_text
from engine.system.paths import RESOURCES, studies_folder
from engine.system.plain_text import clean_name, one_line, slug
from engine.system.schedule import Schedule

VARIABLE = (Group.DATA, Group.METHOD, Group.NETWORK, Group.LENGTH)
"""Groups of the settings that a study can vary; the others do not change what is learned."""

NOT_VARIED = frozenset({"objective", "data_folder", "method", *ELSEWHERE})
"""Settings of these groups that are chosen in another way."""

MOST_COMBINATIONS = 1000
"""Largest number of methods × values, so that a slip of the keyboard is noticed before it is expanded."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A setting that takes several values in a study."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a study is built from.

    `base` gives all settings that are not varied, among them the own settings of its method; other methods have their
    defaults. `quick_steps` and `quick_seeds` are the length and the number of seeds of the quick version, None if there
    is none.
    """

    title: str
    base: RunConfig
    objectives: tuple[str, ...]
    varied: tuple[Varied, ...] = ()
    seeds: int = 3
    metrics: tuple[str, ...] = ()
    quick_steps: int | None = None
    quick_seeds: int = 1


def variable_settings(objectives: Sequence[str]) -> list[str]:
    """Return the names of the settings that a study of these methods can vary, in the order of the form."""
    configs = [RunConfig.parse({"objective": objective}) for objective in objectives]
    fields = all_settings(configs) if configs else {}
    own = {name for objective in objectives for name in METHODS[objective].Settings.model_fields}
    return [
        name
        for name, field in fields.items()
        if name not in NOT_VARIED and (name in own or group_of(field) in VARIABLE)
    ]


def read_values(name: str, text: str, objectives: Sequence[str]) -> tuple[Any, ...]:
    """Read the typed values of a setting, separated by commas, or by semicolons where values contain commas.

    Raises ConfigError if there is none, if one is not valid for a method that has the setting, or if one occurs twice.
    """
    title = all_settings()[name].title or name
    parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
    parts = [part for part in parts if part]
    if not parts:
        raise ConfigError(f"{title}: type the values to compare, separated by commas.")
    having = [objective for objective in objectives if _has(objective, name)] or list(objectives)[:1]
    values: list[Any] = []
    for part in parts:
        for objective in having:
            try:
                value = RunConfig.parse({"objective": objective, name: part}).flat().get(name)
            except ConfigError as error:
                raise ConfigError(str(error).replace(name, title, 1)) from None
        if value in values:
            raise ConfigError(f"{title} has {value_text(name, value)} twice.")
        values.append(value)
    return tuple(values)


def value_text(name: str, value: Any) -> str:
    """Return a value of a setting as the title of a method shows it."""
    titles = choices_of(all_settings()[name])
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return exact_text(value)
    return titles.get(str(value), str(value))


def draft_study(draft: Draft, *, quick: bool = False) -> Study:
    """Return the study that a draft describes, with all its cells, without writing it. Raises ConfigError."""
    return study_of(studies_folder() / f"{_file_name(draft.title)}.toml", _contents(draft), quick)


def save_study(draft: Draft) -> Study:
    """Write a draft to the folder of the user's studies, and return the study.

    Raises ConfigError if it is not valid, if a study with this name exists, or if it cannot be written.
    """
    study = draft_study(draft)
    if draft.quick_steps is not None:
        draft_study(draft, quick=True)
    shipped = RESOURCES / "studies" / study.path.name
    if study.path.exists() or shipped.exists():
        raise ConfigError(f"There is already a study “{study.path.stem}”. Choose another title.")
    try:
        study.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(study.path, tomli_w.dumps(_contents(draft), multiline_strings=False).encode())
    except OSError as error:
        raise ConfigError(f"The study cannot be saved as {study.path}: {error.strerror or error}.") from None
    return study


def _file_name(title: str) -> str:
    name = clean_name(title)
    if not name:
        raise ConfigError("A study needs a title.")
    return slug(name)


def _contents(draft: Draft) -> dict[str, Any]:
    """The contents of the study file. Raises ConfigError."""
    if not draft.objectives:
        raise ConfigError("Choose at least one method.")
    if not draft.metrics:
        raise ConfigError("Choose at least one metric.")
    base = draft.base
    if base.data_folder == remembered_data(base.dataset):
        base = base.changed(data_folder=None)
    common = base.model_dump(mode="json")
    own = {base.objective: common.pop("method")}
    for name in ("objective", *ELSEWHERE):
        common.pop(name, None)
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "title": one_line(draft.title),
        "about": _about(draft),
        "seeds": list(range(draft.seeds)),
        "metrics": list(draft.metrics),
        "settings": _given(common),
    }
    if draft.quick_steps is not None:
        values["quick"] = {"seeds": list(range(draft.quick_seeds)), "steps": draft.quick_steps}
    values["methods"] = _methods(draft, _given(common), own)
    return values


def _methods(draft: Draft, common: dict[str, Any], own: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A table for each method and combination of values; a setting that a method lacks is not varied for it."""
    number = len(draft.objectives)
    for varied in draft.varied:
        number *= len(varied.values)
    if number > MOST_COMBINATIONS:
        raise ConfigError(f"These are {number:,} combinations of methods and values; at most {MOST_COMBINATIONS:,}.")
    names = [varied.name for varied in draft.varied]
    if draft.quick_steps is not None and {"steps", "epochs"} & set(names):
        raise ConfigError("The quick version has a length of its own, so steps and epochs cannot be varied beside it.")
    if len(set(names)) < len(names):
        raise ConfigError("A setting is varied twice.")
    fields = all_settings()
    for name in names:
        if not any(_has(objective, name) for objective in draft.objectives):
            raise ConfigError(f"None of the chosen methods has the setting “{fields[name].title or name}”.")
    tables: dict[str, dict[str, Any]] = {}
    known: set[tuple[Any, ...]] = set()
    for objective in draft.objectives:
        these = [v for v in draft.varied if _has(objective, v.name)]
        for chosen in product(*(v.values for v in these)):
            changes = dict(zip((v.name for v in these), chosen, strict=True))
            given = own.get(objective, {}) | {name: _plain(value) for name, value in changes.items()}
            config = RunConfig.parse(with_length(common, {"objective": objective} | given))
            experiment = experiment_settings(config)
            if experiment in known:  # values that this network or data set ignores
                continue
            known.add(experiment)
            unused = unused_settings(objective, config.dataset, config.network)
            words = [f"{fields[n].title or n} = {value_text(n, v)}" for n, v in changes.items() if n not in unused]
            title = METHODS[objective].title
            alone = len(draft.objectives) == 1 and words
            shown = ", ".join(words if alone else [title, *words])
            tables[shown] = {"title": shown, "objective": objective} | _given(given)
    return list(tables.values())


def _about(draft: Draft) -> str:
    """What the study compares, as a sentence."""
    methods = ", ".join(METHODS[objective].title for objective in draft.objectives)
    fields = all_settings()
    varied = [
        f"{fields[v.name].title or v.name} ({', '.join(value_text(v.name, value) for value in v.values)})"
        for v in draft.varied
    ]
    return f"{methods}{' for several values of ' if varied else ''}{' and '.join(varied)}. Built in the window."


def _has(objective: str, name: str) -> bool:
    """Whether a method uses a setting."""
    if name in RunConfig.model_fields:
        return name not in METHODS[objective].ignores
    return name in METHODS[objective].Settings.model_fields


def _plain(value: Any) -> Any:
    """A value of a setting as it stands in a file."""
    return str(value) if isinstance(value, Schedule) else value


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Settings that have a value: TOML has none for "not set"."""
    return {name: value for name, value in values.items() if value is not None}
