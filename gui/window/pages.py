"""The pages of the window, each built when it is first needed."""

from collections.abc import Callable, Mapping

from PySide6.QtWidgets import QStackedWidget, QWidget

from gui.widgets.ahead import Ahead


class Pages(QStackedWidget):
    """A stack of pages in the order of `makers`, which build them by title.

    Until a page is in the stack, none of its parts may be shown: it would be a window of its own for a moment.

    A page is built when it is first shown or asked for, or else some time after the window has appeared, one at a time;
    until then an empty widget holds its place.
    """

    def __init__(self, makers: Mapping[str, Callable[[], QWidget]]) -> None:
        super().__init__()
        self._makers = list(makers.items())
        self._built: dict[int, QWidget] = {}
        self._holders = [QWidget() for _ in makers]
        for holder in self._holders:
            self.addWidget(holder)
        Ahead(self, self.build_next)

    def page(self, number: int) -> QWidget:
        """Return a page, built if it has not been needed before."""
        if number not in self._built:
            title, make = self._makers[number]
            self._built[number] = page = make()
            page.setAccessibleName(title)
            shown, holder = self.currentIndex(), self._holders[number]
            self.insertWidget(number, page)
            self.removeWidget(holder)
            holder.deleteLater()
            super().setCurrentIndex(shown)
        return self._built[number]

    def has(self, number: int) -> bool:
        """Return whether a page has been built."""
        return number in self._built

    def build_next(self) -> bool:
        """Build one more page; return whether others are left."""
        left = [number for number in range(len(self._makers)) if number not in self._built]
        if left:
            self.page(left[0])
        return len(left) > 1

    def build_all(self) -> None:
        """Build all pages."""
        for number in range(len(self._makers)):
            self.page(number)

    def setCurrentIndex(self, number: int) -> None:
        """Show a page."""
        self.page(number)
        super().setCurrentIndex(number)
