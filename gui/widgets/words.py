"""Quantities as text."""

from engine.system.numbers import rounded_text

GREEK = {"beta": "β", "gamma": "γ", "lambda": "λ", "sigma": "σ", "mu": "μ", "rho": "ρ"}
"""Greek letters, by the names that users type to search for them."""


def duration(seconds: float) -> str:
    """Return a duration as text, e.g. "2 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def room(size: float) -> str:
    """Return a number of bytes as text, e.g. "12 MB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{rounded_text(size / factor)} {unit}"
    return f"{size / 1e3:.0f} kB"


def count(number: int, thing: str) -> str:
    """Return a number with a noun, e.g. "1 run", "2 runs"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def spelt(name: str) -> str:
    """Return a name in lower case with Greek letters spelt out, as it is typed, e.g. "beta-vae"."""
    name = name.casefold()
    for word, letter in GREEK.items():
        name = name.replace(letter, word)
    return name


def shortened(name: str, most: int) -> str:
    """Return a name shortened to `most` characters; both ends are kept, as names of runs may differ at either."""
    if len(name) <= most:
        return name
    head = most // 2
    return f"{name[:head].rstrip()}…{name[head + 1 - most :].lstrip()}"
