"""Jobs in a child process: the same events, and a host that continues whatever the code does."""

import ctypes
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.errors import ChangedError, PluginError
from engine.jobs import workers
from engine.jobs.control import Control, drive
from engine.jobs.events import Finished, Idle, Paused, Progress, Request, StepMetrics, Unanswered
from engine.jobs.processes import prepare_children
from engine.jobs.workers import apart
from engine.system.user_code import forget_code, register_code

HERE_PATH = Path(__file__)
HERE = HERE_PATH.name


def counting(steps):
    """Count, obeying as a training does."""
    for step in range(1, steps + 1):
        time.sleep(0.01)
        yield StepMetrics(step, 0.0, 0.0, 0.0, None, None, None, ())
        request = yield Progress(step, steps)
        if request is Request.PAUSE:
            yield Paused(step)
        if request is Request.STOP:
            yield Finished(step=step, stopped=True)
            return
    yield Finished(step=steps)


def misbehaving(how, path):
    """One step that goes well, then one that does not. This file counts as a plug-in's."""
    register_code(__file__, "sparse-vae")
    yield Progress(1, 2)
    time.sleep(0.5)
    if how == "loop":
        while True:
            pass  # line of the loop
    if how == "holds the interpreter":
        sum(itertools.repeat(0))
    if how == "sleeps":
        time.sleep(1000)
    if how == "leaves a process" and os.fork() == 0:
        time.sleep(20)
    if how in ("exits", "leaves a process"):
        os._exit(3)
    if how == "crashes":
        ctypes.string_at(0)
    if how == "sys.exit":
        raise SystemExit(5)
    if how == "interrupts":
        raise KeyboardInterrupt
    if how == "raises":
        raise ZeroDivisionError("no step")
    if how == "data":
        raise ChangedError("The data are others.")
    yield Finished()


def printing():
    """A job whose code prints."""
    print("not a result", flush=True)  # noqa: T201
    yield Finished()


def saving(path):
    """A job that keeps what it has when it is abandoned."""
    try:
        for step in itertools.count():
            time.sleep(0.01)
            yield Progress(step, 0)
    finally:
        Path(path).write_text("kept")


def line_of(text):
    return next(n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line)


@pytest.fixture(autouse=True)
def nothing_is_left():
    register_code(__file__, "sparse-vae")
    yield
    forget_code(__file__)
    assert multiprocessing.active_children() == []


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(workers, "SILENCE", 2.0)


def test_the_events_are_those_of_the_job_itself_but_for_progress_in_between():
    here = [event for event in counting(20) if not isinstance(event, Progress)]
    there = list(apart("It", counting, 20))
    assert [event for event in there if not isinstance(event, Progress | Idle)] == here
    assert [event for event in there if isinstance(event, Progress)][-1] == Progress(20, 20)


def test_it_pauses_goes_on_and_stops():
    control, seen = Control(), []
    for event in drive(apart("It", counting, 100_000), control):
        if isinstance(event, Progress | Paused | Finished):
            seen.append(event)
        if isinstance(event, Progress) and not any(isinstance(e, Paused) for e in seen):
            control.pause()
        elif isinstance(event, Paused):
            paused = len(seen)
            control.resume()
        elif isinstance(event, Progress) and len(seen) > paused + 1:
            control.stop()
    assert isinstance(seen[paused], Progress)
    assert seen[paused].done > seen[paused - 1].step
    assert seen[-1].stopped


def test_an_abandoned_job_saves_what_it_has(tmp_path):
    job = apart("It", saving, str(tmp_path / "file"))
    while not isinstance(next(job), Progress):
        pass
    job.close()
    assert (tmp_path / "file").read_text() == "kept"


def stop_and_end(how):
    """Ask to stop, and end it when it does not answer; what is said, and what is raised."""
    control, said = Control(), []
    try:
        for event in drive(apart("its plug-in", misbehaving, how, ""), control):
            if isinstance(event, Progress):
                control.stop()
            if isinstance(event, Unanswered):
                said.append(event.message)
                control.end()
    except PluginError as error:
        return said, str(error)
    raise AssertionError("it answered")


