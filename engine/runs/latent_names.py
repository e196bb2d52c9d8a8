"""Names that a person gives latents, e.g. "thickness"; kept with the run, in marks.json."""

import re
from collections.abc import Mapping
from typing import Any

from engine.system.plain_text import one_line

NUMBER = re.compile(r"[0-9]{1,4}")
"""A latent, as marks.json has it."""

LONGEST = 40
"""Letters of a name."""


def latent_names(marks: dict[str, Any]) -> dict[int, str]:
    """Names of latents by number, from a run's marks; what is damaged there is left out."""
    kept = marks.get("latents")
    if not isinstance(kept, dict):
        return {}
    named = {i: one_line(name, LONGEST) for i, name in kept.items() if NUMBER.fullmatch(i) and isinstance(name, str)}
    return {int(i): name for i, name in named.items() if name}


def latent_title(latent: int, names: Mapping[int, str]) -> str:
    """Return what a latent is called in a line, e.g. "z3 (thickness)"."""
    return f"z{latent} ({names[latent]})" if latent in names else f"z{latent}"
