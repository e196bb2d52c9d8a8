"""Offers to resume what an earlier session or a crash left unfinished, once, when the window opens."""

from PySide6.QtCore import QSettings

from gui.runs.run_list import RunList
from gui.runs.store import RunItem, RunStore
from gui.training.session import TrainingSession
from gui.widgets.banner import Banner
from gui.widgets.words import count

DISMISSED = "dismissed"
"""Name of the setting that holds the declined offers."""

NAMED = 3
"""Maximum number of runs named in the offer; the others are counted."""


def offer_unfinished(
    store: RunStore, session: TrainingSession, run_list: RunList, banner: Banner, settings: QSettings
) -> None:
    """Offer to resume the interrupted runs, then the queued ones, except those declined before."""
    kept = settings.value(DISMISSED, [])
    dismissed = [str(mark) for mark in kept] if isinstance(kept, list) else [str(kept)]
    interrupted = [
        item
        for item in store.items
        if item.state.state == "interrupted" and not item.hidden and _mark(item) not in dismissed
    ]
    waiting = [item for item in store.items if item.place is not None and item not in interrupted]
    unfinished = [*interrupted, *sorted(waiting, key=lambda item: item.place or 0)]
    if not unfinished:
        return

    def resume() -> None:
        for item in interrupted:
            session.train_or_queue(item.path)
        session.hold(False)

    def decline() -> None:
        settings.setValue(DISMISSED, [*dismissed, *map(_mark, interrupted)])

    run_list.select(unfinished[0].path)
    names = ", ".join(item.name for item in unfinished[:NAMED])
    more = f" and {len(unfinished) - NAMED} more" if len(unfinished) > NAMED else ""
    verb = "was" if len(unfinished) == 1 else "were"
    banner.offer(
        f"{count(len(unfinished), 'run')} {verb} not finished: {names}{more}. Everything saved is still there.",
        "Resume training",
        resume,
        decline,
    )


def _mark(item: RunItem) -> str:
    """Return the key under which a declined offer is remembered: the run and its step."""
    return f"{item.path.name} {item.state.step}"
