"""Registering what a plug-in provides as methods, networks, metrics and data sets, and removing it again."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from engine.data import ENTRIES, Entry
from engine.data.guarded import guarded
from engine.errors import PluginError, StudioError
from engine.evaluation.catalogue import METRICS, MOST_DECIMALS, OF_PLUGINS, Column, Need
from engine.evaluation.metric import PLUGIN_METRICS, Metric
from engine.methods.absent import absent_method, description_of
from engine.methods.base import Method, MethodSettings, Supervision, Term, can_name_setting
from engine.methods.registry import METHODS
from engine.networks.absent import AbsentNetwork
from engine.networks.architectures import NETWORKS
from engine.networks.network import Network
from engine.plugins.plugin import INTERFACE, Plugin
from engine.runs.metrics_file import COLUMNS
from engine.runs.plugins_used import absent_dataset, plugins_used
from engine.settings.absent import DATASETS_ABSENT, read_plugins
from engine.settings.run_config import DATASET_TITLES, RunConfig
from engine.system.plain_text import one_line
from engine.system.registry import Origin, Registry
from engine.system.user_code import raised_words

LONGEST = 40
"""Maximum length of a name or a version."""

DASHED = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
UNDERSCORED = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

PLUGINS: Registry[Plugin] = Registry({})
"""The plug-ins that are registered, by name."""


class _Kind(NamedTuple):
    """A kind of thing that plug-ins provide: where it is listed, the form of its names, and a check of one."""

    attribute: str
    registry: Registry[Any]
    form: re.Pattern[str]
    wrong: Callable[[str, Any], str]


def register(plugin: object, origin: Origin) -> None:
    """Register everything that a plug-in provides. Raises PluginError, and registers nothing, if anything is wrong.

    `origin` gives its file or package; its name and version are taken from the plug-in itself.
    """
    checked = _checked(plugin, origin.place)
    origin = Origin(checked.name, checked.version, origin.fingerprint, origin.place)
    for kind in _KINDS.values():
        for name, thing in getattr(checked, kind.attribute).items():
            kind.registry.add(name, guarded(thing, origin) if isinstance(thing, Entry) else thing, origin)
            if isinstance(thing, Entry):
                DATASET_TITLES.add(name, thing.title, origin)
            elif isinstance(thing, Metric):
                for column in thing.columns:
                    shown = replace(column, group=OF_PLUGINS, needs=frozenset(thing.needs))
                    METRICS.add(column.metric, shown, origin)
    PLUGINS.add(checked.name, checked, origin)
    try:
        _try(checked)
    except Exception as error:
        _remove(checked)
        raise PluginError(f"{_place(origin.place)}{_reason(error, checked)}") from error


def unregister(name: str) -> None:
    """Remove everything that a plug-in provides; does nothing if there is none of this name.

    Stand-ins take its place, so that runs that use it can still be opened.
    """
    if name not in PLUGINS:
        return
    plugin, origin = PLUGINS[name], PLUGINS.origin(name)
    assert origin is not None
    for objective in plugin.methods:
        about = description_of(METHODS[objective], RunConfig(objective=objective))
        METHODS.stand_in(objective, absent_method(about, {}, origin), origin)
    for own, network in plugin.networks.items():
        NETWORKS.stand_in(own, AbsentNetwork.of(network, origin), origin)
    for own in plugin.datasets:
        DATASETS_ABSENT[own] = absent_dataset(ENTRIES[own]), origin
        DATASET_TITLES.stand_in(own, DATASET_TITLES[own], origin)
    _remove(plugin)


def _remove(plugin: Plugin) -> None:
    for metric in plugin.metrics.values():
        for column in metric.columns:
            del METRICS[column.metric]
    for own in plugin.datasets:
        del DATASET_TITLES[own]
    for kind in _KINDS.values():
        for own in getattr(plugin, kind.attribute):
            del kind.registry[own]
    del PLUGINS[plugin.name]


def _try(plugin: Plugin) -> None:
    """Call what the application calls for everything that it lists. Raises any error of the plug-in, or PluginError."""
    every = [
        *({"objective": name} for name in plugin.methods),
        *({"network": name} for name in plugin.networks),
        *({"dataset": name} for name in plugin.datasets),
    ]
    for settings in every:
        config = RunConfig.parse(settings)
        config.warnings(1000)
        kept = [dict(use.values) for use in plugins_used(config)]
        if len(read_plugins(kept)) < len(kept):
            [name] = settings.values()
            raise PluginError(f"A description of {name} is too long, or not a line of text: no run could store it.")


def _reason(error: Exception, plugin: Plugin) -> str:
    if isinstance(error, StudioError):
        return str(error)
    return f"{raised_words(error, plugin.name)}."


def _checked(plugin: object, place: str) -> Plugin:
    """Return a plug-in that can be registered. Raises PluginError if it cannot."""
    try:
        if not isinstance(plugin, Plugin):
            raise PluginError(f"PLUGIN must be a Plugin, and is {_article(type(plugin).__name__)}.")
        reasons = (*_about(plugin), *_provided(plugin))
        if reason := next((reason for reason in reasons if reason), ""):
            raise PluginError(reason)
    except PluginError as error:
        raise PluginError(f"{_place(place)}{error}") from None
    return plugin


def _about(plugin: Any) -> Iterable[str]:
    """What is wrong with a plug-in's name, version and description, as sentences."""
    yield _wrong_name(plugin.name, "the plug-in", DASHED)
    if plugin.interface != INTERFACE:
        yield (
            f"The plug-in {plugin.name} was made for version {_short(plugin.interface)} of the interface for plug-ins; "
            f"this version of Disentangle Studio has version {INTERFACE}. Ask its author for one that fits, or use a "
            "version of Disentangle Studio that does."
        )
    version = plugin.version
    if not isinstance(version, str) or not version or version != one_line(version) or len(version) > LONGEST:
        yield f"version of the plug-in {plugin.name} must be text such as '1.0', and is {_short(version)}."
    if not isinstance(plugin.about, str):
        yield f"about of the plug-in {plugin.name} must be a sentence, and is {_short(plugin.about)}."
    if plugin.name in PLUGINS:
        origin = PLUGINS.origin(plugin.name)
        where = f" ({origin.place})" if origin and origin.place else ""
        yield f"There is already a plug-in {plugin.name}{where}. Give this one another name, or remove the other."


