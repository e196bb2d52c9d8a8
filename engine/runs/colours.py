"""Colours of runs, latents and classes, the same in the window and in figures."""

from collections.abc import Sequence
from itertools import count

PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A5195", "#6E6E6E")
"""Colours that colour-blind people can distinguish, after Okabe & Ito (2008); the yellow is darker, for white paper."""

FURTHER = ("#8C4A2F", "#2F4F8F", "#6B8E23", "#C2185B", "#00838F", "#9C27B0", "#E57373", "#37474F")
"""Colours lent to runs that are shown beside another one of the same colour, and further colours of classes."""

CLASSES = PALETTE + FURTHER
"""Colours of classes, of which there are often ten; more than sixteen share them."""


def distinct(wanted: Sequence[int]) -> list[int]:
    """Return a number for each run so that none occurs twice: the one wanted, for the first run that wants it.

    The others get the first free numbers from `len(PALETTE)` on: colours of `FURTHER`, then none that a palette has.
    """
    taken: set[int] = set()
    free = count(len(PALETTE))
    found = []
    for number in wanted:
        while number in taken:
            number = next(free)
        taken.add(number)
        found.append(number)
    return found
