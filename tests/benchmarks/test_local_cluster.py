"""A study in the processes of `WorkerPool` against the same on an embedded `LocalCluster`, in pairs.

What it costs to start (until the first cell trains), to run, to stop (limit: two seconds), and in memory of the client.
Times are of the clock, so the machine must have nothing else to do.
"""

import contextlib
import statistics
import subprocess
import sys
import time

import psutil
import pytest

from engine.jobs.control import Control, drive
from engine.jobs.events import Progress
from engine.studies import CellStarted, load_study, run_study

pytestmark = pytest.mark.benchmark

PAIRS = 3
SLOTS = 2


@contextlib.contextmanager
def pool():
    yield {}


@contextlib.contextmanager
def local_cluster():
    """As it would be embedded: scheduler and worker in the client's process, cells in child processes as everywhere."""
    from distributed import LocalCluster

    from engine.studies.cluster import remote

    with LocalCluster(
        n_workers=1, threads_per_worker=SLOTS, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as made:
        yield {"scheduler": made.scheduler_address}
        remote.stop_all(2)


def timed(host, study, runs):
    """Seconds to the first cell, and from there to the end."""
    began, first = time.perf_counter(), None
    with host() as where:
        for event in run_study(study, runs, SLOTS, threads=1, **where):
            if first is None and isinstance(event, CellStarted):
                first = time.perf_counter()
        end = time.perf_counter()
    return first - began, end - first


def stopped(host, study, runs):
    """Seconds from the request to stop until the study has ended."""
    control, asked = Control(), None
    with host() as where:
        for event in drive(run_study(study, runs, SLOTS, threads=1, **where), control):
            if asked is None and isinstance(event, Progress) and event.done:
                asked = time.perf_counter()
                control.stop()
        return time.perf_counter() - asked


def test_pool_and_local_cluster(study_file, tmp_path):
    loaded = "import sys, time; b = time.perf_counter(); import distributed; print(time.perf_counter() - b)"
    imported = [float(subprocess.check_output([sys.executable, "-c", loaded])) for _ in range(3)]
    path = study_file(tmp_path, ("steps = 60", "steps = 2000"), ("checkpoint_steps = 10", "checkpoint_steps = 500"))
    study, hosts = load_study(path), {"pool": pool, "local cluster": local_cluster}
    before = psutil.Process().memory_info().rss
    found = {name: [] for name in hosts}
    for pair in range(PAIRS):
        for name, host in hosts.items():
            found[name].append(timed(host, study, tmp_path / f"{name}-{pair}"))
    ratios = [other / own for (_, own), (_, other) in zip(found["pool"], found["local cluster"], strict=True)]
    stops = {name: stopped(host, study, tmp_path / f"{name}-stopped") for name, host in hosts.items()}
    held = (psutil.Process().memory_info().rss - before) / 1e6
    print(f"\nimport of distributed: {min(imported):.1f} s; memory of the client: {held:.0f} MB more")
    for name, pairs in found.items():
        starts, lengths = zip(*pairs, strict=True)
        print(
            f"{name}: first cell after {statistics.median(starts):.2f} s, then {statistics.median(lengths):.1f} s; "
            f"stopped after {stops[name]:.2f} s"
        )
    print(f"local cluster / pool: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
