"""The system asks the application to quit: the run is saved, without a confirmation."""

import os
import shutil
import signal

import pytest
from PySide6.QtWidgets import QMessageBox

from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run, list_runs
from engine.settings.run_config import RunConfig
from gui.desktop.leaving import Leaving

WAIT = 60_000


@pytest.fixture
def leaving(window):
    made = Leaving(window.leave, window.closing.wait, window)
    yield made
    made.close()


@pytest.fixture
def no_question(monkeypatch):
    monkeypatch.setattr(QMessageBox, "exec", lambda box: pytest.fail(f"asked {box.text()!r}"))


@pytest.fixture
def training(qtbot, window, digits_folder):
    """A window with a run that would train for hours."""
    config = RunConfig(dataset="mnist", data_folder=digits_folder, batch_size=32, steps=1_000_000)
    window.training.start(config)
    qtbot.waitUntil(lambda: window.training.progress is not None and window.training.progress.done > 3, timeout=WAIT)


def saved(window):
    [path] = list_runs(window.store.root)
    run = Run.open(path)
    return run.state().state == "stopped" and checkpoint_step(run.checkpoint_folder) == run.state().step > 3


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_a_signal_saves_the_run_and_closes_the_window(qtbot, window, leaving, training, no_question, name):
    if not hasattr(signal, name):
        pytest.skip(f"there is no {name}")
    os.kill(os.getpid(), getattr(signal, name))
    qtbot.waitUntil(lambda: window.closing.begun and not window.training.active, timeout=WAIT)
    assert saved(window)
    assert not window.isVisible()
    [path] = list_runs(window.store.root)
    assert [entry.run for entry in window.training.queue.waiting] == [path.name]  # the next start offers to resume


def test_a_signal_closes_an_idle_window(qtbot, window, leaving, no_question):
    os.kill(os.getpid(), signal.SIGTERM)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT)


def test_the_end_of_the_session_waits_until_the_run_is_saved(window, leaving, training, no_question):
    """The slot called by the system (commitDataRequest): the process may be killed as soon as it returns."""
    leaving._session_ends()
    assert saved(window)


def test_signal_handlers_are_restored(window):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    Leaving(window.leave, window.closing.wait, window).close()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_run_whose_data_are_damaged_leaves_no_folder_and_says_why(qtbot, window, digits_folder, tmp_path):
    """The files exist, so the run starts; only the training thread reads them."""
    said = []
    window.training.failed.connect(said.append)
    folder = shutil.copytree(digits_folder, tmp_path / "digits")
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"no digits")
    window.training.start(RunConfig(dataset="mnist", data_folder=folder, steps=5))
    qtbot.waitUntil(lambda: not window.training.active, timeout=WAIT)
    assert list_runs(window.store.root) == []
    assert window.store.items == []
    [sentence] = said
    assert str(folder) in sentence
    assert "Traceback" not in sentence
