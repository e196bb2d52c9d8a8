"""The log file begins with versions, holds each error's traceback once, and is limited in size."""

import faulthandler
import logging

import pytest

from engine.system import log_file
from engine.system.log_file import end_log, start_log

log = logging.getLogger("engine.something")


@pytest.fixture
def logged(tmp_path):
    before = faulthandler.is_enabled()
    handler = start_log(tmp_path / "state" / "studio.log")
    yield tmp_path / "state" / "studio.log"
    end_log(handler)
    if before:
        faulthandler.enable()  # pytest's own


def fail(message):
    try:
        raise ZeroDivisionError(message)
    except ZeroDivisionError:
        log.exception("a plot")


def test_the_log_begins_with_versions_and_system(logged):
    first = logged.read_text().splitlines()[0]
    assert "disentangle-studio" in first
    assert "torch" in first
    assert "Python" in first
    log.info("a run began")
    assert logged.read_text().splitlines()[-1].endswith("engine.something: a run began")


def test_a_recurring_error_is_logged_once_with_its_traceback_and_then_counted(logged):
    for number in range(120):
        fail(f"number {number}")
    text = logged.read_text()
    assert text.count("Traceback") == 1
    assert "ZeroDivisionError: number 0" in text
    counted = [line.rpartition(", ")[2].split(" ")[0] for line in text.splitlines() if "times so far" in line]
    assert counted == ["10", "100"]


def test_the_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "SIZE", 2000)
    handler = log_file.LogFile(tmp_path / "studio.log")
    logging.getLogger().addHandler(handler)
    for _ in range(500):
        log.warning("x" * 100)
    logging.getLogger().removeHandler(handler)
    handler.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4 * 2000
    assert len(list(tmp_path.glob("studio.log*"))) == 4


def test_there_is_no_log_where_the_folder_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    assert start_log(tmp_path / "file" / "studio.log") is None
    end_log(None)
