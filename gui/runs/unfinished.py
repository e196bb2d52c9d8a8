"""What an earlier session, or a crash, left unfinished: offered once, when the window opens."""

from PySide6.QtCore import QSettings

from gui.runs.run_list import RunList
from gui.runs.store import RunItem, RunStore
from gui.training.session import TrainingSession
from gui.widgets.banner import Banner
from gui.widgets.words import count

DISMISSED = "dismissed"
"""Name of the setting that holds which offers were turned down."""

NAMED = 3
"""Runs that the offer names; of more it says how many."""


def offer_unfinished(
    store: RunStore, session: TrainingSession, run_list: RunList, banner: Banner, settings: QSettings
) -> None:
    """Offer to go on with the interrupted runs, then with those that wait; not again with what was turned down."""
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

    def go_on() -> None:
        for item in interrupted:
            session.train_or_queue(item.path)
        session.hold(False)

    def turn_down() -> None:
        settings.setValue(DISMISSED, [*dismissed, *map(_mark, interrupted)])

    run_list.select(unfinished[0].path)
    names = ", ".join(item.name for item in unfinished[:NAMED])
    more = f" and {len(unfinished) - NAMED} more" if len(unfinished) > NAMED else ""
    verb = "was" if len(unfinished) == 1 else "were"
    banner.offer(
        f"{count(len(unfinished), 'run')} {verb} not finished: {names}{more}. Nothing that was saved is lost.",
        "Go on training",
        go_on,
        turn_down,
    )


def _mark(item: RunItem) -> str:
    """What a refusal is remembered by: the run, and how far it was."""
    return f"{item.path.name} {item.state.step}"
