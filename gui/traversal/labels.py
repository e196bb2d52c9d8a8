"""Text for the values of latents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.methods.latents import Latent

if TYPE_CHECKING:
    from engine.traversal import Traversal


def value_text(value: float, decimals: int = 2) -> str:
    """Return a value with its sign and a typographic minus; zero has no sign."""
    text = f"{value:+.{decimals}f}"
    return text[1:].lstrip("+") if float(text) == 0 else text.replace("-", "−")


def latent_text(value: float, kind: Latent) -> str:
    """Return a latent's value as text; for a category or code, its number."""
    return f"{value:.0f}" if kind.integer else value_text(value)


def tips_of(traversal: "Traversal", row: int) -> list[str]:
    """Return a tooltip for each image of a row."""
    kind, latent = traversal.kinds[row], traversal.latents[row]
    return [f"z{latent} = {latent_text(value, kind)}" for value in traversal.values[row]]


def column_headings(traversal: "Traversal") -> list[str]:
    """Return the headings of a traversal's columns; empty where rows have different values."""
    words = heading_texts(traversal.columns)
    if traversal.columns and all(kind.integer for kind in traversal.kinds):
        words = [latent_text(value, traversal.kinds[0]) for value in traversal.columns]
    return [*words, *[""] * (traversal.images.shape[1] - len(words))]


def heading_texts(values: Sequence[float]) -> list[str]:
    """Return values with as many decimals as they all need, at most two, so that steps look even."""
    for decimals in (0, 1):
        if all(abs(value - round(value, decimals)) < 1e-6 for value in values):
            break
    else:
        decimals = 2
    return [value_text(value, max(1, decimals)) for value in values]
