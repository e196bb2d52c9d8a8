"""What cannot be read when the window opens, in a few words: how many files, the first names, and what was kept."""

from collections.abc import Mapping, Sequence

from engine.runs.queue import RunQueue
from engine.settings.folders import chosen_folders
from engine.settings.presets import unreadable_presets
from engine.studies.files import unreadable_studies
from gui.runs.store import RunItem
from gui.widgets.words import count, shortened

NAMED = 3
"""Names in a message; of more it says how many."""

LONGEST_NAME = 32
LONGEST_REASON = 300
"""Letters."""


def runs_left_out(broken: Mapping[str, str], items: Sequence[RunItem]) -> str:
    """Say which runs are not in the list, given why by their names, and which are shown without damaged files."""
    partial = {item.name: " ".join(item.problems) for item in items if item.problems}
    left_out = {name: f"{_cut(reason)} The run is left out of the list" for name, reason in sorted(broken.items())}
    shown = {
        name: f"{shortened(name, LONGEST_NAME)} is shown without a damaged file: {_cut(reason)}"
        for name, reason in sorted(partial.items())
    }
    kept = "; its folder was not changed." if len(broken) == 1 else "; their folders were not changed."
    why = "" if len(partial) == 1 else "; point at one to see why."
    found = (
        _words(left_out, "run", "left out of the list") + kept if broken else "",
        _words(shown, "run", "shown without damaged files") + why if partial else "",
    )
    return " ".join(sentence for sentence in found if sentence)


def files_left_out(queue: RunQueue) -> str:
    """Say which of the user's other files are not used: the queue, the choice of folders, presets, studies."""
    reasons = {"queue.json": queue.problem, "folders.json": chosen_folders().problem}
    reasons |= unreadable_presets() | unreadable_studies()
    found = {name: _cut(reason) for name, reason in reasons.items() if reason}
    if len(found) == 1:
        return next(iter(found.values()))
    return f"{_words(found, 'other file', 'damaged and not used')}; they were not changed." if found else ""


def _words(reasons: Mapping[str, str], thing: str, what: str) -> str:
    """The reason where there is one, else how many there are with the first names."""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    names = ", ".join(shortened(name, LONGEST_NAME) for name in [*reasons][:NAMED])
    more = f" and {len(reasons) - NAMED:,} more" if len(reasons) > NAMED else ""
    return f"{count(len(reasons), thing)} are {what} ({names}{more})"


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_REASON else f"{sentence[:LONGEST_REASON]}…"
