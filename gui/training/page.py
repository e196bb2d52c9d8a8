"""The training page: settings, live curves, live pictures."""

from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from engine.previews import list_previews, load_preview
from gui.run_store import RunItem
from gui.training.curves import Curves
from gui.training.live_pictures import LivePictures
from gui.training.settings_card import SettingsCard
from gui.widgets.layouts import Card, empty_state


class TrainingPage(QWidget):
    """Shows the selected runs; what is done with a run is the main window's."""

    def __init__(self, settings: SettingsCard) -> None:
        super().__init__()
        self.settings = settings
        self.curves = Curves()
        self.pictures = LivePictures()
        self.pictures.setMinimumWidth(290)
        self.pictures.setMaximumWidth(460)
        nothing = Card("")
        nothing.body.addWidget(
            empty_state(
                "Loss, KL and capacity appear here while a run trains.\n\n"
                "The settings at the left are a preset that takes about two minutes: press Start."
            ),
            1,
        )
        middle = QWidget()
        self._stack = QStackedLayout(middle)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(nothing)
        self._stack.addWidget(self.curves)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        left = QVBoxLayout()
        left.addWidget(self.settings)
        layout.addLayout(left)
        layout.addWidget(middle, 8)
        layout.addWidget(self.pictures, 5)
        self._shown: tuple[object, ...] = ()

    def show_runs(self, items: list[RunItem]) -> None:
        """Draw the curves of these runs, and the newest pictures of the first."""
        self._stack.setCurrentIndex(1 if any(len(item.metrics) for item in items) else 0)
        self.curves.show_runs(items)
        self._show_newest_preview(items)

    def apply_theme(self) -> None:
        """Take the colours of the scheme in force."""
        self.curves.apply_theme()

    def _show_newest_preview(self, items: list[RunItem]) -> None:
        if not items:
            self.pictures.show_preview(None)
            self._shown = ()
            return
        kept = list_previews(items[0].run.previews_folder)
        newest = (items[0].path, kept[-1] if kept else None)
        if newest != self._shown:
            self.pictures.show_preview(load_preview(kept[-1]) if kept else None)
            self._shown = newest
