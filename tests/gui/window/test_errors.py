"""Unexpected errors: logged, shown once, and the application continues."""

import logging
import threading

import pytest
from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QLabel, QPushButton

from engine.errors import StudioError
from gui.bridge import explain
from gui.window import errors
from gui.window.errors import Catcher, ErrorDialog, Presenter, Problem, show_problem


class Broken(QObject):
    """Always fails."""

    @Slot()
    def work(self) -> None:
        raise ZeroDivisionError("in a slot")


@pytest.fixture
def presenter(qtbot, monkeypatch):
    # pytest-qt fails a test when an exception escapes from a slot; here that is under test.
    catcher = Catcher()
    made = Presenter(catcher, "Studio")
    yield made
    made.close()
    catcher.close()


@pytest.mark.qt_no_exception_capture
def test_an_exception_in_a_slot_is_shown_once_with_details_to_copy(qtbot, presenter, caplog):
    broken, button = Broken(), QPushButton()
    qtbot.addWidget(button)
    button.clicked.connect(broken.work)
    for _ in range(5):
        button.click()
    qtbot.waitUntil(lambda: presenter.dialog is not None)
    dialog = presenter.dialog
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert dialog.happened.text() == "An unexpected error occurred (ZeroDivisionError: in a slot)."
    assert "on disk" in dialog.kept.text()
    assert dialog.to_do.text()
    dialog.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.count("Traceback") == 1
    assert "raise ZeroDivisionError" in copied
    assert "torch" in copied
    assert len([r for r in caplog.records if r.exc_info]) == 5

    dialog.reject()
    button.click()
    qtbot.wait(20)
    assert presenter.dialog is None


@pytest.mark.qt_no_exception_capture
def test_the_same_error_is_shown_again_on_a_new_attempt_but_not_for_ever(qtbot, presenter, monkeypatch):
    monkeypatch.setattr(errors, "QUIET", 0.0)
    broken = Broken()
    shown = 0
    for _ in range(6):
        QTimer.singleShot(0, broken.work)
        qtbot.wait(20)
        if presenter.dialog is not None:
            shown += 1
            presenter.dialog.reject()
    assert shown == errors.MOST


def test_errors_in_threads_and_jobs_are_shown_in_one_dialog(qtbot, presenter):
    def work():
        raise KeyError("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: presenter.dialog is not None)
    first = presenter.dialog
    assert "IndexError" in explain(IndexError("in a job"))
    qtbot.waitUntil(lambda: "in a job" in first.details.toPlainText())
    assert presenter.dialog is first
    assert "in a thread" in first.details.toPlainText()


def test_expected_errors_and_running_out_of_memory_open_no_dialog(qtbot, presenter):
    assert explain(StudioError("The disk is full.")) == "The disk is full."
    assert "memory" in explain(MemoryError())
    qtbot.wait(20)
    assert presenter.dialog is None


def test_an_error_over_a_modal_dialog_can_be_read_and_closed(qtbot, presenter):
    waiting = QDialog()
    qtbot.addWidget(waiting)
    waiting.open()
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("gui.x").exception("broken")
    qtbot.waitUntil(lambda: presenter.dialog is not None)
    assert presenter.dialog.parent() is waiting
    waiting.close()


def test_an_expected_problem_has_no_details(qtbot):
    seen = []

    def look():
        [dialog] = [w for w in QGuiApplication.instance().topLevelWidgets() if isinstance(w, ErrorDialog)]
        shown = [text.text() for text in dialog.findChildren(QLabel) if text.isVisible() and text.text()]
        seen.append((shown, dialog.copy.isVisible()))
        dialog.reject()

    QTimer.singleShot(0, look)
    show_problem(None, "Save", Problem("b.txt cannot be saved.", to_do="Give it another ending."))
    assert seen == [(["b.txt cannot be saved.", "Give it another ending."], False)]
