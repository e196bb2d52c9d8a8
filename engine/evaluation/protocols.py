"""Protocols of metrics as text."""

from collections.abc import Mapping
from typing import Any

from engine.evaluation.catalogue import Column
from engine.evaluation.results import plugin_of
from engine.system.plain_text import one_line

SPLITS = {"train": "training images", "test": "test images", "all": "images", "generated": "generated images"}

MOST_NAMES = 8
"""Maximum number of runs that a protocol names."""


def protocol_text(entry: Mapping[str, Any], column: Column, *, interval: bool = True) -> str:
    """Return the protocol of an entry of evaluation.json as a sentence, with its 95 % interval if it has one."""
    protocol = entry.get("protocol", {})
    parts = [str(protocol.get("name", "no protocol was recorded")), counts_text(protocol)]
    if source := _source_text(protocol):
        parts.append(source)
    elif protocol.get("z"):
        parts.append("z sampled" if protocol["z"] == "sampled" else "z = posterior mean")
    if protocol.get("factors"):
        parts.append(f"factors: {', '.join(map(str, protocol['factors']))}")
    if protocol.get("among"):
        parts.append(_among(protocol["among"]))
    if subset := _subset_text(protocol):
        parts.append(subset)
    if plugin := plugin_of(entry):
        parts.append(f"computed by the plug-in {plugin.get('name', '')} {plugin.get('version', '')}".rstrip())
    words = one_line("; ".join(parts))
    if interval and entry.get("interval"):
        low, high = entry["interval"]
        decimals = max(column.decimals, 1)
        words += f"; 95 % interval {low:.{decimals}f} to {high:.{decimals}f}"
        words += f" {protocol['interval']}" if protocol.get("interval") else ""
    return words


def _among(names: Any) -> str:
    """The runs that were compared, the first by name."""
    known = [str(name) for name in names] if isinstance(names, list) else []
    more = f" and {len(known) - MOST_NAMES:,} others" if len(known) > MOST_NAMES else ""
    return f"compared {len(known):,} runs: {', '.join(known[:MOST_NAMES])}{more}"


def counts_text(protocol: Mapping[str, Any]) -> str:
    """Return how many images, or points of several images, a value is computed from, and how many there are in all.

    A protocol of version 1.0.0 does not record the latter.
    """
    n, of, tested = protocol.get("n"), protocol.get("of"), protocol.get("n_test")
    images = SPLITS.get(str(protocol.get("split")), "images")
    if protocol.get("pairs") or protocol.get("batch"):
        kind = "pairs" if protocol.get("pairs") else "batch"
        each = f"{_number(protocol[kind])} {'pairs' if kind == 'pairs' else 'images'}"
        words = f"{_number(n)} points of {each} drawn from all {f'{_number(of)} ' if of else ''}{images}"
    elif of is not None and of == n:
        words = f"all {_number(n)} {images}"
    else:
        words = f"{_number(n)} of {f'{_number(of)} ' if of else 'the '}{images}"
    return f"{words}, tested on {_number(tested)} others" if tested else words


def _subset_text(protocol: Mapping[str, Any]) -> str:
    """What a run was trained on if that was a subset, which the images of the value need not belong to."""
    trained = protocol.get("trained_on")
    if not isinstance(trained, Mapping):
        return ""
    count = f"{_number(trained.get('n'))} of {_number(trained.get('of'))} training images"
    return f"the run was trained on {count}: {trained.get('subset', '')}"


def _source_text(protocol: Mapping[str, Any]) -> str:
    """Where the codes come from, if not from a model trained here."""
    source = protocol.get("from_elsewhere")
    return one_line(str(source.get("words", "")), 300) if isinstance(source, Mapping) else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown"
