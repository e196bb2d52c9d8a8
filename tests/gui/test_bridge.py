"""Jobs in a thread: batches, pause, stop, cancel, failures, and only the latest request."""

import threading

import pytest
from PySide6.QtCore import QObject, QThread, Slot

from engine.errors import StudioError
from engine.jobs.events import (
    CheckpointSaved,
    Event,
    Finished,
    Idle,
    Paused,
    Progress,
    Request,
    StepMetrics,
    Unanswered,
)
from gui import bridge
from gui.bridge import JobSession, JobThread, LatestWorker


class Receiver(QObject):
    """Records the events received, and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[object]] = []
        self.answers: list[tuple[object, object]] = []
        self.failures: list[str] = []
        self.threads: set[QThread] = set()

    @Slot(list)
    def take(self, batch: list[object]) -> None:
        self.batches.append(batch)
        self.threads.add(QThread.currentThread())

    @Slot(object, object)
    def answer(self, key: object, result: object) -> None:
        self.answers.append((key, result))
        self.threads.add(QThread.currentThread())

    @Slot(object, str)
    def fail(self, key: object, message: str) -> None:
        self.failures.append(message)

    @property
    def events(self) -> list[object]:
        return [event for batch in self.batches for event in batch]


def row(step: int) -> StepMetrics:
    return StepMetrics(step, 0.0, 0.0, 0.0, 0.0, 0.0, None, ())


@pytest.fixture
def host(qapp):
    parent = QObject()
    made: list[JobThread] = []

    def start(job, types=(Event,)):
        thread, receiver = JobThread(job, parent, types), Receiver()
        thread.events.connect(receiver.take)
        made.append(thread)
        return thread, receiver

    yield start
    for thread in made:
        thread.control.cancel()
        thread.wait()
    parent.deleteLater()


def test_all_events_except_outdated_progress_arrive_in_order_in_the_windows_thread(qtbot, qapp, host):
    def job():
        for step in range(1000):
            yield row(step)
            yield Progress(step, 1000)
        yield Finished()

    thread, receiver = host(job)
    with qtbot.waitSignal(thread.finished):
        thread.start()
    qapp.processEvents()
    rows = [event.step for event in receiver.events if isinstance(event, StepMetrics)]
    assert rows == list(range(1000))
    assert receiver.events[-1] == Finished()
    assert len(receiver.batches) < 20  # a thousand steps in well under two seconds: ten batches a second
    assert receiver.threads == {qapp.thread()}


def test_a_job_pauses_resumes_and_stops(qtbot, host):
    started = threading.Event()

    def job():
        step = 0
        while True:
            step += 1
            started.set()
            request = yield Progress(step, 0)
            if request is Request.PAUSE:
                yield Paused(step)
            if request is Request.STOP:
                yield Finished(step=step, stopped=True)
                return

    thread, receiver = host(job)
    thread.start()
    assert started.wait(5)
    thread.control.pause()
    qtbot.waitUntil(lambda: any(isinstance(event, Paused) for event in receiver.events), timeout=5000)
    thread.control.resume()
    with qtbot.waitSignal(thread.finished):
        thread.control.stop()
    qtbot.waitUntil(lambda: isinstance(receiver.events[-1], Finished))
    assert receiver.events[-1].stopped


def test_cancelling_closes_the_job(qtbot, host):
    started, closed = threading.Event(), threading.Event()

    def job():
        try:
            while True:
                started.set()
                yield Progress(0, 1)
        finally:
            closed.set()

    thread, _ = host(job)
    thread.start()
    assert started.wait(5)
    with qtbot.waitSignal(thread.finished):
        thread.control.cancel()
    assert closed.is_set()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StudioError("The data folder is gone."), "The data folder is gone."),
        (MemoryError(), "Not enough memory"),
        (ZeroDivisionError("division by zero"), "Unexpected error (ZeroDivisionError"),
    ],
)
def test_a_failure_becomes_a_sentence(qtbot, host, error, sentence):
    def job():
        yield row(1)
        raise error

    thread, receiver = host(job)
    with qtbot.waitSignal(thread.finished):
        thread.start()
    assert thread.error.startswith(sentence)
    assert thread.exception is error
    assert receiver.events == [row(1)]


def test_only_the_latest_waiting_request_is_answered(qtbot, qapp):
    parent, receiver = QObject(), Receiver()
    worker = LatestWorker(parent)
    worker.answered.connect(receiver.answer)
    busy, go = threading.Event(), threading.Event()

    def first():
        busy.set()
        go.wait(5)
        return "first"

    worker.ask(1, first)
    assert busy.wait(5)
    for key in range(2, 50):
        worker.ask(key, lambda key=key: key)
    with qtbot.waitSignals([worker.answered, worker.answered]):
        go.set()
    assert receiver.answers == [(1, "first"), (49, 49)]
    assert receiver.threads == {qapp.thread()}
    worker.close()
    assert not worker.isRunning()


def test_a_failed_request_does_not_end_the_worker(qtbot):
    parent, receiver = QObject(), Receiver()
    worker = LatestWorker(parent)
    worker.failed.connect(receiver.fail)

    def broken():
        raise StudioError("No weights yet.")

    with qtbot.waitSignal(worker.failed):
        worker.ask(1, broken)
    with qtbot.waitSignal(worker.answered) as answer:
        worker.ask(2, lambda: "fine")
    assert receiver.failures == ["No weights yet."]
    assert answer.args == [2, "fine"]
    worker.close()


def test_events_without_a_handler_stay_in_the_thread(qtbot, qapp):
    def job():
        for step in range(300):
            yield row(step)
            yield CheckpointSaved(step)
        yield Progress(1, 2, "read")
        yield row(300)
        yield Finished(message="The end.")

    parent, received, crossed = QObject(), [], Receiver()
    session = JobSession(
        parent, {Progress: received.append}, lambda thread: received.append((session.words, thread.error))
    )
    session.begin(job)
    session._thread.events.connect(crossed.take)
    qtbot.waitUntil(lambda: not session.active)
    assert received == [Progress(1, 2, "read"), ("The end.", "")]
    assert crossed.events == [Progress(1, 2, "read"), Finished(message="The end.")]


def test_an_event_is_delivered_even_if_only_unhandled_events_follow(qtbot, qapp):
    go = threading.Event()

    def job():
        yield Progress(1, 3)
        yield Progress(2, 3)
        while not go.wait(0.02):
            yield row(0)

    parent, received = QObject(), []
    session = JobSession(parent, {Progress: received.append}, lambda thread: None)
    session.begin(job)
    qtbot.waitUntil(lambda: received[-1:] == [Progress(2, 3)], timeout=2000)
    go.set()
    qtbot.waitUntil(lambda: not session.active)


def test_a_request_without_an_answer_is_told_and_taken_back_and_can_be_ended(qtbot, qapp):
    parent, heard, ended = QObject(), [], []

    def job():
        yield Unanswered("sparse does not answer.")
        request = None
        while request is not Request.END:
            request = yield Idle()
        yield Unanswered("")

    session = JobSession(parent, {}, ended.append)
    session.unanswered.connect(lambda words: heard.append(("unanswered", words)))
    session.resolved.connect(lambda words: heard.append(("resolved", words)))
    session.begin(job)
    qtbot.waitUntil(lambda: heard == [("unanswered", "sparse does not answer.")])
    session.end()
    qtbot.waitUntil(lambda: bool(ended))
    assert heard[1:] == [("resolved", "sparse does not answer.")]
    parent.deleteLater()


def test_closing_does_not_wait_for_code_that_does_not_come_back(qtbot, qapp, monkeypatch):
    monkeypatch.setattr(bridge, "CLOSING", 0.2)
    parent, begun, release = QObject(), threading.Event(), threading.Event()
    worker = LatestWorker(parent)

    def hang():
        begun.set()
        release.wait(60)

    worker.ask("key", hang)
    assert begun.wait(5)
    worker.close()
    assert bridge.stuck()
    release.set()
    worker.wait()
    assert not bridge.stuck()
    parent.deleteLater()
