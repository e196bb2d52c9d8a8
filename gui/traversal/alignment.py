"""Which latents of several runs stand in one row of the comparison: those that follow the same factor or class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from engine.jobs.events import Link
from engine.runs.divergence import is_active

if TYPE_CHECKING:
    from engine.traversal import Traversal


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A run's traversal with the latents' names and what they follow, or a sentence that says why there is none."""

    name: str
    names: Mapping[int, str]
    traversal: "Traversal | None"
    links: Mapping[int, Link] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the comparison: what its latents follow ("" for nothing), and for each run the row of its traversal.

    It is None for a run that has no latent for it.
    """

    factor: str
    rows: tuple[int | None, ...]


def aligned(runs: Sequence[Compared], min_kl: float = 0.0) -> list[Line]:
    """Return the rows of a comparison: factors in the order of the first run's latents, then latents without a factor.

    Inactive latents and those with a KL below `min_kl`, in nats, are left out. If several latents of a run follow a
    factor, the one that follows it most closely comes first.
    """
    of_runs = [_rows_by_factor(run, min_kl) for run in runs]
    factors = [factor for factor in dict.fromkeys(factor for found in of_runs for factor in found) if factor]
    lines = []
    for factor in (*factors, ""):
        each = [found.get(factor, []) for found in of_runs]
        for place in range(max(map(len, each), default=0)):
            lines.append(Line(factor, tuple(rows[place] if place < len(rows) else None for rows in each)))
    return lines


def _rows_by_factor(run: Compared, min_kl: float) -> dict[str, list[int]]:
    """Return the rows of a run's traversal by what their latents follow, in the order of the traversal."""
    found: dict[str, list[int]] = {}
    grid, links = run.traversal, run.links
    if grid is None:
        return found
    for row, (latent, kl) in enumerate(zip(grid.latents, grid.kl, strict=True)):
        if np.isnan(kl) or (is_active(kl) and kl >= min_kl):
            found.setdefault(links[latent].factor if latent in links else "", []).append(row)
    for factor, rows in found.items():
        if factor:
            rows.sort(key=lambda row: -links[grid.latents[row]].share)
    return found
