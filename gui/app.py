"""Starting the window."""

import locale
import logging
import os
import sys
from pathlib import Path
from threading import Thread

from PySide6.QtCore import QLocale, QSettings, QTimer, qVersion
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from engine.settings.folders import data_cache
from engine.system.leftovers import clear_leftovers, places, places_in_runs
from engine.system.log_file import end_log, start_log
from engine.system.paths import APP, RESOURCES, log_file
from gui.bridge import stuck
from gui.desktop import APP_ID
from gui.desktop.leaving import Leaving
from gui.desktop.listener import Listener
from gui.desktop.single import Place
from gui.widgets import theme
from gui.window.errors import Catcher, Presenter, Problem, problem_of, tell
from gui.window.garbage import Collector
from gui.window.main_window import MainWindow, ThemeFollower

log = logging.getLogger(__name__)


def make_app() -> QApplication:
    """Return the application, named and styled, before any window."""
    app = QApplication(sys.argv[:1])
    use_one_locale()
    app.setApplicationName(APP)
    app.setOrganizationName(APP)
    app.setDesktopFileName(APP_ID)
    app.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
    app.setStyle("Fusion")
    return app


def use_one_locale() -> None:
    """Read and write numbers alike in every language of the desktop; `engine.system.numbers` says how.

    On Linux Qt has taken over the desktop's locale for the C library too, which libraries may read numbers with.
    """
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    locale.setlocale(locale.LC_NUMERIC, "C")


def say(sentence: str) -> None:
    """Show why no window opens."""
    app = make_app()
    theme.choose_scheme(app, "system")
    tell(None, APP, Problem(sentence))


def run_app(runs: Path, theme_name: str | None, place: Place) -> int:
    """Open the window over a folder of runs, whose place this process has; return the exit status when it is closed."""
    logged = start_log(log_file())
    app = make_app()
    log.info("Qt %s on %s", qVersion(), app.platformName())
    catcher = Catcher()
    presenter = Presenter(catcher, APP)
    collector = Collector(app)
    try:
        return _show_window(app, runs, theme_name, place)
    except Exception as error:  # there is no window to go on with
        log.warning("the window could not be opened", exc_info=error)
        tell(None, APP, problem_of(error))
        return 1
    finally:
        collector.close()
        presenter.close()
        catcher.close()
        place.leave()
        end_log(logged)
        if stuck():  # the interpreter would wait for them
            os._exit(1)


def _show_window(app: QApplication, runs: Path, theme_name: str | None, place: Place) -> int:
    settings = QSettings()
    if theme_name is not None:
        settings.setValue("theme", theme_name)
    chosen = str(settings.value("theme", "system"))
    theme.remember_scheme(app, chosen if chosen in theme.SCHEMES else "system")
    window = MainWindow(runs, settings)
    theme.apply(app)
    follower = ThemeFollower(app, window)
    listener = Listener(place.address, window)
    leaving = Leaving(window.leave, window.closing.wait, window)
    window.show()
    Thread(target=_clear_leftovers, args=(runs,), name="leftovers", daemon=True).start()
    QTimer.singleShot(0, window.training_page.settings.presets.setFocus)
    status = app.exec()
    listener.close()
    leaving.close()
    del follower
    return status


def _clear_leftovers(runs: Path) -> None:
    """Remove what killed processes left half written."""
    removed = clear_leftovers([*places(data_cache(), runs), *places_in_runs(runs)])
    if removed:
        log.info("removed %d files that were left half written", len(removed))
