"""The Data page's description of a data set, as rich text."""

from functools import partial
from html import escape as html_escape
from pathlib import Path

from engine.data import ENTRIES, Dataset, Entry, disk_used
from engine.system.paths import readable
from engine.system.plain_text import one_line
from gui.plugins.words import origin_tip

MOST_CLASSES = 20
"""Maximum number of classes that are named."""

escape = partial(html_escape, quote=False)
"""Escapes text between tags, where quotes need no escaping."""


def facts(entry: Entry, path: Path | None, dataset: Dataset | None) -> str:
    """Return lines about a data set at `path`: what is known beforehand, or what was found when it was loaded."""
    lines = [escape(entry.description)]
    lines += _announced(entry) if dataset is None else _found(dataset)
    if words := origin_tip(ENTRIES.origin(entry.name)):
        lines.append(escape(words))
    lines.append(escape(f"Licence: {entry.licence}" + (f" · {entry.citation}" if entry.citation else "")))
    used = disk_used(entry.name)
    if used:
        lines.append(f"Disk used in the cache: {used / 1e6:,.0f} MB")
    place = escape(one_line(readable(path))) if path is not None else ""
    if place and not any(place in line for line in lines):
        lines.append(f"From {place}")
    return "<br>".join(lines)


def _found(data: Dataset) -> list[str]:
    height, width, channels = data.image_shape
    splits = ", ".join(f"{name}: {len(indices):,}" for name, indices in data.splits.items())
    colour = "grey" if channels == 1 else "colour"
    lines = [f"<b>{len(data):,}</b> images, {height} × {width}, {colour} ({escape(splits)})"]
    lines.append(escape(f"Source: {data.source}"))
    if data.label_names:
        named = ", ".join(data.label_names[:MOST_CLASSES])
        lines.append(escape(f"Classes: {named}{', …' if data.classes > MOST_CLASSES else ''}"))
    if data.factors is not None:
        sizes = zip(data.factors.names, data.factors.sizes, strict=True)
        lines.append(escape("Factors: " + ", ".join(f"{name} ({size})" for name, size in sizes)))
    return [*lines, *map(escape, data.notes)]


def _announced(entry: Entry) -> list[str]:
    lines = []
    if entry.images:
        lines.append(f"<b>{entry.images:,}</b> images, {' × '.join(map(str, entry.shape[:2]))}")
    lines.append(escape(f"Classes: {entry.classes}"))
    if entry.factors:
        lines.append(escape(f"Factors: {entry.factors}"))
    return lines
