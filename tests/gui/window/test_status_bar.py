"""The status bar shows the current job, and "Ready" only when there is none."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from engine.jobs.events import Finished, Progress
from gui.runs.export import JobDialog
from gui.window.header import TABS

WAIT = 60_000


@pytest.fixture
def tasks(window):
    """Record every task that the status bar shows from now on."""
    seen = []
    show = window.status.task.setText

    def listen(words):
        seen.append(words)
        show(words)

    window.status.task.setText = listen
    return seen


def test_an_evaluation_is_shown_and_then_ready(qtbot, window, tiny_run, tasks):
    shutil.copytree(tiny_run.path, window.store.root / "tiny")
    window.store.refresh()
    window.run_list.select(window.store.root / "tiny")
    window.metrics_page.evaluate_button.click()
    assert window.status.task.text() == "Evaluating"
    with qtbot.waitSignal(window.evaluation.ended, timeout=WAIT):
        window.evaluation.cancel()
    assert window.status.task.text() == "Ready"
    assert window.status.bar.isHidden()


def test_preparing_data_is_shown(qtbot, window, digits_folder):
    qtbot.mouseClick(window.header.tabs.button(TABS.index("Data")), Qt.MouseButton.LeftButton)
    window.data_page.open_path(Path(digits_folder))
    assert window.status.task.text() == "Preparing data"
    qtbot.waitUntil(lambda: not window.data_page.preparing, timeout=WAIT)
    assert window.status.task.text() == "Ready"


def test_an_export_is_shown(qtbot, window, tasks):
    def job():
        yield Progress(1, 2, "Writing")
        yield Finished(message="Saved")

    assert JobDialog(window.traversal_page, "Save figure", job).carry_out() == "Saved"
    assert "Saving" in tasks
    assert window.status.task.text() == "Ready"


def test_training_takes_precedence_over_other_jobs(window):
    status = window.status
    status.show_job("Evaluating", Progress(1, 4, "Run 1"))
    status._trains = True
    status.task.setText("Training")
    status.show_job("Evaluating", Progress(2, 4, "Run 1"))
    assert status.task.text() == "Training"
    status.show_session(window.training)
    assert (status.task.text(), status.words.text()) == ("Evaluating", "Run 1")
    status.show_job("Evaluating", Progress(3, 4, "Evaluating run 1: test images"))
    assert (status.task.text(), status.words.text()) == ("Evaluating", "run 1: test images")
    status.show_job("Evaluating", None)
    assert status.task.text() == "Ready"
