"""The page of the settings that lists plug-ins, with what each provides, its state, and what can be done with it."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFile, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.errors import PluginError
from engine.plugins.loading import Listed, Standing, check_file
from engine.system.paths import readable
from engine.system.plain_text import one_line
from gui.plugins.host import PluginHost
from gui.plugins.review import ReviewDialog
from gui.plugins.words import TRUST, provides_words, state_words
from gui.settings.asking import ask
from gui.widgets.flow import FlowLayout
from gui.widgets.layouts import label
from gui.widgets.theme import px

NONE = (
    "There are no plug-ins. Drop the Python file of one anywhere on the window, or add it here. The help explains how "
    "to write one."
)
KEY = Qt.ItemDataRole.UserRole


class PluginsPage(QWidget):
    """Lists the plug-ins; changes take effect at once."""

    def __init__(self, host: PluginHost) -> None:
        super().__init__()
        self._host = host
        self.setProperty("helpTopic", "plugins")
        self.list = QTreeWidget()
        self.list.setObjectName("plugins")
        self.list.setAccessibleName("Plug-ins")
        self.list.setHeaderLabels(["Plug-in", "State", "Provides"])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setMinimumHeight(px(130))
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setMaximumSectionSize(px(230))
        header.setStretchLastSection(True)
        header.setSectionsClickable(False)
        self.list.currentItemChanged.connect(self._chosen)
        self.list.itemActivated.connect(self._show_text)
        self.nothing = label(NONE, "muted", wrap=True)
        self.problem = label("", "error", wrap=True)
        self.trust = label(TRUST, "warning", wrap=True)
        self.about = label("", wrap=True)
        self.place = label("", "muted", wrap=True)
        self.place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.nothing)
        layout.addWidget(self.list, 1)
        for line in (self.about, self.problem, self.place, self.trust):
            layout.addWidget(line)
        layout.addWidget(self._buttons())
        host.changed.connect(self.refresh)
        self.refresh()

    def _buttons(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        left = QWidget()
        flow = FlowLayout(left, spacing=6)
        self.allow = _button("Allow", "Load this version of the file, now and at every start", self._allow)
        self.refuse = _button("Refuse", "Do not load this version of the file, and do not ask again", self._refuse)
        self.retry = _button("Try again", "Try to load it again", self._retry)
        self.text = _button("Show code", "Show what the file contains", self._show_text)
        self.remove = _button("Remove…", "Move the file to the trash", self._remove)
        self.add = _button("Add file…", "Choose a Python file with a plug-in", self._add)
        self.folder = _button("Open folder", "Show the plug-in folder", self._open_folder)
        for button in (self.allow, self.refuse, self.retry, self.text, self.remove):
            flow.addWidget(button)
        row.addWidget(left, 1)
        for button in (self.add, self.folder):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return holder

    # The list

    @Slot()
    def refresh(self) -> None:
        """Show the current plug-ins, keeping the selection."""
        chosen = self._key
        every = self._host.plugins.listed()
        self.list.blockSignals(True)
        self.list.clear()
        for listed in every:
            item = QTreeWidgetItem([listed.title, state_words(listed), provides_words(listed)])
            item.setData(0, KEY, listed.key)
            item.setToolTip(0, readable(listed.place))
            for column in (1, 2):
                item.setToolTip(column, item.text(column))
            self.list.addTopLevelItem(item)
        self.list.blockSignals(False)
        self.nothing.setVisible(not every)
        self.choose(chosen or next((each.key for each in every if each.standing.open), ""))
        first = self.list.topLevelItem(0)
        if not self._key and first is not None:
            self.list.setCurrentItem(first)
        self._chosen()

    def choose(self, key: str) -> None:
        """Select a plug-in, if it is in the list."""
        for number in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(number)
            if item is not None and item.data(0, KEY) == key:
                self.list.setCurrentItem(item)

    @property
    def _key(self) -> str:
        item = self.list.currentItem()
        return str(item.data(0, KEY)) if item is not None else ""

    @property
    def _listed(self) -> Listed | None:
        return next((listed for listed in self._host.plugins.listed() if listed.key == self._key), None)

    @Slot()
    def _chosen(self) -> None:
        listed = self._listed
        problem = self._host.plugins.problem
        if listed is not None and listed.problem:
            problem = f"{problem} {listed.problem}".strip()
        self._say(problem)
        known = listed is not None and listed.is_file and bool(listed.fingerprint)
        standing = listed.standing if listed is not None else Standing.LOADED
        self.about.setText(listed.about if listed is not None else "")
        self.about.setVisible(bool(self.about.text()))
        self.place.setText(one_line(readable(listed.place)) if listed is not None else "")
        self.place.setVisible(listed is not None)
        may_allow = known and (standing.open or standing is Standing.REFUSED)
        self.trust.setVisible(may_allow)
        self.allow.setVisible(may_allow)
        self.refuse.setVisible(known and standing is not Standing.REFUSED)
        self.retry.setVisible(standing is Standing.FAILED and bool(listed and listed.fingerprint))
        self.text.setVisible(known)
        self.remove.setVisible(listed is not None and listed.is_file)

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    # The buttons

    @Slot()
    def _allow(self) -> None:
        self._do(self._host.allow)

    @Slot()
    def _refuse(self) -> None:
        self._do(self._host.refuse)

    @Slot()
    def _retry(self) -> None:
        self._do(self._host.retry)

    def _do(self, action: Callable[[Listed], None], listed: Listed | None = None) -> None:
        listed = listed or self._listed
        if listed is None:
            return
        try:
            action(listed)
        except PluginError as error:
            self._say(str(error))

    @Slot()
    def _remove(self) -> None:
        listed = self._listed
        if listed is None:
            return

        def remove() -> None:
            QFile.moveToTrash(str(self._host.plugins.folder / listed.key))  # without a trash, it is deleted
            self._do(self._host.remove)

        sentence = f"Remove {one_line(listed.key)}? The file is moved to the trash. Runs that use it are kept."
        ask(self, sentence, "Remove", remove)

    @Slot()
    def _show_text(self) -> None:
        listed = self._listed
        if listed is None or not listed.is_file or not listed.fingerprint:
            return
        content = self._host.plugins.content(listed)
        asked = listed.standing.open or listed.standing is Standing.REFUSED
        question = f"Allow the plug-in {one_line(listed.key)}?" if asked else ""
        refuse = "Refuse" if listed.standing.open else ""
        dialog = ReviewDialog(self, listed.key, content, question, refuse=refuse, shows_text=True)
        # The answer applies to the version that was shown, even if the file or the list has changed.
        dialog.allowed.connect(lambda: self._do(self._host.allow, listed))
        dialog.refused.connect(lambda: self._do(self._host.refuse, listed))
        dialog.open()

    @Slot()
    def _add(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add plug-in", "", "Python files (*.py)")
        if name:
            try:
                ask_to_add(self, self._host, Path(name))
            except PluginError as error:
                self._say(str(error))

    @Slot()
    def _open_folder(self) -> None:
        folder = self._host.plugins.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._say(f"{folder} cannot be created: {error.strerror or error}.")
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._say(f"Plug-ins are kept in {folder}")


def _button(title: str, tip: str, slot: Callable[[], None]) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(slot)
    return button


def ask_to_add(parent: QWidget, host: PluginHost, path: Path) -> ReviewDialog:
    """Ask whether to add and allow a file. Raises PluginError if it cannot be a plug-in."""
    source = check_file(path)
    there = next((listed for listed in host.plugins.listed() if listed.key == source.key), None)
    note = ""
    if there is not None and there.fingerprint != source.fingerprint:
        note = f"It replaces the {one_line(source.key)} in the plug-in folder."
    dialog = ReviewDialog(
        parent, source.key, source.content, f"Add the plug-in {one_line(source.key)}?", note=note, allow="Add and allow"
    )

    def add() -> None:
        host.add(source)

    dialog.allowed.connect(add)
    dialog.open()
    return dialog
