"""What cannot be read when the window opens, in one message: how many, the first names, and what was kept."""

from collections.abc import Mapping, Sequence

from engine.folders import chosen_folders
from engine.presets import unreadable_presets
from engine.queue import RunQueue
from engine.studies.files import unreadable_studies
from gui.run_store import RunItem
from gui.words import count, shortened

NAMED = 3
"""Names in a message; of more it says how many."""

LONGEST_NAME = 32
LONGEST_REASON = 300
"""Letters."""


def runs_left_out(broken: Mapping[str, str], items: Sequence[RunItem]) -> str:
    """Say which runs are not in the list, given why by their names, and which are shown without damaged files."""
    partial = {item.name: " ".join(item.problems) for item in items if item.problems}
    found = (
        _words(broken, "is left out of the list; its folder was not changed", "are left out of the list", "run"),
        _words(
            partial, "is shown without this file", "are shown without damaged files (point at one to see why)", "run"
        ),
    )
    return " ".join(sentence for sentence in found if sentence)


def files_left_out(queue: RunQueue) -> str:
    """Say which of the user's other files are not used: presets, studies, the queue, the choice of folders."""
    found = (
        queue.problem,
        chosen_folders().problem,
        _words(unreadable_presets(), "is not listed; the file was not changed", "are not listed", "preset file"),
        _words(unreadable_studies(), "is not listed; the file was not changed", "are not listed", "study file"),
    )
    return " ".join(_cut(sentence) for sentence in found if sentence)


def _words(reasons: Mapping[str, str], one: str, several: str, thing: str) -> str:
    """One thing with its reason, or how many there are with the first names."""
    if len(reasons) == 1:
        [(name, reason)] = reasons.items()
        named = "" if name in reason else f"{shortened(name, LONGEST_NAME)}: "
        return f"{named}{_cut(reason)} The {thing} {one}."
    names = ", ".join(shortened(name, LONGEST_NAME) for name in [*reasons][:NAMED])
    more = f" and {len(reasons) - NAMED:,} more" if len(reasons) > NAMED else ""
    return f"{count(len(reasons), thing)} {several}: {names}{more}." if reasons else ""


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_REASON else f"{sentence[:LONGEST_REASON]}…"
