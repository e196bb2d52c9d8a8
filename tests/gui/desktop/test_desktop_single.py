"""One window per runs folder, with real processes for the second instance, the crash and the hang."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess, QProcessEnvironment
from PySide6.QtNetwork import QLocalSocket
from PySide6.QtWidgets import QWidget

from engine.errors import StudioError
from gui.desktop.listener import Listener
from gui.desktop.single import LONGEST_ADDRESS, InstanceLock

ROOT = Path(__file__).parents[3]
FIRST_WINDOW = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication, QWidget
from gui.desktop.listener import Listener
from gui.desktop.single import InstanceLock

app = QApplication([])
window = QWidget()
lock = InstanceLock(Path(sys.argv[1]))
assert lock.acquire()
listener = Listener(lock.address, window)
print("ready", flush=True)
app.exec()
"""
CLOSES_SOON = """
import sys
from pathlib import Path
from gui.desktop.single import InstanceLock

lock = InstanceLock(Path(sys.argv[1]))
assert lock.acquire()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch):
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="studio-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
        yield Path(folder)


@pytest.fixture
def start():
    """Run a script in a Python process that ends with the test."""
    processes = []

    def make(script, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield make
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def first(qtbot, tmp_path):
    """A first window with its lock."""
    window = QWidget()
    qtbot.addWidget(window)
    lock = InstanceLock(tmp_path / "runs")
    assert lock.acquire()
    listener = Listener(lock.address, window)
    yield window
    listener.close()
    lock.release()


def test_a_second_instance_raises_the_minimised_window_and_exits_with_0(qtbot, first, tmp_path):
    first.showMinimized()
    second = QProcess()
    second.setProcessEnvironment(QProcessEnvironment.systemEnvironment())
    second.setWorkingDirectory(str(ROOT))
    with qtbot.waitSignal(second.finished, timeout=20_000):
        second.start(sys.executable, ["-X", "importtime", "main.py", "--runs", str(tmp_path / "x" / ".." / "runs")])
    assert second.exitCode() == 0
    assert first.isVisible()
    assert not first.isMinimized()
    loaded = {line.rpartition("|")[2].strip() for line in bytes(second.readAllStandardError()).decode().splitlines()}
    assert "gui.desktop.single" in loaded
    assert not loaded & {"torch", "pyqtgraph", "gui.app", "PySide6.QtDBus"}


def test_another_runs_folder_has_its_own_lock(first, tmp_path):
    other = InstanceLock(tmp_path / "other")
    assert other.acquire()
    other.release()


def test_a_link_to_the_folder_shares_its_lock_and_another_screen_does_not(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    lock = InstanceLock(tmp_path / "runs")
    assert InstanceLock(tmp_path / "link").address == lock.address
    monkeypatch.setenv("DISPLAY", ":77")
    assert InstanceLock(tmp_path / "runs").address != lock.address


def test_a_hanging_first_window_is_reported_in_time_and_a_crashed_one_does_not_block(qtbot, start, tmp_path):
    process = start(FIRST_WINDOW, tmp_path)
    assert not InstanceLock(tmp_path).acquire()
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StudioError, match="does not respond"):
        InstanceLock(tmp_path).acquire(patience=0.3)
    assert time.monotonic() - began < 2

    process.kill()
    process.wait()
    lock = InstanceLock(tmp_path)
    assert Path(lock.address).exists()
    assert lock.acquire()
    window = QWidget()
    qtbot.addWidget(window)
    listener = Listener(lock.address, window)
    assert _asked(qtbot, lock.address, b"show \n") == b"shown\n"
    listener.close()
    lock.release()
    assert not Path(lock.address).exists()


def test_an_instance_started_while_the_first_window_closes_opens_its_own(start, tmp_path):
    process = start(CLOSES_SOON, tmp_path)
    process.stdin.close()
    lock = InstanceLock(tmp_path)
    assert lock.acquire(patience=10)
    lock.release()


@pytest.mark.parametrize("words", [b"\xff\x00 rubbish\n", b"x" * 5000])
def test_rubbish_is_disconnected_and_the_next_instance_is_answered(qtbot, first, tmp_path, words):
    address = InstanceLock(tmp_path / "runs").address
    assert _asked(qtbot, address, words) == b""
    assert not first.isVisible()
    assert _asked(qtbot, address, b"show \n") == b"shown\n"
    assert first.isVisible()


def test_an_activation_token_reaches_the_first_window(qtbot, first, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_ACTIVATION_TOKEN", "old")
    _asked(qtbot, InstanceLock(tmp_path / "runs").address, b"show abc-123\n")
    assert os.environ["XDG_ACTIVATION_TOKEN"] == "abc-123"


def test_without_a_runtime_folder_the_cache_folder_is_used(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("gui.desktop.single.cache_folder", lambda: tmp_path / "new" / "cache")
    lock = InstanceLock(tmp_path)
    assert lock.acquire()
    with pytest.raises(StudioError, match="does not respond"):
        InstanceLock(tmp_path).acquire(patience=0.1)
    lock.release()


def test_where_locking_is_impossible_every_instance_opens(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setattr("gui.desktop.single._folder", lambda: blocked)
    assert InstanceLock(tmp_path).acquire()
    assert InstanceLock(tmp_path).acquire()


def test_a_long_home_folder_does_not_make_the_socket_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr("gui.desktop.single._folder", lambda: tmp_path / ("x" * 200))
    assert len(InstanceLock(tmp_path).address) <= LONGEST_ADDRESS


def _asked(qtbot, address, words):
    """Return the first window's answer, up to its disconnection."""
    socket = QLocalSocket()
    with qtbot.waitSignal(socket.disconnected, timeout=5000):
        socket.connectToServer(address)
        socket.write(words)
    return bytes(socket.readAll().data())
