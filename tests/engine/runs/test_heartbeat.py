"""The heartbeat beside a run's lock: another machine sees that a run is alive, where locks do not reach it."""

import os
import time

import pytest

from engine.errors import RunLockedError
from engine.runs import heartbeat
from engine.runs.heartbeat import HEARTBEAT, LIFE_SECONDS, beating, beats_elsewhere
from engine.runs.run import Run


@pytest.fixture
def left(tiny_copy, monkeypatch):
    """A run that is locked by a process of another machine, which does not share its locks."""
    (tiny_copy.path / HEARTBEAT).write_text("0badcafe 4711\n")
    return tiny_copy


def test_a_run_that_beats_elsewhere_is_locked(left):
    assert Run.open(left.path).is_locked()
    with pytest.raises(RunLockedError, match="or machine"), left.locked():
        pass


@pytest.mark.parametrize(("age", "locked"), [(LIFE_SECONDS - 10, True), (LIFE_SECONDS + 1, False)])
def test_it_is_free_a_minute_after_the_last_beat(left, age, locked):
    """By the clock of the file system, which a new file tells."""
    probe = left.path / "probe"
    probe.touch()
    then = probe.stat().st_mtime - age
    os.utime(left.path / HEARTBEAT, (then, then))
    assert left.is_locked() == locked


def test_the_clock_of_this_machine_does_not_matter(left, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert left.is_locked()


def test_on_this_machine_the_lock_decides(tiny_copy):
    """A killed process leaves its heartbeat; its run can be resumed at once."""
    with tiny_copy.locked():
        kept = (tiny_copy.path / HEARTBEAT).read_bytes()
        assert tiny_copy.is_locked()
        assert not beats_elsewhere(tiny_copy.path / HEARTBEAT)
    assert not (tiny_copy.path / HEARTBEAT).exists()
    (tiny_copy.path / HEARTBEAT).write_bytes(kept)
    assert not tiny_copy.is_locked()
    with tiny_copy.locked():
        pass


def test_it_beats_while_the_block_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.02)
    path = tmp_path / HEARTBEAT
    with beating(path):
        os.utime(path, (0, 0))
        end = time.monotonic() + 5
        while path.stat().st_mtime == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_has_none(tmp_path):
    with beating(tmp_path / "missing" / HEARTBEAT):
        pass
    assert not beats_elsewhere(tmp_path / "missing" / HEARTBEAT)
