"""Selected runs as the curves to draw: runs that are alike but for the seed as one, opened or closed."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from engine.evaluation.grouping import experiment_titles
from engine.runs.alike import Key, seed_groups
from engine.runs.bands import SPREADS, BandReader
from engine.runs.run import Run
from gui.runs.store import RunItem

MOST_READ = 200
"""Maximum number of runs whose curves are read for one screen of curves: each takes about 5 ms and 300 KB."""


class SeedBand:
    """Runs that are alike but for the seed, which is drawn like a single run: the first of them, with a spread."""

    def __init__(self, members: Sequence[RunItem], title: str, spread: str, *, opened: bool) -> None:
        self.members, self.spread, self.opened = members, spread, opened
        self.key = members[0].alike
        self.name = f"{title} · {len(members)} seeds"
        self.metrics = BandReader([item.metrics for item in members], spread)

    @property
    def path(self) -> Path:
        """What identifies its curves; no folder has this name."""
        return self.members[0].path / "seeds"

    @property
    def run(self) -> Run:
        """The run of the first seed, for the settings that all have in common."""
        return self.members[0].run

    @property
    def colour(self) -> int:
        """The colour of the first seed's run."""
        return self.members[0].colour

    @property
    def about(self) -> str:
        """What the curve is, in a sentence or two."""
        seeds = ", ".join(str(item.run.config.seed) for item in self.members)
        return (
            f"Mean and {SPREADS[self.spread]} over the seeds {seeds}, step by step. Where a seed has no row at a step, "
            "its value is interpolated between the rows before and after it, never beyond its ends; the crosshair says "
            "how many seeds there are at a step, and how many of them are interpolated. Smoothing applies to each seed."
        )


Subject: TypeAlias = RunItem | SeedBand
"""What a curve is drawn of."""


def grouped_by_seed(items: Sequence[RunItem]) -> list[list[RunItem]]:
    """Return the runs that are alike but for the seed together."""
    return seed_groups(items, lambda item: item.alike, lambda item: item.run.config.seed)


def shown_first(groups: Sequence[list[RunItem]], opened: Collection[Key], most: int) -> list[list[RunItem]]:
    """Return the first groups, which make up at most so many curves; no group is cut, nor the first left out."""
    found: list[list[RunItem]] = []
    curves = runs = 0
    for group in groups:
        curves += 1 + (len(group) if len(group) > 1 and group[0].alike in opened else 0)
        runs += len(group)
        if found and (curves > most or runs > MOST_READ):
            break
        found.append(group)
    return found


def subjects_of(groups: Sequence[list[RunItem]], spread: str, opened: Collection[Key]) -> list[Subject]:
    """Return a band for each group of several runs, followed by the runs themselves if it is opened; else the run."""
    titles = experiment_titles([group[0].run.config for group in groups])
    found: list[Subject] = []
    for group, title in zip(groups, titles, strict=True):
        if len(group) > 1:
            is_open = group[0].alike in opened
            found.append(SeedBand(group, title, spread, opened=is_open))
            found += group if is_open else []
        else:
            found += group
    return found
