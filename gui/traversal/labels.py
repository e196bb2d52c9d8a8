"""Words for the values of latents."""

from collections.abc import Sequence


def value_words(value: float, decimals: int = 2) -> str:
    """Return a value with its sign and a true minus; zero has no sign."""
    text = f"{value:+.{decimals}f}"
    return text[1:].lstrip("+") if float(text) == 0 else text.replace("-", "−")


def heading_words(values: Sequence[float]) -> list[str]:
    """Return values with as many decimals as all of them need, two at most, so that steps look even."""
    for decimals in (0, 1):
        if all(abs(value - round(value, decimals)) < 1e-6 for value in values):
            break
    else:
        decimals = 2
    return [value_words(value, max(1, decimals)) for value in values]
