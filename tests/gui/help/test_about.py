"""The About dialog: version, licences of all components, log file."""

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from engine import __version__
from engine.system.paths import log_file
from gui.help.about import AboutDialog, LicencesDialog

WAIT = 20_000


def test_about_names_the_version(qtbot, window):
    dialog = AboutDialog(window)
    qtbot.addWidget(dialog)
    texts = [child.text() for child in dialog.findChildren(type(window.header.findChild(object, "app")))]
    assert f"Disentangle Studio {__version__}" in texts


def test_licences_are_found_by_any_word(qtbot, window):
    dialog = LicencesDialog(window)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.list.count() > 20, timeout=WAIT)
    dialog.search.setText("lesser general shiboken")
    [row] = [row for row in range(dialog.list.count()) if not dialog.list.item(row).isHidden()]
    assert dialog.list.item(row).text().startswith("shiboken6")
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in dialog.text.toPlainText()
    assert dialog.found.text() == "1 component"
    dialog.search.setText("no such word anywhere")
    assert dialog.found.text() == "0 components"
    dialog.reject()


def test_the_menu_opens_the_log_file(window, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url) or True)
    [action] = [action for action in window.actions() if action.text() == "Open log file"]
    action.trigger()
    assert opened == [QUrl.fromLocalFile(str(log_file()))]