def _provided(plugin: Any) -> Iterable[str]:
    """What is wrong with what a plug-in provides, as sentences."""
    for kind, (attribute, registry, form, wrong) in _KINDS.items():
        things = getattr(plugin, attribute)
        if not isinstance(things, Mapping):
            yield f"{attribute} must be a dict of names and {attribute}, and is {_article(type(things).__name__)}."
            continue
        for name, thing in things.items():
            yield _wrong_name(name, f"the {kind}", form)
            if name in registry:
                origin = registry.origin(name)
                owner = origin.words if origin else "the application itself"
                yield f"There is already a {kind} {name}, from {owner}. Give this one another name."
            yield wrong(f"The {kind} {name}", thing)
    if isinstance(plugin.metrics, Mapping):
        names = [each.metric for metric in plugin.metrics.values() for each in getattr(metric, "columns", ())]
        yield from (f"Two columns are called {name}." for name in names if names.count(name) > 1)
    if not plugin.kinds:
        yield f"The plug-in {plugin.name} provides nothing: it has no methods, networks, metrics or datasets."


def _wrong_name(name: object, what: str, form: re.Pattern[str]) -> str:
    if isinstance(name, str) and len(name) <= LONGEST and form.fullmatch(name):
        return ""
    mark = "dashes" if form is DASHED else "underscores"
    return (
        f"{_short(name)} cannot be the name of {what}: a name has lower-case letters and digits, with {mark} between "
        f"words, and at most {LONGEST} characters."
    )


def _wrong_method(what: str, method: Any) -> str:
    if not (inspect.isclass(method) and issubclass(method, Method)):
        return f"{what} must be a class that derives from Method, and is {_article(_type_of(method))}."
    if lacking := sorted(getattr(method, "__abstractmethods__", ())):
        return f"{what} ({method.__name__}) does not define {_and(lacking)}."
    for name in ("title", "short", "formula", "source"):
        if not _is_line(getattr(method, name, None)):
            return f"{what} ({method.__name__}) needs {name}, a line of text."
    if method.about and not _is_line(method.about):
        return f"about of {_lower(what)} must be a line of text: what distinguishes it, in a few words."
    supervision: object = method.supervision
    if not isinstance(supervision, Supervision) or supervision is Supervision.UNKNOWN:
        known = ", ".join(f"Supervision.{each.name}" for each in Supervision if each is not Supervision.UNKNOWN)
        return f"supervision of {_lower(what)} must be one of {known}."
    settings: Any = method.Settings
    if not (inspect.isclass(settings) and issubclass(settings, MethodSettings)):
        return f"Settings of {_lower(what)} must be a class that derives from MethodSettings."
    if taken := sorted(method.Settings.names() & RunConfig.model_fields.keys()):
        return f"{what} has a setting {taken[0]}, which is the name of a setting that all methods have."
    if taken := sorted(name for name in method.Settings.names() if not can_name_setting(name)):
        return f"{what} has a setting {taken[0]}, which is the name of something that all settings have."
    if unsaid := [name for name, field in method.Settings.model_fields.items() if not field.title]:
        return f"The setting {unsaid[0]} of {_lower(what)} must be made by setting(default, title, help)."
    for name in method.Settings.weights():
        default = method.Settings.model_fields[name].default
        if isinstance(default, str):
            schedule = f"a schedule is Schedule.parse({_short(default)})"
            return f"The default of the setting {name} of {_lower(what)} is text; {schedule}."
    return _wrong_terms(what, method)


