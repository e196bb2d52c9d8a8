"""Help topics generated from the code itself, so that they cannot go out of date."""

import argparse
import re
import tomllib
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from pydantic.fields import FieldInfo

from engine.evaluation.catalogue import BETTER, GROUPS, IMAGES, METRICS, Column
from engine.evaluation.explanations import explanation
from engine.evaluation.rows import dataset_title, read_row
from engine.gallery import Model, read_gallery
from engine.gallery.models import mixed_latents, values_of
from engine.methods.registry import METHODS, by_supervision, setting_key
from engine.plugins.registering import PLUGINS
from engine.runs.latent_names import latent_names, latent_title
from engine.settings.run_config import Group, RunConfig
from engine.system.fields import choices_of, group_of, help_of, is_weight, range_text, unit_of
from engine.system.paths import RESOURCES
from engine.system.program import COMMAND
from engine.system.registry import Origin
from engine.system.schedule import Schedule, weight_text

WALKED = (
    "active_latents", "mig", "dci_disentanglement", "dci_fast_disentanglement", "dci_fast_completeness", "factor_vae",
    "beta_vae", "category_error",
)  # fmt: skip
"""Metrics of the gallery's models that the walk through them shows."""

SEE_OF_FIELDS = {
    "dataset": "data",
    "data_folder": "data",
    "subset": "data#subset",
    "image_size": "data#own",
    "objective": "methods",
    "conditional": "methods#conditional",
    "capacity": "methods#capacity",
    "network": "networks",
    "normalisation": "networks#normalisation",
    "preview_steps": "pictures",
    "log_steps": "curves",
    "score_steps": "curves#scores",
    "keep_steps": "runs#keeping",
}
"""Where the help explains a setting further; by default, a method's setting leads to the method's section."""


def settings_topic() -> str:
    """Return the help on every field of RunConfig: title, help, range, default, name."""
    parts = [
        "<h1>All settings</h1>",
        "<p>The fields of the form on the Training page, in the same order. The name in <code>code</code> is used with "
        "<code>--set</code> on the <a href='command-line'>command line</a> and in <code>config.json</code>. In the "
        "form, a coloured label marks a setting that differs from the preset.</p>",
    ]
    for group in Group:
        if group is Group.METHOD:
            parts += _own_settings()
            continue
        parts.append(f"<h3>{escape(group.value)}</h3>")
        fields = {name: field for name, field in RunConfig.model_fields.items() if group_of(field) == group}
        parts += [_setting(name, name, field) for name, field in fields.items()]
    return "\n".join(parts)


def _own_settings() -> list[str]:
    """Return the methods' own settings, each under the methods that share it."""
    owners: dict[str, list[str]] = {}
    for objective, method in METHODS.items():
        for name in method.Settings.model_fields:
            owners.setdefault(setting_key(objective, name), []).append(objective)
    parts, heading, titles = [], "", set()
    for key, objectives in owners.items():
        methods = [METHODS[objective] for objective in objectives]
        above = ", ".join(method.title for method in methods)
        origin = METHODS.origin(objectives[0])
        more = f"methods#{objectives[0]}" if origin is None else _place(origin)
        if above != heading:
            parts.append(f"<h3>{escape(above)}</h3>{_whose(origin)}")
            heading = above
        name = key.removeprefix(f"{objectives[0]}-")
        field = methods[0].Settings.model_fields[name]
        title = field.title or name
        whose = above if key != name or title in titles else ""
        titles.add(title)
        parts.append(_setting(key, name, field, more, whose))
    return parts


def _setting(key: str, name: str, field: FieldInfo, usual: str = "", whose: str = "") -> str:
    """Return a setting's title, help and facts; `whose` distinguishes it from others of the same name."""
    facts = [f"<code>{name}</code>", *_facts(field)]
    see = SEE_OF_FIELDS.get(key, usual)
    title = f"{field.title or name} ({whose})" if whose else field.title or name
    more = f" <a href='{see}'>More…</a>" if see else ""
    return (
        f"<h2 id='{key}'>{escape(title)}</h2><p>{escape(help_of(field))}{more}</p>"
        f"<p class='muted'>{' · '.join(facts)}</p>"
    )


