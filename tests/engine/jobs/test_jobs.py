"""Driving a job: pause, stop and cancel, with small jobs written by hand."""

import threading

import pytest

from engine.errors import StudioError
from engine.jobs.control import Control, drive, last_event
from engine.jobs.events import Finished, Paused, Progress, Request


class Counting:
    """A job of five steps that follows the rules of `engine.jobs.events` and records what happens to it."""

    def __init__(self):
        self.requests = []
        self.closed = False
        self.ended = False

    def __call__(self):
        try:
            for step in range(1, 6):
                request = yield Progress(step, 5)
                self.requests.append(request)
                if request is Request.STOP:
                    yield Finished(step=step, stopped=True)
                    return
                if request is Request.PAUSE:
                    yield Paused(step)
            self.ended = True
            yield Finished(step=5)
        except GeneratorExit:
            self.closed = True
            raise


class RecordingControl(Control):
    """A control that counts waits and resumes at once."""

    def __init__(self):
        super().__init__()
        self.waits = 0

    def wait(self):
        self.waits += 1
        self.resume()
        super().wait()


def test_an_undisturbed_job_yields_all_its_events_and_receives_no_request():
    job = Counting()
    events = list(drive(job(), Control()))
    assert events == [*(Progress(step, 5) for step in range(1, 6)), Finished(step=5)]
    assert job.requests == [None] * 5


def test_stop_ends_the_job_early_with_its_own_last_event():
    job, control, events = Counting(), Control(), []
    for event in drive(job(), control):
        events.append(event)
        if event == Progress(2, 5):
            control.stop()
    assert events == [Progress(1, 5), Progress(2, 5), Finished(step=2, stopped=True)]
    assert not job.ended


def test_pause_waits_after_the_paused_event_and_continues_from_there():
    job, control, events = Counting(), RecordingControl(), []
    for event in drive(job(), control):
        events.append(event)
        if event == Progress(2, 5):
            control.pause()
        if isinstance(event, Paused):
            assert control.waits == 0
    assert control.waits == 1
    assert events == [
        Progress(1, 5),
        Progress(2, 5),
        Paused(2),
        *(Progress(step, 5) for step in range(3, 6)),
        Finished(step=5),
    ]


def test_a_paused_job_continues_when_another_thread_resumes_it():
    job, control = Counting(), Control()
    paused, events = threading.Event(), []

    def consume():
        for event in drive(job(), control):
            events.append(event)
            if event == Progress(1, 5):
                control.pause()
            if isinstance(event, Paused):
                paused.set()

    thread = threading.Thread(target=consume)
    thread.start()
    assert paused.wait(10)
    assert events == [Progress(1, 5), Paused(1)]  # it waits: nothing else can have come
    control.resume()
    thread.join(10)
    assert not thread.is_alive()
    assert events[-1] == Finished(step=5)


@pytest.mark.parametrize("end", ["stop", "cancel"])
def test_a_paused_job_can_be_stopped_or_cancelled(end):
    job, control, events = Counting(), Control(), []

    def consume():
        for event in drive(job(), control):
            events.append(event)
            if event == Progress(1, 5):
                control.pause()
            if isinstance(event, Paused):
                getattr(control, end)()

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert not job.ended
    assert job.closed == (end == "cancel")


def test_a_pause_withdrawn_before_the_next_yield_has_no_effect():
    job, control = Counting(), Control()
    for event in drive(job(), control):
        assert not isinstance(event, Paused)
        control.pause()
        control.resume()
    assert job.requests == [None] * 5


def test_cancel_closes_the_job_at_once_and_nothing_follows():
    job, control, events = Counting(), Control(), []
    for event in drive(job(), control):
        events.append(event)
        if event == Progress(3, 5):
            control.cancel()
    assert events == [Progress(step, 5) for step in (1, 2, 3)]
    assert job.closed
    assert control.cancelled


def test_a_job_cancelled_before_it_starts_does_nothing():
    control = Control()
    control.cancel()
    job = Counting()
    assert list(drive(job(), control)) == []
    assert not job.requests


def test_leaving_the_loop_closes_the_job():
    job = Counting()
    events = drive(job(), Control())
    assert next(events) == Progress(1, 5)
    events.close()
    assert job.closed


def test_an_error_in_the_job_reaches_its_host():
    def failing():
        yield Progress(1, 2)
        raise StudioError("The disk is full.")

    events = drive(failing(), Control())
    assert next(events) == Progress(1, 2)
    with pytest.raises(StudioError, match="disk is full"):
        next(events)


def test_stop_outranks_pause():
    control = Control()
    assert control.request is None
    control.pause()
    assert control.request is Request.PAUSE
    control.stop()
    control.pause()
    assert control.request is Request.STOP


def test_last_event_runs_the_job_to_its_end():
    job = Counting()
    assert last_event(job(), Progress) == Progress(5, 5)
    assert job.ended
    with pytest.raises(IndexError):
        last_event(job(), Paused)