def _wrong_terms(what: str, method: type[Method]) -> str:
    """What is wrong with a method's `terms` or `lacks`, as a sentence; empty if nothing is."""
    if not (isinstance(method.terms, tuple) and all(isinstance(term, Term) for term in method.terms)):
        return f"terms of {_lower(what)} must be a tuple of Terms."
    names = [term.name for term in method.terms]
    for name in names:
        if wrong := _wrong_name(name, f"a term of {_lower(what)}", UNDERSCORED):
            return wrong
        if name in method.Settings.names():
            return f"A term of {_lower(what)} cannot be called {name}: that is the name of one of its settings."
        if names.count(name) > 1 or name in COLUMNS or name == "kl_per_latent" or re.fullmatch(r"kl_\d+", name):
            return f"A term of {_lower(what)} cannot be called {name}: that is a column of metrics.csv already."
        if name in method.Settings.weights():
            return (
                f"A term of {_lower(what)} cannot be called {name}: that is one of its weights, which has a curve too."
            )
    lacks = method.lacks
    if not (
        isinstance(lacks, Mapping) and lacks.keys() <= {"reconstruction", "kl"} and all(map(_is_line, lacks.values()))
    ):
        return f'lacks of {_lower(what)} must say why it has no "reconstruction" or no "kl".'
    return ""


def _wrong_network(what: str, network: Any) -> str:
    return "" if isinstance(network, Network) else f"{what} must be a Network, and is {_article(_type_of(network))}."


def _wrong_metric(what: str, metric: Any) -> str:
    if not isinstance(metric, Metric):
        return f"{what} must be a Metric, and is {_article(_type_of(metric))}."
    columns, needs = getattr(metric, "columns", None), metric.needs
    if not (isinstance(columns, tuple) and columns and all(isinstance(each, Column) for each in columns)):
        return f"columns of {_lower(what)} must be a tuple of columns, each made by column(...)."
    if not (isinstance(needs, frozenset | set) and all(isinstance(each, Need) for each in needs)):
        return f"needs of {_lower(what)} must be a set of Need.FACTORS and the like."
    return next((wrong for each in columns if (wrong := _wrong_column(what, each))), "")


def _wrong_column(what: str, column: Column) -> str:
    if wrong := _wrong_name(column.metric, f"a column of {_lower(what)}", UNDERSCORED):
        return wrong
    if column.metric in METRICS:
        return f"A column of {_lower(what)} is called {column.metric}, and there is already a metric of that name."
    if not (_is_line(column.title) and _is_line(column.about) and _is_line(column.protocol)):
        return f"The column {column.metric} of {_lower(what)} needs title, about and protocol, a line of text each."
    if column.better not in ("↑", "↓", ""):
        return f'better of the column {column.metric} must be "↑", "↓" or "", and is {_short(column.better)}.'
    decimals: Any = column.decimals
    if type(decimals) is not int or not 0 <= decimals <= MOST_DECIMALS:
        return f"decimals of the column {column.metric} must be from 0 to {MOST_DECIMALS}, and is {_short(decimals)}."
    return ""


def _wrong_dataset(what: str, entry: Any) -> str:
    if not isinstance(entry, Entry):
        return f"{what} must be an Entry, and is {_article(_type_of(entry))}."
    if not what.endswith(f" {entry.name}"):
        return f"{what} calls itself {_short(entry.name)}: both must be the same."
    if not all(map(_is_line, (entry.title, entry.description, entry.licence))):
        return f"{what} needs title, description and licence, a line of text each."
    if entry.own or entry.path_kind not in ("", "folder", "file", "folder or file"):
        return f'{what} must not set own, and its path_kind must be "", "folder", "file" or "folder or file".'
    return ""


_KINDS: dict[str, _Kind] = {
    "method": _Kind("methods", METHODS, DASHED, _wrong_method),
    "network": _Kind("networks", NETWORKS, DASHED, _wrong_network),
    "metric": _Kind("metrics", PLUGIN_METRICS, UNDERSCORED, _wrong_metric),
    "data set": _Kind("datasets", ENTRIES, DASHED, _wrong_dataset),
}


def _place(place: str) -> str:
    return f"{place}: " if place else ""


def _type_of(thing: object) -> str:
    return f"class {thing.__name__}" if inspect.isclass(thing) else type(thing).__name__


def _article(words: str) -> str:
    return f"{'an' if words[:1].lower() in 'aeiou' else 'a'} {words}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST + 2 else f"{text[:LONGEST]}..."


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value == one_line(value)


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _lower(what: str) -> str:
    return what[:1].lower() + what[1:]
