"""Starting the window."""

import sys
from pathlib import Path

import pyqtgraph as pg
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from engine.paths import APP, RESOURCES
from gui import theme
from gui.desktop import APP_ID
from gui.desktop.listener import Listener
from gui.desktop.single import Place
from gui.garbage import Collector
from gui.main_window import MainWindow, ThemeFollower


def run_app(runs: Path, theme_name: str | None, place: Place) -> int:
    """Open the window over a folder of runs, whose place this process has; return the exit status when it is closed."""
    app = QApplication(sys.argv[:1])
    collector = Collector(app)
    app.setApplicationName(APP)
    app.setOrganizationName(APP)
    app.setDesktopFileName(APP_ID)
    app.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
    app.setStyle("Fusion")
    pg.setConfigOptions(antialias=False)
    settings = QSettings()
    if theme_name is not None:
        settings.setValue("theme", theme_name)
    chosen = str(settings.value("theme", "system"))
    theme.choose_scheme(app, chosen if chosen in theme.SCHEMES else "system")
    window = MainWindow(runs, settings)
    follower = ThemeFollower(app, window)
    listener = Listener(place.address, window)
    window.show()
    QTimer.singleShot(0, window.training_page.settings.presets.setFocus)
    status = app.exec()
    collector.close()
    listener.close()
    place.leave()
    del follower
    return status
