"""How the rows of the table look in charts: a colour, and further shapes when all colours are used."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.evaluation.table import Table
from engine.methods.registry import METHODS
from engine.runs.colours import FURTHER, PALETTE, distinct

SHAPES = 4
"""Number of shapes: disc, square, triangle, diamond."""

OTHERS = (3, 5, 6, 7, 1, 2, 4, 0)


class Look(NamedTuple):
    """A colour as #rrggbb, and the number of a shape, below `SHAPES`."""

    colour: str
    shape: int = 0


def looks_of(table: Table, of_runs: Mapping[Path, int], *, methods: bool, selected: Collection[Path] = ()) -> list[int]:
    """Return the number of a look for each row: a run's own, or one per method, the same wherever it occurs.

    No two runs have the same: a row whose run is `selected` keeps the run's own first.
    """
    if not methods:
        paths = [line.rows[0].path or Path() for line in table.lines]
        order = sorted(range(len(paths)), key=lambda place: paths[place] not in selected)
        numbers = dict(zip(order, distinct([of_runs.get(paths[place], 0) for place in order]), strict=True))
        return [numbers[place] for place in range(len(paths))]
    found: list[int] = []
    by_title: dict[str, int] = {}
    for line in table.lines:
        first = line.rows[0]
        if line.title not in by_title:
            usual = METHODS[first.config.objective].colour
            free = [c for c in (usual, *OTHERS) if c not in by_title.values()]
            by_title[line.title] = free[0] if free else len(by_title)
        found.append(by_title[line.title])
    return found


def look(number: int, palette: Sequence[str] = PALETTE + FURTHER) -> Look:
    """Return a look by its number: the colours of a palette with the first shape, then with the next."""
    return Look(palette[number % len(palette)], number // len(palette) % SHAPES)
