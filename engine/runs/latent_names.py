"""Names that the user gives to latents, e.g. "thickness"; stored in the run's marks.json."""

import re
from collections.abc import Mapping
from typing import Any

from engine.system.plain_text import one_line

NUMBER = re.compile(r"[0-9]{1,4}")
"""A latent's number in marks.json."""

MAX_CHARACTERS = 40
"""Characters of a name."""


def latent_names(marks: dict[str, Any]) -> dict[int, str]:
    """Return the names of latents by number, from a run's marks; invalid ones are left out."""
    kept = marks.get("latents")
    if not isinstance(kept, dict):
        return {}
    named = {
        i: one_line(name, MAX_CHARACTERS) for i, name in kept.items() if NUMBER.fullmatch(i) and isinstance(name, str)
    }
    return {int(i): name for i, name in named.items() if name}


def latent_title(latent: int, names: Mapping[int, str]) -> str:
    """Return the title of a latent, e.g. "z3 (thickness)"."""
    return f"z{latent} ({names[latent]})" if latent in names else f"z{latent}"
