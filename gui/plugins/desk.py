"""Plug-ins in the main window: it offers to review new ones, asks about a dropped file, and reports failures."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from engine.errors import PluginError
from engine.plugins.loading import Listed, Standing
from engine.system.plain_text import one_line
from gui.plugins.host import PluginHost
from gui.plugins.page import ask_to_add
from gui.plugins.review import ReviewDialog
from gui.plugins.words import provides_words
from gui.widgets.banner import Banner

NAMED = 3
"""Maximum number of plug-ins that the banner names."""


class PluginDesk(QObject):
    """Emits `review(key)` when the user wants to see the list, with the plug-in to select."""

    review = Signal(str)

    def __init__(self, host: PluginHost, banner: Banner, window: QWidget) -> None:
        super().__init__(window)
        self._host, self._banner, self._window = host, banner, window
        self._offer = ""
        self._dropped: list[Path] = []
        self._asking: ReviewDialog | None = None
        self._said: set[str] = set()
        """Problems that have been shown in this session."""
        host.review_needed.connect(self._offer_review)
        host.changed.connect(self._changed)
        host.failed.connect(banner.say)
        host.loaded.connect(self._say_loaded)

    def drop(self, paths: Sequence[Path]) -> None:
        """Ask for each of the dropped files, one after the other, whether it is to be added."""
        self._dropped += paths
        self._ask_next()

    @Slot()
    def _ask_next(self) -> None:
        while self._dropped and self._asking is None:
            try:
                self._asking = ask_to_add(self._window, self._host, self._dropped.pop(0))
            except PluginError as error:
                self._banner.say_also(str(error))
            else:
                self._asking.finished.connect(self._answered)

    @Slot()
    def _answered(self) -> None:
        self._asking = None
        self._ask_next()

    @Slot()
    def _offer_review(self) -> None:
        """Offer to review plug-ins that have no answer yet."""
        found = self._host.unanswered()
        if not found:
            return
        self._banner.withdraw(self._offer)
        self._offer = _words(found)
        key = found[0].key
        self._banner.offer(self._offer, "Review", lambda: self.review.emit(key), lambda: None)

    @Slot(object)
    def _say_loaded(self, listed: Listed) -> None:
        self._banner.note(f"{listed.title} is loaded: {provides_words(listed)}.")

    @Slot()
    def _changed(self) -> None:
        """Withdraw an offer that was answered elsewhere, and report what could not be loaded."""
        every = self._host.plugins.listed()
        if self._offer and not any(listed.standing.open for listed in every):
            self._banner.withdraw(self._offer)
            self._offer = ""
        problems = [listed.problem for listed in every if listed.standing is Standing.FAILED]
        for problem in filter(None, [self._host.plugins.problem, *problems]):
            if problem not in self._said:
                self._said.add(problem)
                self._banner.say_also(problem)


def _words(found: Sequence[Listed]) -> str:
    """The message on plug-ins that have no answer yet."""
    if len(found) == 1:
        changed = found[0].standing is Standing.CHANGED
        how = "has changed since you were asked about it" if changed else "is new in the plug-in folder"
        return f"{one_line(found[0].key)} {how}. It is not loaded until you allow it."
    names = ", ".join(one_line(listed.key) for listed in found[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{len(found)} plug-ins are new or have changed: {names}{more}. They are not loaded until you allow them."
