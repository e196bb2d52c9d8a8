"""Names of latents: those that the user gives, e.g. "thickness", stored in marks.json, and the factors they follow."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.jobs.events import Link
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


LEAST = 0.1
"""Share from which a latent is said to follow a factor."""


def followed(links: Iterable[Link]) -> dict[int, Link]:
    """Return the links that are worth showing by latent."""
    return {link.latent: link for link in links if link.share >= LEAST}


def link_text(link: Link) -> str:
    """Return what a latent follows, e.g. "≈ x position 0.43"."""
    return f"≈ {link.factor} {link.share:.2f}"


def link_words(link: Link) -> str:
    """Return what a latent follows as a sentence that explains the number."""
    over = f"over {link.images:,} images"
    if not link.majority:
        return f"z{link.latent} ≈ {link.factor}: it explains {link.share:.0%} of the variance of z{link.latent} {over}."
    each = ", ".join(f"{number}: {value or 'none'}" for number, value in enumerate(link.majority))
    return (
        f"z{link.latent} ≈ {link.factor}: knowing the category avoids {link.share:.0%} of the errors in guessing it "
        f"{over}. Most frequent {link.factor} of each category: {each}."
    )
