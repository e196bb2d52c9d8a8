"""The window in tests: isolated settings, and nothing left running."""

import os
from pathlib import Path

import pytest
import shiboken6
import torch  # noqa: F401  (here and not in a thread, for which a closing window would wait)
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, QThread, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from gui.widgets import ahead, theme
from gui.window import fitting
from gui.window.garbage import Collector
from gui.window.main_window import MainWindow

# No test sends anything to the desktop of the machine it runs on.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"


@pytest.fixture(autouse=True, scope="session")
def garbage(qapp):
    """Collect garbage in the window's thread only, as the application does."""
    collector = Collector()
    yield
    collector.close()


@pytest.fixture(autouse=True)
def nothing_outlives_a_test():
    """Fail a test that leaves a thread or timer running."""
    yield
    app = QApplication.instance()
    if app is None:
        return
    app.processEvents()
    # Delete closed windows now: otherwise each test would restyle the windows of all tests before it.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    # What Qt's binding knows, not what Python's collector does: that would be to walk through all of torch.
    known = shiboken6.getAllValidWrappers()
    # By type, since asking some objects for their class warns.
    threads = [o for o in known if issubclass(type(o), QThread)]
    running = [thread for thread in threads if thread.isRunning() and thread is not app.thread()]
    ticking = [o for o in known if type(o) is QTimer and o.isActive()]
    assert not running, f"threads still running: {running}"
    assert not ticking, f"timers still active: {ticking}"


@pytest.fixture(autouse=True)
def wide_screen(monkeypatch):
    """Keep the window sizes set by tests: the screen of Qt's offscreen platform is smaller than any real one."""
    monkeypatch.setattr(fitting, "fit", lambda window: None)


@pytest.fixture(autouse=True)
def nothing_ahead(monkeypatch):
    """Build what a test needs when it needs it, and nothing else in the meantime."""
    monkeypatch.setattr(ahead, "AHEAD_MS", 3_600_000)


@pytest.fixture
def agree(monkeypatch):
    """Accept every confirmation; return the questions asked."""
    asked = []

    def press(box):
        asked.append(box.text())
        next(b for b in box.buttons() if box.buttonRole(b) == QMessageBox.ButtonRole.AcceptRole).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", press)
    return asked


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def another_window(qtbot, qapp, settings):
    """Open another window on a runs folder. It is kept until Qt deletes it: if Python's garbage collector found it
    first, its parts would be destroyed in arbitrary order, which crashes."""
    kept = []

    def make(runs):
        kept.append(_built(qapp, runs, settings))
        qtbot.addWidget(kept[-1], before_close_func=_end)
        return kept[-1]

    return make


@pytest.fixture
def window(qtbot, qapp, tmp_path, settings):
    theme.remember_scheme(qapp, "light")
    made = _built(qapp, tmp_path / "runs", settings)
    qtbot.addWidget(made, before_close_func=_end)
    made.show()
    return made


def _built(app: QApplication, runs: Path, settings: QSettings) -> MainWindow:
    """Build a window and then style it, as the application does: the other way round takes three times as long."""
    app.setStyleSheet("")
    made = MainWindow(runs, settings)
    theme.apply(app)
    return made


def _end(window: MainWindow) -> None:
    """Stop all jobs without asking at the end of a test."""
    window.training.close()
    window.evaluation.cancel()
    window.studies.stop()
    for session in (window.training, window.evaluation, window.studies):
        session.wait()
    QApplication.processEvents()
