"""The context menu of every plot and picture: enlarge, copy, save, logarithmic, fit, hide."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSettings, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from engine.system.plain_text import slug
from gui.widgets.large import enlarge
from gui.widgets.layouts import Card
from gui.widgets.save_dialog import PNG, ask_file


class PlotMenu(QMenu):
    """Acts on a plot and on the card that it belongs to, which says how to save it and what stands beside it.

    `fit` shows all of a plot; without it there is nothing to fit. `enlarge` shows a picture large instead of its card.
    """

    def __init__(
        self,
        plot: QWidget,
        *,
        fit: Callable[[], object] | None = None,
        enlarge: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(plot)
        self._plot, self._enlarge_picture = plot, enlarge
        self.enlarge = self.addAction("Enlarge", self._enlarge)
        self.addSeparator()
        self.copy = self.addAction("Copy as picture", self._copy)
        self.save = self.addAction("Save…", self._save)
        self.addSeparator()
        self.logarithmic = self.addAction("Logarithmic")
        self.logarithmic.setCheckable(True)
        self.logarithmic.triggered.connect(self._toggle_logarithmic)
        self.fit = self.addAction("Show all", fit or _nothing)
        self.fit.setVisible(fit is not None)
        self.addSeparator()
        self.hide_plot = self.addAction("Hide", self._hide_plot)
        self.show_hidden = self.addAction("Show hidden plots", self._show_hidden)
        plot.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        plot.customContextMenuRequested.connect(self._open)
        self.aboutToShow.connect(self._enable)

    @property
    def card(self) -> Card | None:
        """The card that contains the plot."""
        each: QWidget | None = self._plot
        while each is not None and not isinstance(each, Card):
            each = each.parentWidget()
        return each

    @Slot(QPoint)
    def _open(self, place: QPoint) -> None:
        self.popup(self._plot.mapToGlobal(place))

    @Slot()
    def _enable(self) -> None:
        """Offer what applies."""
        card = self.card
        self.setTitle(self._plot.accessibleName() or (card.title.text() if card else ""))
        beside = card.group if card is not None else ()
        box = card.logarithmic if card is not None else None
        self.logarithmic.setVisible(box is not None)
        self.logarithmic.setChecked(box is not None and box.isChecked())
        self.hide_plot.setVisible(bool(beside))
        self.hide_plot.setEnabled(sum(not each.isHidden() for each in beside) > 1)
        self.show_hidden.setVisible(any(each.away for each in beside))

    @Slot()
    def _enlarge(self) -> None:
        card = self.card
        if self._enlarge_picture is not None:
            self._enlarge_picture()
        elif card is not None:
            enlarge(card, card.group)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setPixmap(self._plot.grab())

    @Slot()
    def _save(self) -> None:
        """Save as the card does; what has no such way as a picture as it is on the screen."""
        card = self.card
        if card is not None and card.save_shown is not None:
            card.save_shown()
            return
        picture, name = self._plot.grab(), slug(self._plot.accessibleName() or "picture")
        path = ask_file(self._plot.window(), QSettings(), "Save picture", name, (PNG,))
        if path is not None:
            picture.save(str(path))

    @Slot(bool)
    def _toggle_logarithmic(self, checked: bool) -> None:
        card = self.card
        if card is not None and card.logarithmic is not None:
            card.logarithmic.setChecked(checked)

    @Slot()
    def _hide_plot(self) -> None:
        card = self.card
        if card is not None:
            card.put_away(True)

    @Slot()
    def _show_hidden(self) -> None:
        card = self.card
        for each in card.group if card is not None else ():
            if each.away:
                each.put_away(False)


def _nothing() -> None:
    """Do nothing."""
