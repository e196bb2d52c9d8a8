"""How a value was computed, in words."""

from collections.abc import Mapping
from typing import Any

from engine.evaluation.catalogue import Column


def protocol_words(entry: Mapping[str, Any], column: Column, *, interval: bool = True) -> str:
    """Return the protocol of an entry of evaluation.json as a sentence, with its 95 % interval where it has one."""
    protocol = entry.get("protocol", {})
    parts = [str(protocol.get("name", "no protocol was kept")), f"n = {_number(protocol.get('n'))}"]
    if protocol.get("n_test"):
        parts.append(f"tested on {_number(protocol['n_test'])} others")
    if protocol.get("split"):
        parts.append(f"{protocol['split']} images")
    if protocol.get("z"):
        parts.append("z sampled" if protocol["z"] == "sampled" else "z = posterior mean")
    if protocol.get("factors"):
        parts.append(f"factors: {', '.join(map(str, protocol['factors']))}")
    words = "; ".join(parts)
    if interval and entry.get("interval"):
        low, high = entry["interval"]
        decimals = max(column.decimals, 1)
        words += f"; 95 % interval {low:.{decimals}f} to {high:.{decimals}f}"
    return words


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown"