def _facts(field: FieldInfo) -> list[str]:
    """Return the allowed values of a field and its default."""
    choices = choices_of(field)
    facts = [range_text(field)] if range_text(field) and not choices else []
    if choices:
        facts.append("one of " + ", ".join(escape(title) for title in choices.values()))
    default = field.default
    if default is None or default == ():
        return facts
    unit = unit_of(field)
    words = choices.get(str(default)) or _value(default, unit)
    facts.append(f"default {escape(words)}")
    return [*facts, "<a href='methods#schedules'>may follow a schedule</a>"] if is_weight(field) else facts


def _value(value: object, unit: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float | Schedule):
        return weight_text(value, unit)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value} {unit}" if unit else str(value)


def _place(origin: Origin) -> str:
    """Return where the help lists what a plug-in provides."""
    return f"plugins#plugin-{origin.plugin}"


def _whose(origin: Origin | None) -> str:
    """Return a line that says which plug-in something comes from; empty for the application's own."""
    return "" if origin is None else f"<p>From <a href='{_place(origin)}'>{escape(origin.words)}</a>.</p>"


COMPARISON = "<!-- comparison -->"
"""Where methods.html has the table of all methods."""


def methods_topic() -> str:
    """Return the help on the methods: each with its supervision and name, and the table that compares them."""
    text = (RESOURCES / "help" / "methods.html").read_text(encoding="utf-8")
    for name, method in METHODS.items():
        heading = re.compile(rf'(<h2 id="{name}">.*?</h2>\n)', re.DOTALL)
        said = f"<p class='muted'>{method.supervision} · <code>{name}</code></p>"
        text = heading.sub(rf"\1{said}", text)
    return text.replace(COMPARISON, _comparison())


def _comparison() -> str:
    """Return the table of methods by supervision: what each assumes, what a step costs, when to take it."""
    words = _toml("methods.toml")
    costs = _toml("costs.toml")
    rows = ["<tr><th>Method</th><th>Assumes</th><th>Step</th><th>When to take it</th></tr>"]
    for label, names in by_supervision().items():
        rows.append(f"<tr><td colspan='4'><b>{label[:1].upper()}{label[1:]}</b></td></tr>")
        rows += [_compared(name, words.get(name), costs.get(name, {}).get("step")) for name in names]
    shares = [100 * costs[name]["outside_torch"] for name in METHODS if name in costs]
    note = (
        "Step: how long a training step takes, in steps of the VAE; measured with one thread, batches of 64 images of "
        "64 × 64 pixels, and the plain network where a method has none of its own (InfoGAN's, made for 28 × 28 pixels, "
        f"is slow at this size). Of a step, {min(shares):.1f} to {max(shares):.1f} % are spent outside PyTorch."
    )
    return f"<table>{''.join(rows)}</table><p class='muted'>{note}</p>"


def _compared(name: str, words: Mapping[str, str] | None, step: float | None) -> str:
    """A row of the comparison. A plug-in's method has its own description, and its cost was not measured."""
    method, origin = METHODS[name], METHODS.origin(name)
    if words is None:
        whose = _whose(origin).removeprefix("<p>").removesuffix("</p>")
        assumes, when = " ".join(filter(None, (escape(method.about or method.formula) + ".", whose))), ""
    else:
        assumes, when = escape(words["assumes"]), escape(words["when"])
    where = f"methods#{name}" if origin is None else _place(origin)
    cost = "–" if step is None else f"{step:.1f}" if step < 10 else f"{step:.0f}"
    title = f"<a href='{where}'>{escape(method.title)}</a>"
    return f"<tr><td>{title}</td><td>{assumes}</td><td>{cost}</td><td>{when}</td></tr>"


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((RESOURCES / "help" / name).read_text(encoding="utf-8"))


