"""Desktop integration without a bus, and on systems other than Linux."""

import logging
import os
import sys

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from engine.runs.metrics_file import header
from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from gui.desktop.awake import Awake
from gui.desktop.desktop import Desktop
from gui.desktop.notify import Notifier, ending
from gui.runs.store import RunItem


@pytest.fixture
def window(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


def test_without_a_bus_nothing_happens_but_a_line_in_the_log(window, settings, caplog):
    desktop = Desktop(window, settings)
    with caplog.at_level(logging.INFO):
        desktop.training(True)
        desktop.show_progress(0.5)
        desktop.run_ended("a run has finished", "")
        desktop.training(False)
        desktop.close()
    assert caplog.messages == [
        "the computer may sleep while a run is training: there is no system bus",
        "no notification: there is no session bus",
    ]


class Listening:
    """Stands in for the system's notifications."""

    def __init__(self):
        self.heard = []

    def send(self, title, text):
        self.heard.append((title, text))

    def close(self):
        pass


@pytest.mark.parametrize(
    ("in_front", "wanted", "notified"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_it_notifies_only_if_the_window_is_inactive_and_if_wanted(
    qtbot, window, settings, monkeypatch, in_front, wanted, notified
):
    settings.setValue("notifications", wanted)
    settings.sync()
    alerted = []
    monkeypatch.setattr(QApplication, "alert", alerted.append)
    notifier = Notifier(window, settings)
    notifier._messenger = Listening()
    if in_front:
        window.show()
        window.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    notifier.say("a", "b")
    assert notifier._messenger.heard == [("a", "b")] * notified
    assert alerted == [window] * notified


def test_a_minimised_window_is_inactive(qtbot, window, settings):
    window.showMinimized()
    notifier = Notifier(window, settings)
    notifier._messenger = Listening()
    notifier.say("a", "b")
    assert notifier._messenger.heard == [("a", "b")]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for macOS's program")
def test_on_macos_caffeinate_runs_while_a_run_is_training(qtbot, tmp_path, monkeypatch):
    program = tmp_path / "caffeinate"
    program.write_text(
        f'#!/bin/sh\necho $$ "$@" > {tmp_path}/part\nmv {tmp_path}/part {tmp_path}/said\nexec sleep 600\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    owner = QObject()
    awake = Awake(owner, "darwin")
    awake.set(True)
    qtbot.waitUntil((tmp_path / "said").exists)
    child, *arguments = (tmp_path / "said").read_text().split()
    assert arguments == ["-i", "-w", str(os.getpid())]
    os.kill(int(child), 0)
    awake.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


def test_the_words_for_a_run_that_ended(tmp_path):
    run = Run.create(tmp_path, RunConfig(dataset="digits", objective="annealed-abs", seed=1, latents=1, steps=10))
    run.write_state(RunState("stopped", 0, 10))
    assert ending(RunItem(run)) == ("annealed abs · 1 was stopped", "It ended before its first values were recorded.")
    run.metrics_file.write_text(f"{header(1)}\n5,1,1,30,29,1,,1\n10,2,2,22.75,22.71,9.04,,9.04\n")
    run.write_state(RunState("finished", 10, 10))
    assert ending(RunItem(run)) == ("annealed abs · 1 has finished", "reconstruction 22.7, KL 9.0 nats")
    run.write_state(RunState("failed", 10, 10, "The loss became NaN at step 11."))
    assert ending(RunItem(run)) == ("annealed abs · 1 has failed", "The loss became NaN at step 11.")