@pytest.mark.parametrize(
    ("how", "line"),
    [("loop", "line of the loop"), ("sleeps", "time.sleep(1000)"), ("holds the interpreter", "sum(itertools.repeat")],
)
def test_code_that_does_not_answer_is_named_with_its_line_and_can_be_ended(impatient, how, line):
    said, raised = stop_and_end(how)
    # In the loop the line may be that of the test of its condition.
    places = [f"{HERE}, line {line_of(line) - before}" for before in (0, 1)]
    assert said[0] in [f"sparse-vae does not answer ({place})." for place in places]
    assert raised in [f"sparse-vae did not answer ({place}) and was ended." for place in places]


def test_a_request_that_is_answered_late_is_taken_back(monkeypatch):
    monkeypatch.setattr(workers, "SILENCE", 0.15)
    control, said = Control(), []
    for event in drive(apart("It", misbehaving, "", ""), control):
        if isinstance(event, Progress):
            control.pause()
        if isinstance(event, Unanswered | Finished):
            said.append(event)
    words = f"sparse-vae does not answer ({HERE}, line {line_of('time.sleep(0.5)')})."
    assert said == [Unanswered(words), Unanswered(""), Finished()]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exits", f"sparse-vae ended its process with exit status 3 ({HERE}, line {{}})."),
        ("crashes", f"sparse-vae crashed with SIGSEGV ({HERE}, line {{}})."),
        ("sys.exit", f"sparse-vae raised SystemExit: 5 ({HERE}, line {{}})."),
        ("raises", f"sparse-vae raised ZeroDivisionError: no step ({HERE}, line {{}})."),
        ("interrupts", f"sparse-vae raised KeyboardInterrupt ({HERE}, line {{}})."),
    ],
)
def test_code_that_crashes_exits_or_raises_costs_the_job_and_is_named(how, words):
    lines = {
        "exits": "os._exit(3)",
        "crashes": "ctypes.string_at(0)",
        "sys.exit": "raise SystemExit(5)",
        "raises": "raise ZeroDiv",
        "interrupts": "raise Keyb",
    }
    with pytest.raises(PluginError) as raised:
        list(apart("its plug-in", misbehaving, how, ""))
    assert str(raised.value) == words.format(line_of(lines[how]) if how in lines else "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_its_code_has_left_behind_does_not_hide_that_it_has_ended():
    """It holds the connection open: once the job seemed to be idle for as long as it lived."""
    began = time.monotonic()
    with pytest.raises(PluginError, match=r"^sparse-vae ended its process with exit status 3 \("):
        list(apart("its plug-in", misbehaving, "leaves a process", ""))
    assert time.monotonic() - began < 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot end such a process")
def test_code_that_holds_the_interpreter_ends_with_a_parent_that_is_killed():
    """Once it went on for good, with the lock of its run."""
    code = (
        f"import multiprocessing, sys; sys.path[:0] = {[str(HERE_PATH.parent), str(Path.cwd())]!r}\n"
        f"import {HERE_PATH.stem} as here\n"
        "for event in here.apart('It', here.misbehaving, 'holds the interpreter', ''):\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        while not (line := parent.stdout.readline()):
            pass
        assert int(line) == child
        time.sleep(2)  # it has begun to hold
        parent.kill()
    try:
        end = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not Path(f"/proc/{child}").exists()
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_what_its_code_prints_is_no_result_of_a_command(capfd):
    list(apart("It", printing))
    assert capfd.readouterr().out == ""


def test_an_error_of_the_applications_own_comes_through_as_it_is():
    with pytest.raises(ChangedError, match=r"^The data are others\.$"):
        list(apart("It", misbehaving, "data", ""))


def note(path, words):
    Path(path).write_text(words)


def test_children_do_first_what_they_are_to_be_prepared_with(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    prepare_children(note, str(tmp_path / "first"), "prepared")
    list(apart("It", counting, 1))
    assert (tmp_path / "first").read_text() == "prepared"