def plugins_topic() -> str:
    """Return the help on plug-ins, with what the loaded ones provide."""
    parts = [(RESOURCES / "help" / "plugins.html").read_text(encoding="utf-8")]
    if PLUGINS:
        parts.append("<h3>Loaded now</h3>")
    for name, plugin in PLUGINS.items():
        origin = PLUGINS.origin(name)
        parts.append(f"<h2 id='plugin-{name}'>{escape(name)} {escape(plugin.version)}</h2>")
        parts.append(f"<p>{escape(plugin.about)}</p>" if plugin.about else "")
        things = [
            *(
                f"Method <b>{escape(method.title)}</b> (<code>{key}</code>), {method.supervision}: "
                f"{escape(method.formula)} ({escape(method.source)})"
                for key, method in plugin.methods.items()
            ),
            *(
                f"Network <b>{escape(network.title)}</b> (<code>{key}</code>): {escape(network.about)}"
                for key, network in plugin.networks.items()
            ),
            *(
                f"Metric <a href='metrics#{column.metric}'><b>{escape(column.name)}</b></a>: {escape(column.about)}"
                for metric in plugin.metrics.values()
                for column in metric.columns
            ),
            *(
                f"Data set <b>{escape(entry.title)}</b> (<code>{key}</code>): {escape(entry.description)}"
                for key, entry in plugin.datasets.items()
            ),
        ]
        parts.append(f"<ul>{''.join(f'<li>{thing}</li>' for thing in things)}</ul>")
        parts.append(f"<p class='muted'>{escape(origin.place)}</p>" if origin is not None else "")
    return "\n".join(parts)


def metrics_topic() -> str:
    """Return the help on every metric of the catalogue: definition, protocol, and where it misleads."""
    more = _toml("metrics.toml")
    parts = [
        "<h1>All metrics</h1>",
        "<p>A number without its protocol cannot be compared. Losses, KL and sharpness are means over up to "
        f"{IMAGES:,} test images, or over images drawn from the whole data set if it has no split. Scores that need "
        "ground-truth factors are computed on images drawn from the whole data set, with z = posterior mean and the "
        "factors that vary (dSprites: five, including shape). Sample counts and settings of the published scores are "
        "those of disentanglement_lib. <a href='table'>The Metrics page</a> explains how to read the table.</p>",
    ]
    for group, time in GROUPS.items():
        columns = [column for column in METRICS.values() if column.group == group]
        if columns:
            parts.append(f"<h3>{escape(group)} · takes {escape(time)}</h3>")
        parts += [_metric(column, more.get(column.metric, {})) for column in columns]
    return "\n".join(parts)


def _metric(column: Column, more: Mapping[str, str]) -> str:
    unit = f" In {escape(column.unit)}." if column.unit else ""
    parts = [
        f"<h2 id='{column.metric}'>{escape(column.name)}</h2>{_whose(METRICS.origin(column.metric))}",
        f"<p>{escape(column.about)} {BETTER[column.better]}{unit}</p>",
    ]
    if "formula" in more:
        parts.append(f"<p class='picture'><img src='formula:{more['formula']}'></p>")
    if column.protocol:
        parts.append(f"<p><b>Protocol.</b> {escape(column.protocol[:1].upper() + column.protocol[1:])}.</p>")
    if column.metric == "disentanglement":
        parts.append("<p><a href='score'>The score, step by step</a></p>")
    if "misleads" in more:
        parts.append(f"<p><b>Where it misleads.</b> {escape(more['misleads'])}</p>")
    parts.append(f"<p class='muted'><code>{column.metric}</code></p>")
    return "\n".join(parts)


def keyboard_topic(keys: Mapping[str, str]) -> str:
    """Return the list of all keyboard shortcuts."""
    rows = "".join(f"<tr><td><b>{escape(key)}</b></td><td>{escape(words)}</td></tr>" for key, words in keys.items())
    return (
        "<h1>Keyboard shortcuts</h1><p>Everything can be done without a mouse: Tab and Shift+Tab move from field to "
        "field, Space presses a button, and the arrow keys move within the focused element.</p>"
        f"<table><tr><th>Key</th><th>Action</th></tr>{rows}</table>"
    )


