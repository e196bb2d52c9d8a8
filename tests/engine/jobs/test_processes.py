"""Work in child processes: ordered results, progress, failures as messages, immediate cancellation."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from engine.errors import StudioError
from engine.evaluation.dci import fit_factor
from engine.evaluation.intervals import wilson
from engine.evaluation.sap import latent_accuracies
from engine.jobs.events import Progress
from engine.jobs.processes import Children


def drain(generator):
    """All events of a generator, and its return value."""
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value


def long_fit(rng):
    """A fit of boosted trees that takes minutes."""
    codes, classes = rng.standard_normal((10_000, 10)), rng.integers(0, 40, 10_000)
    return codes, classes, codes, classes, 0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_results_come_in_the_order_of_the_tasks_with_progress_to_the_end():
    tasks = [(share, 100) for share in (0.1, 0.5, 0.9)]
    with Children(2) as children:
        events, results = drain(children.run(wilson, tasks, "Intervals", "intervals"))
        assert len(multiprocessing.active_children()) == 2
        again = drain(children.run(wilson, tasks[:1], "Intervals", "intervals"))[1]
    assert results == [wilson(*task) for task in tasks]
    assert again == results[:1]
    assert events[0] == Progress(0, 3, "Intervals", "intervals")
    assert events[-1] == Progress(3, 3, "Intervals", "intervals")
    assert multiprocessing.active_children() == []


def test_work_that_reports_its_units_gives_progress_within_a_task(rng):
    codes, classes = rng.standard_normal((60, 2)), rng.integers(0, 3, 60)
    with Children(1) as children:
        events, [fit] = drain(children.run(fit_factor, [(codes, classes, codes, classes, 0)], "Trees", "trees", [300]))
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == 300
    assert any(0 < d < 300 for d in done)
    np.testing.assert_array_equal(fit.importance, fit_factor(codes, classes, codes, classes, 0).importance)


def test_cancelling_ends_a_long_fit_at_once(rng):
    # The project asks for 2 seconds; the fit itself takes minutes.
    with Children(1) as children:
        job = children.run(fit_factor, [long_fit(rng)], "Trees", "trees", [4000])
        while next(job).done == 0:
            pass
        [child] = multiprocessing.active_children()
        start = time.monotonic()
        job.close()
    assert time.monotonic() - start < 2
    assert not child.is_alive()


def test_an_error_in_the_work_is_raised_with_its_traceback(rng):
    task = (np.arange(5.0), np.eye(4, dtype=int), np.arange(5.0), np.eye(4, dtype=int))
    with Children(1) as children, pytest.raises(RuntimeError, match=r"(?s)SAP.*latent_accuracies.*inconsistent"):
        drain(children.run(latent_accuracies, [task], "SAP", "fits"))


def test_a_child_killed_by_the_system_gets_a_message(rng):
    with Children(1) as children:
        job = children.run(fit_factor, [long_fit(rng)], "Fitting trees", "trees", [4000])
        while next(job).done == 0:
            pass
        [child] = multiprocessing.active_children()
        os.kill(child.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        with pytest.raises(StudioError, match=r"Fitting trees was ended by the system.*memory"):
            drain(job)
