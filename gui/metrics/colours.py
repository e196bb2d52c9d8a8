"""The colour of each row of the table, as the number of a run colour."""

from collections.abc import Mapping
from pathlib import Path

from engine.evaluation.table import Table
from engine.methods.registry import METHODS
from engine.runs.run import COLOURS

OTHERS = (3, 5, 6, 7, 1, 2, 4, 0)


def colours_of(table: Table, of_runs: Mapping[Path, int], *, methods: bool) -> list[int]:
    """Return a colour for each row: a run's own, or one per method, the same wherever the method occurs."""
    found: list[int] = []
    by_title: dict[str, int] = {}
    for line in table.lines:
        first = line.rows[0]
        if not methods:
            found.append(of_runs.get(first.path, 0) if first.path else 0)
            continue
        if line.title not in by_title:
            usual = METHODS[first.config.objective].colour
            free = [c for c in (usual, *OTHERS) if c not in by_title.values()]
            by_title[line.title] = free[0] if free else len(by_title) % COLOURS
        found.append(by_title[line.title])
    return found
