"""The About dialog, the licences of all components, and the log file."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine import __version__
from engine.system.log_file import about
from engine.system.paths import APP, RESOURCES
from gui.bridge import LatestWorker
from gui.widgets.layouts import label
from gui.widgets.theme import px
from gui.widgets.words import count
from gui.window.log import open_log

if TYPE_CHECKING:
    from engine.system.licences import Notice

WHAT = "Train variational autoencoders in a window, and watch their latent space separate into factors."
LGPL = (
    "The window is built with Qt and PySide6, used under the GNU Lesser General Public License, version 3. They are "
    "included unmodified, as separate libraries in the folder PySide6. You may replace them with your own versions, "
    "and reverse engineer the program to debug such modifications. Their source code is at https://code.qt.io."
)


class AboutMenu(QObject):
    """Adds "Open log file" and "About…" to a window's menu."""

    def __init__(self, window: QWidget, menu: QMenu) -> None:
        super().__init__(window)
        self._window = window
        menu.addAction("Open log file", self._open_log)
        menu.addAction("About…", self._about)

    @Slot()
    def _open_log(self) -> None:
        open_log(self._window)

    @Slot()
    def _about(self) -> None:
        _show(AboutDialog(self._window))


class AboutDialog(QDialog):
    """Name, version and licence; a button shows the licences of all components."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"About {APP}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        head = QHBoxLayout()
        head.setSpacing(16)
        icon = label("")
        icon.setPixmap(QIcon(str(RESOURCES / "icons" / "icon.svg")).pixmap(64, 64))
        head.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addWidget(label(f"{APP} {__version__}", "app"))
        words.addWidget(label(WHAT, wrap=True))
        words.addWidget(label("MIT licence", "muted"))
        versions = label(about().replace("; ", "\n"), "muted", wrap=True)
        versions.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.addWidget(versions)
        head.addLayout(words, 1)
        layout.addLayout(head)
        foot = QHBoxLayout()
        licences = QPushButton("Licences…")
        licences.setToolTip("Show the licences of all components")
        licences.clicked.connect(self._licences)
        close = QPushButton("Close")
        close.setDefault(True)
        close.setFocus()
        close.clicked.connect(self.reject)
        foot.addWidget(licences)
        foot.addStretch(1)
        foot.addWidget(close)
        layout.addLayout(foot)
        self.setFixedWidth(px(520))

    @Slot()
    def _licences(self) -> None:
        _show(LicencesDialog(self))


class LicencesDialog(QDialog):
    """Components on the left, searchable by any word of their notice; the licence of the selected one on the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Licences")
        self._notices: list[Notice] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(10)
        layout.addWidget(label(LGPL, wrap=True))
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search names and licences")
        self.search.setAccessibleName("Search the licences")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setAccessibleName("Components")
        self.list.currentRowChanged.connect(self._show_text)
        self.found = label("Loading licences…", "muted")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Licence text")
        left = QVBoxLayout()
        left.setSpacing(6)
        for widget in (self.search, self.list, self.found):
            left.addWidget(widget)
        halves = QHBoxLayout()
        halves.setSpacing(10)
        halves.addLayout(left, 2)
        halves.addWidget(self.text, 3)
        layout.addLayout(halves, 1)
        buttons = QDialogButtonBox()
        buttons.addButton(QPushButton("Close"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.resize(920, 600)
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._read)
        self._worker.ask(None, _notices)
        self.finished.connect(self._worker.close)

    @Slot(object, object)
    def _read(self, key: object, read: "list[Notice]") -> None:
        self._notices = read
        for notice in read:
            item = QListWidgetItem(f"{notice.name} {notice.version}".rstrip())
            item.setToolTip(notice.licence)
            self.list.addItem(item)
        self._filter(self.search.text())

    @Slot(str)
    def _filter(self, words: str) -> None:
        wanted = words.casefold().split()
        shown = []
        for row, notice in enumerate(self._notices):
            all_of_it = f"{notice.name} {notice.version} {notice.licence} {notice.text}".casefold()
            fits = all(word in all_of_it for word in wanted)
            self.list.item(row).setHidden(not fits)
            shown += [row] if fits else []
        self.found.setText(count(len(shown), "component"))
        if shown and self.list.currentRow() not in shown:
            self.list.setCurrentRow(shown[0])

    @Slot(int)
    def _show_text(self, row: int) -> None:
        notice = self._notices[row]
        self.text.setPlainText(f"{notice.name} {notice.version}\nLicence: {notice.licence}\n\n{notice.text}")


def _notices() -> "list[Notice]":
    from engine.system.licences import notices

    return notices()


def _show(dialog: QDialog) -> None:
    dialog.exec()
    dialog.deleteLater()
