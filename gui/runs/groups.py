"""What the run list can group runs by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.evaluation.grouping import experiment_titles
from engine.runs.alike import Key
from engine.runs.run import short_method_title
from engine.runs.study_of import study_of
from engine.settings.run_config import DATASET_TITLES
from gui.runs.store import RunItem

NO_GROUPS = "None"

SEEDS = "Settings but the seed"

NAMES: dict[str, Callable[[RunItem], str]] = {
    "Study": lambda item: study_of(item.run, item.marks) or "No study",
    "Data set": lambda item: DATASET_TITLES[item.run.config.dataset],
    "Method": lambda item: short_method_title(item.run.config),
    "Tag": lambda item: " ".join(f"#{tag}" for tag in item.tags) or "No tag",
}
"""The name of a run's group, by what runs are grouped by."""

GROUPINGS = (NO_GROUPS, SEEDS, *NAMES)
"""What runs can be grouped by, by their titles in the menu."""


@dataclass(slots=True)
class Group:
    """A group in the list: its title, its runs that pass the filter, and whether it is folded.

    `key` is what they have in common if they are alike but for the seed.
    """

    title: str
    members: list[RunItem]
    folded: bool = False
    key: Key | None = None


def groups_of(items: Sequence[RunItem], by: str) -> dict[Path, Group]:
    """Return the group of each run by its folder; empty if runs are not grouped."""
    if by == SEEDS:
        alike: dict[Key, list[RunItem]] = {}
        for item in items:
            alike.setdefault(item.alike, []).append(item)
        titles = experiment_titles([members[0].run.config for members in alike.values()])
        found = [Group(title, members, key=key) for title, (key, members) in zip(titles, alike.items(), strict=True)]
    elif by in NAMES:
        named: dict[str, Group] = {}
        for item in items:
            name = NAMES[by](item)
            named.setdefault(name, Group(name, [])).members.append(item)
        found = list(named.values())
    else:
        return {}
    return {item.path: group for group in found for item in group.members}
