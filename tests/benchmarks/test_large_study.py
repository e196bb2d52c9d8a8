"""What a study of thousands of cells costs on a cluster of 200 workers: per cell, in memory, and to show.

The scheduler, the client and the run folders are real; a cell is not: it sleeps for some milliseconds and writes that
it is trained and evaluated. The workers are those of `distributed`, each with one slot, 50 in a process. Processor time
is measured, since the clock says little on a busy machine.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from engine.jobs.events import Finished
from engine.studies import CellFinished, cell_states, load_study, run_study
from gui.metrics.study_standing import read_standing

ROOT = Path(__file__).resolve().parents[2]
SIZES = tuple(int(size) for size in os.environ.get("LARGE_STUDY", "1000,3000,10000").split(","))
WORKERS, PER_PROCESS = 200, 50
FLAT = 1.5
"""How many times as much a cell of the largest study may cost as one of the smallest."""

STUDY = """
title = "Large"
about = "Many cells that are not trained."
seeds = {seeds}
metrics = ["reconstruction"]

[settings]
dataset = "digits"
network = "burgess"
steps = 60
"""
METHOD = """
[[methods]]
title = "β = {number}"
objective = "beta-vae"
beta = {number}
"""
SEEDS = 100

SIMULATED = """
import asyncio, sys, time
sys.path.insert(0, {root!r})
from engine.jobs.workers import Outcome
from engine.evaluation.catalogue import VERSION
from engine.runs.run import Run, RunState
from engine.studies.cluster import remote

def work(cell, task):
    time.sleep(0.005)
    run = Run.open(task.run)
    with run.locked():
        run.write_evaluation({{
            "run": run.name, "name": run.name, "step": 60, "checkpoint": f"{{VERSION}}-simulated",
            "metrics": {{"reconstruction": {{"value": 90.5, "unit": "nats", "protocol": {{}}}}}},
        }})
        run.write_state(RunState("finished", 60, 60))
    return Outcome()

remote._work = work

async def serve(address, number):
    from distributed import Worker
    started = [
        Worker(address, nthreads=1, memory_limit=0, host="127.0.0.1", dashboard=False, dashboard_address="127.0.0.1:0")
        for _ in range(number)
    ]
    for worker in started:
        await worker.start()
    print("ready", flush=True)
    await asyncio.gather(*(worker.finished() for worker in started))

asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
"""


class Cluster:
    """A scheduler and processes with workers whose cells are simulated."""

    def __init__(self, workers):
        self.scheduler = self._start("main.py", "scheduler", "--port", "0")
        self.address = self.scheduler.stdout.readline().strip()
        left, started = workers, []
        while left:
            number = min(PER_PROCESS, left)
            started.append(self._start("-c", SIMULATED.format(root=str(ROOT)), self.address, str(number)))
            left -= number
        self.processes = [self.scheduler, *started]
        for process in started:
            assert process.stdout.readline() == "ready\n"

    def _start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def end(self):
        for process in self.processes:
            process.kill()
            process.communicate()


def large(folder, cells):
    seeds = min(SEEDS, cells)
    methods = "".join(METHOD.format(number=1 + number) for number in range(cells // seeds))
    path = folder / f"large-{cells}.toml"
    path.write_text(STUDY.format(seeds=list(range(seeds))) + methods, encoding="utf-8")
    return load_study(path)


def measured(cluster, study, runs):
    """Run a study to its end; return what a cell costs in milliseconds, MB of memory, and seconds to show it."""
    scheduler, own = psutil.Process(cluster.scheduler.pid), psutil.Process()
    before, began, mine = sum(scheduler.cpu_times()[:2]), time.perf_counter(), time.process_time()
    held = own.memory_info().rss
    events = list(run_study(study, runs, scheduler=cluster.address))
    cells = len(study.cells)
    assert events[-1] == Finished(message=f"{cells} of {cells} runs are trained and evaluated.")
    assert len({event.state.run for event in events if isinstance(event, CellFinished)}) == cells
    found = {
        "clock": 1e3 * (time.perf_counter() - began) / cells,
        "client": 1e3 * (time.process_time() - mine) / cells,
        "scheduler": 1e3 * (sum(scheduler.cpu_times()[:2]) - before) / cells,
        "scheduler MB": scheduler.memory_info().rss / 1e6,
        "client MB more": (own.memory_info().rss - held) / 1e6,
    }
    del events
    for name in ("first", "again"):
        mine = time.process_time()
        standing = read_standing(study, runs, (), ())
        found[f"show {name}"] = 1e3 * (time.process_time() - mine) / cells
    assert standing.done == cells
    return found


@pytest.fixture
def memory_folder():
    """A folder in memory where there is one: the folders of 10,000 runs would measure the disk."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_small_simulated_study_ends(tmp_path):
    cluster = Cluster(4)
    try:
        study = large(tmp_path, 30)
        measured(cluster, study, tmp_path / "runs")
    finally:
        cluster.end()
    assert {state.state for state in cell_states(study, tmp_path / "runs")} == {"evaluated"}


@pytest.mark.benchmark
def test_a_cell_costs_the_same_in_a_study_of_any_size(memory_folder):
    cluster, found = Cluster(WORKERS), {}
    try:
        for cells in SIZES:
            found[cells] = measured(cluster, large(memory_folder, cells), memory_folder / f"runs-{cells}")
            shutil.rmtree(memory_folder / f"runs-{cells}")
            words = ", ".join(f"{name} {value:.1f}" for name, value in found[cells].items())
            print(f"\n{cells:,} cells, {WORKERS} workers (ms per cell, unless MB): {words}")
    finally:
        cluster.end()
    for name in ("client", "scheduler", "show first", "show again"):
        assert found[SIZES[-1]][name] < FLAT * found[SIZES[0]][name], name
