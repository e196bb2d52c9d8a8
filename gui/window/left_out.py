"""Messages about unreadable files when the window opens: how many, the first names, and what was kept."""

from collections.abc import Mapping, Sequence

from engine.runs.queue import RunQueue
from engine.settings.folders import chosen_folders
from engine.settings.presets import unreadable_presets
from engine.studies.files import unreadable_studies
from gui.runs.store import RunItem
from gui.widgets.words import count, shortened

NAMED = 3
"""Maximum number of names in a message; the others are counted."""

LONGEST_NAME = 32
LONGEST_REASON = 300
"""Maximum lengths in characters."""


def runs_left_out(broken: Mapping[str, str], items: Sequence[RunItem]) -> str:
    """Return which runs are left out of the list (reasons by name), and which are shown despite damaged files."""
    partial = {item.name: " ".join(item.problems) for item in items if item.problems}
    left_out = {name: f"{_cut(reason)} The run is not listed" for name, reason in sorted(broken.items())}
    shown = {
        name: f"{shortened(name, LONGEST_NAME)} is listed without a damaged file: {_cut(reason)}"
        for name, reason in sorted(partial.items())
    }
    kept = "; its folder is unchanged." if len(broken) == 1 else "; their folders are unchanged."
    why = "" if len(partial) == 1 else "; point at a run to see why."
    found = (
        _words(left_out, "run", "not listed") + kept if broken else "",
        _words(shown, "run", "listed without damaged files") + why if partial else "",
    )
    return " ".join(sentence for sentence in found if sentence)


def files_left_out(queue: RunQueue) -> str:
    """Return which of the user's other files are not used: the queue, the chosen folders, presets, studies."""
    reasons = {"queue.json": queue.problem, "folders.json": chosen_folders().problem}
    reasons |= unreadable_presets() | unreadable_studies()
    found = {name: _cut(reason) for name, reason in reasons.items() if reason}
    if len(found) == 1:
        return next(iter(found.values()))
    return f"{_words(found, 'other file', 'damaged and not used')}; they are unchanged." if found else ""


def _words(reasons: Mapping[str, str], thing: str, what: str) -> str:
    """Return the reason if there is one, else the number of files and the first names."""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    names = ", ".join(shortened(name, LONGEST_NAME) for name in [*reasons][:NAMED])
    more = f" and {len(reasons) - NAMED:,} more" if len(reasons) > NAMED else ""
    return f"{count(len(reasons), thing)} are {what} ({names}{more})"


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_REASON else f"{sentence[:LONGEST_REASON]}…"
