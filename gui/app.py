"""Start the window."""

import locale
import logging
import os
import sys
from pathlib import Path
from threading import Thread

from PySide6.QtCore import QLocale, QSettings, QTimer, qVersion
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from engine.gallery import GALLERY
from engine.settings.folders import data_cache
from engine.system.leftovers import clear_leftovers, folders_to_clear, run_folders_to_clear
from engine.system.log_file import end_log, start_log
from engine.system.paths import APP, RESOURCES, log_file
from gui.bridge import stuck
from gui.desktop import APP_ID
from gui.desktop.leaving import Leaving
from gui.desktop.listener import Listener
from gui.desktop.single import InstanceLock
from gui.widgets import theme
from gui.window.errors import Catcher, Presenter, Problem, problem_of, show_problem
from gui.window.garbage import Collector
from gui.window.main_window import MainWindow
from gui.window.theming import ThemeFollower
from gui.window.zooming import kept_zoom

log = logging.getLogger(__name__)


def make_app() -> QApplication:
    """Create the QApplication with its name, icon and style; call it before creating any window."""
    app = QApplication(sys.argv[:1])
    use_one_locale()
    app.setApplicationName(APP)
    app.setOrganizationName(APP)
    app.setDesktopFileName(APP_ID)
    app.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
    app.setStyle("Fusion")
    return app


def use_one_locale() -> None:
    """Read and write numbers the same way in every desktop language; see `engine.system.numbers` for the rules.

    On Linux, Qt also applies the desktop's locale to the C library, which other libraries may use to parse numbers.
    """
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    locale.setlocale(locale.LC_NUMERIC, "C")


def say(sentence: str) -> None:
    """Show a message box that says why no window opens."""
    app = make_app()
    theme.choose_scheme(app, "system")
    show_problem(None, APP, Problem(sentence))


def run_app(runs: Path, theme_name: str | None, lock: InstanceLock) -> int:
    """Open the window on a runs folder whose lock this process holds; return the exit status once it is closed."""
    logged = start_log(log_file())
    app = make_app()
    log.info("Qt %s on %s", qVersion(), app.platformName())
    catcher = Catcher()
    presenter = Presenter(catcher, APP)
    collector = Collector(app)
    try:
        return _show_window(app, runs, theme_name, lock)
    except Exception as error:  # without a window the application cannot continue
        log.warning("the window could not be opened", exc_info=error)
        show_problem(None, APP, problem_of(error))
        return 1
    finally:
        collector.close()
        presenter.close()
        catcher.close()
        lock.release()
        end_log(logged)
        if stuck():  # the interpreter would wait for them
            os._exit(1)


def _show_window(app: QApplication, runs: Path, theme_name: str | None, lock: InstanceLock) -> int:
    settings = QSettings()
    if theme_name is not None:
        settings.setValue("theme", theme_name)
    chosen = str(settings.value("theme", "system"))
    theme.remember_scheme(app, chosen if chosen in theme.SCHEMES else "system")
    theme.remember_zoom(app, kept_zoom(settings))
    window = MainWindow(runs, settings, GALLERY)
    theme.apply(app)
    follower = ThemeFollower(app, window.apply_theme, window)
    listener = Listener(lock.address, window)
    leaving = Leaving(window.leave, window.closing.wait, window)
    window.show()
    Thread(target=_clear_leftovers, args=(runs,), name="leftovers", daemon=True).start()
    if window.pages.currentWidget() is not window.gallery_page:
        QTimer.singleShot(0, window.training_page.settings.presets.setFocus)
    status = app.exec()
    listener.close()
    leaving.close()
    del follower
    return status


def _clear_leftovers(runs: Path) -> None:
    """Remove partially written files left behind by killed processes."""
    removed = clear_leftovers([*folders_to_clear(data_cache(), runs), *run_folders_to_clear(runs)])
    if removed:
        log.info("removed %d partially written files", len(removed))
