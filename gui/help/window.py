"""The help window: contents and search on the left, the text on the right."""

from PySide6.QtCore import QByteArray, QSettings, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QCloseEvent, QIcon, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from engine.system.paths import APP, RESOURCES
from gui.help import FIRST
from gui.help.browser import HelpBrowser
from gui.help.contents import Contents
from gui.help.topics import Library
from gui.widgets.layouts import label, tool_button
from gui.widgets.splitter import Splitter
from gui.widgets.words import count

SCROLLING = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
GEOMETRY = "help/geometry"


class HelpWindow(QWidget):
    """Shows all help topics. `asked(name)` is emitted for a link to a part of the application ("app:name")."""

    asked = Signal(str)

    def __init__(self, library: Library, settings: QSettings) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("help-window")
        self.setWindowTitle(f"Help – {APP}")
        self.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("helpTopic", f"{FIRST}#help")
        self._library, self._settings = library, settings
        self._visited: list[str] = []
        self._place = -1
        self._found: dict[str, list[tuple[int, int]]] = {}
        self._hit = ("", -1)
        self._by_search = False
        self.contents = Contents(library)
        self.browser = HelpBrowser()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the help")
        self.search.setAccessibleName("Search the help")
        self.search.setToolTip("Return or F3: next hit. Shift+F3: previous hit. Ctrl+F: move to this field.")
        self.search.setClearButtonEnabled(True)
        self.hits = label("", "muted")
        self.back = tool_button("‹", "Back (Alt+Left)")
        self.forward = tool_button("›", "Forward (Alt+Right)")
        self._lay_out()
        self._connect()
        self._restore_place()
        self.open_topic(FIRST)
        self.search.setFocus()

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(10, 10, 0, 10)
        column.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.back, self.forward):
            row.addWidget(widget)
        row.addWidget(self.search, 1)
        column.addLayout(row)
        column.addWidget(self.hits)
        self.hits.hide()
        column.addWidget(self.contents, 1)
        left.setMinimumWidth(210)
        parts = (left, self.browser)
        splitter = Splitter(Qt.Orientation.Horizontal, parts, (280, 780), (0, 1), self._settings, "help/splitter")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def _connect(self) -> None:
        self.contents.chosen.connect(self._chosen)
        self.browser.anchorClicked.connect(self._follow)
        self.search.textChanged.connect(self._search_changed)
        self.search.returnPressed.connect(self.next_hit)
        self.back.clicked.connect(self.go_back)
        self.forward.clicked.connect(self.go_forward)
        for keys, slot in (
            ("F3", self.next_hit),
            ("Shift+F3", self.previous_hit),
            ("Ctrl+F", self._focus_search),
            ("Alt+Left", self.go_back),
            ("Alt+Right", self.go_forward),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    # Topics

    @property
    def where(self) -> str:
        """The current topic with its section, e.g. "metrics#mig"."""
        return self._visited[self._place] if self._place >= 0 else ""

    def open_topic(self, where: str) -> None:
        """Show a topic or section and add it to the history; an unknown topic opens the first one."""
        name, _, anchor = where.partition("#")
        topic = self._library.topics.get(name)
        if topic is None:
            where = name = FIRST
        elif anchor and anchor not in topic.anchors():
            where = name
        self._by_search = False
        if where != self.where:
            self._visited = [*self._visited[: self._place + 1], where]
            self._place = len(self._visited) - 1
        self._show(where)

    def _show(self, where: str) -> None:
        name, _, anchor = where.partition("#")
        self.browser.show_topic(self._library.topics[name], anchor)
        self.contents.go_to(where)
        spans = self._found.get(name, [])
        self.browser.mark(spans, -1)
        self.back.setEnabled(self._place > 0)
        self.forward.setEnabled(self._place < len(self._visited) - 1)

    @Slot()
    def go_back(self) -> None:
        """Go back in the history."""
        if self._place > 0:
            self._place -= 1
            self._show(self.where)

    @Slot()
    def go_forward(self) -> None:
        """Go forward in the history."""
        if self._place < len(self._visited) - 1:
            self._place += 1
            self._show(self.where)

    @Slot(QUrl)
    def _follow(self, link: QUrl) -> None:
        if link.scheme() == "app":
            self.asked.emit(link.path())
        else:
            self.open_topic(link.toString())

    @Slot(str)
    def _chosen(self, where: str) -> None:
        """Show an entry of the contents; during a search, its first hit."""
        self.open_topic(where)
        name, _, anchor = where.partition("#")
        topic = self._library.topics[name]
        for number, (start, _) in enumerate(self._found.get(name, [])):
            if not anchor or topic.section_at(start).anchor == anchor:
                self._hit = (name, number)
                self.browser.mark(self._found[name], number)
                self._say_hits()
                break

    # Searching

    @Slot(str)
    def _search_changed(self, words: str) -> None:
        self._found = self._library.find(words)
        searching = bool(words.strip())
        self.contents.show_hits(self._found if searching else None)
        self.hits.setVisible(searching)
        if self._found:
            self._show_hit(*self._library.best(self._found))
            return
        self._hit = ("", -1)
        self.browser.mark([], -1)
        self.hits.setText("No hits" if searching else "")
        if not searching:
            self.contents.go_to(self.where)

    def _show_hit(self, name: str, number: int) -> None:
        """Show a hit; of the pages visited by a search only the last stays in the history."""
        start = self._found[name][number][0]
        anchor = self._library.topics[name].section_at(start).anchor
        where = f"{name}#{anchor}" if anchor else name
        if where != self.where:
            kept = self._place if self._by_search else self._place + 1
            self._visited = [*self._visited[:kept], where]
            self._place = len(self._visited) - 1
        self._by_search = True
        self._hit = (name, number)
        self._show(where)
        self.browser.mark(self._found[name], number)
        self._say_hits()

    def _say_hits(self) -> None:
        hits = self._hits()
        self.hits.setText(f"{hits.index(self._hit) + 1} of {count(len(hits), 'hit')}")

    def _hits(self) -> list[tuple[str, int]]:
        """Return all hits in the order of the contents."""
        return [(name, n) for name in self._library.topics for n in range(len(self._found.get(name, ())))]

    @Slot()
    def next_hit(self) -> None:
        """Go to the next hit, wrapping around at the last."""
        self._go(1)

    @Slot()
    def previous_hit(self) -> None:
        """Go to the previous hit, wrapping around at the first."""
        self._go(-1)

    def _go(self, by: int) -> None:
        hits = self._hits()
        if hits:
            place = hits.index(self._hit) if self._hit in hits else -1
            self._show_hit(*hits[(place + by) % len(hits)])

    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    # The window

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Escape; scroll the text from the search field."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif event.key() in SCROLLING:
            QApplication.sendEvent(self.browser, event)
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember size and position."""
        self._settings.setValue(GEOMETRY, self.saveGeometry())
        super().closeEvent(event)

    def _restore_place(self) -> None:
        geometry = self._settings.value(GEOMETRY)
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            room = self.screen().availableGeometry()
            self.resize(min(1080, room.width() - 60), min(760, room.height() - 60))