def command_line_topic() -> str:
    """Return every command with its options, taken from the argument parser."""
    from engine.cli.main import commands_of, parser

    main = parser()
    parts = [
        "<h1>The command line</h1>",
        f"<p>The same engine without the window: <code>{COMMAND} …</code>. Runs trained there appear in the "
        "window, and vice versa. Progress goes to stderr; <code>train</code> and <code>resume</code> print the run's "
        "folder as the last line on stdout. Ctrl-C saves a checkpoint and exits with status 130; wrong usage exits "
        "with 2 and a failure with 1, each with one line that says what to do. RUN is a run's folder or its name.</p>",
        "<h2 id='window'>The window</h2>",
        _options(main),
    ]
    for name, command in commands_of(main).items():
        words = escape(command.description or "")
        usage = escape(" ".join(command.format_usage().removeprefix("usage: ").split()))
        parts.append(f"<h2 id='{name}'>{name}</h2><p>{words}</p><p><code>{usage}</code></p>{_options(command)}")
    return "\n".join(parts)


def _options(parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in parser._actions:
        if action.help and not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
            names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            rows.append(f"<tr><td><code>{escape(names)}</code></td><td>{escape(action.help)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


MODELS = "<!-- models -->"
"""Where gallery.html has the models."""


def gallery_topic() -> str:
    """Return the walk through the gallery's models, with the numbers of their evaluations."""
    text = (RESOURCES / "help" / "gallery.html").read_text(encoding="utf-8")
    models, problems = read_gallery()
    parts = [*(_model(model) for model in models), *(f"<p>{escape(problem)}</p>" for problem in problems)]
    return text.replace(MODELS, "\n".join(parts))


def _model(model: Model) -> str:
    """A model of the gallery: its pictures, its story, its numbers, and why its scores are what they are."""
    row = read_row(model.run)
    names = latent_names(model.run.marks())
    parts = [
        f"<h2 id='{model.run.path.name}'>{escape(model.title)}</h2>",
        f"<p class='muted'>{escape(model.run.config.method_title)} · {model.run.config.supervision} · "
        f"{escape(dataset_title(model.run.config))} · {row.step:,} steps</p>",
        f"<p class='picture'><img src='gallery:{model.run.path.name}'></p>",
        f"<p>{escape(model.story)}</p>",
    ]
    values = values_of(row, WALKED)
    if values:
        heads = "".join(f"<th>{escape(value.full)}</th>" for value in values)
        cells = "".join(f"<td>{escape(value.text)}</td>" for value in values)
        parts.append(f"<table><tr>{heads}</tr><tr>{cells}</tr></table>")
    if words := explanation(row, "mig", names):
        parts.append(f"<p><b>MIG:</b> {escape(words)}</p>")
    if mixed := mixed_latents(row):
        each = "; ".join(f"{latent_title(z, names)} mixes {', '.join(factors)}" for z, factors in mixed.items())
        parts.append(f"<p><b>DCI:</b> {escape(each)}.</p>")
    elif mixed is not None:
        parts.append("<p><b>DCI:</b> no latent in use mixes factors.</p>")
    parts.append(
        f"<p class='muted'>Pixels differ from those of the original weights by at most {model.largest_difference} of "
        f"255 grey levels, on average by {model.mean_difference:.2f}.</p>"
    )
    return "\n".join(parts)


GENERATED: dict[str, Callable[[], str]] = {
    "methods": methods_topic,
    "settings": settings_topic,
    "metrics": metrics_topic,
    "command-line": command_line_topic,
    "plugins": plugins_topic,
    "gallery": gallery_topic,
}
"""Generated topics by name; the keyboard topic is not among them, as it needs the window."""
