"""A study on a cluster of real processes that are killed at random moments: each cell ends once, as if undisturbed."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.runs.run import Run, list_runs
from engine.studies import cell_states, load_study, run_study

ROOT = Path(__file__).resolve().parents[2]
KILLS, SEED = (int(os.environ.get(name, default)) for name, default in (("KILLS", "20"), ("KILLS_SEED", "0")))
LONGEST = 7200
"""Seconds after which the study counts as stuck."""

UNSHARED = "from engine.studies.cluster import remote; remote.sees = lambda path, content: False; "
"""A worker that does not see the runs folder of the study, though it is on the same machine."""


class Cluster:
    """A scheduler, two workers and the client with the study; what has ended is started again, as a service would."""

    def __init__(self, folder, study, runs, *, shared):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        address, before = f"tcp://127.0.0.1:{port}", "" if shared else UNSHARED
        program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {{}}import main; sys.exit(main.main())"
        self._folder = folder
        self._commands = {
            "scheduler": ("", "scheduler", "--port", port),
            "client": ("", "study", study, "--runs", runs, "--scheduler", address),
        }
        for name in ("worker 1", "worker 2"):
            own = folder / name.replace(" ", "-")
            self._commands[name] = (before, "worker", address, "--slots", "1", "--scratch", own)
        self._program = program
        self._running = {}
        self.statuses = []

    @property
    def names(self):
        return list(self._commands)

    def start(self, name):
        before, *arguments = self._commands[name]
        with (self._folder / f"{name}.log").open("a") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-c", self._program.format(before), *map(str, arguments)], stdout=log, stderr=log
            )

    def kill(self, name):
        self._running[name].kill()
        self._running[name].wait()

    def tend(self):
        """Start what is not running; return whether the client has finished the study."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                if name == "client":
                    self.statuses.append(process.returncode)
                    if process.returncode == 0:
                        return True
                self.start(name)
        return False

    def end(self):
        for process in self._running.values():
            process.kill()
            process.wait()

    def said(self, name):
        return (self._folder / f"{name}.log").read_text(errors="replace")


class Moment:
    """When the next process is killed: after a random amount of training or, one time in three, of time."""

    def __init__(self, chance, runs):
        self._runs = runs
        self._rows = self._written()
        self._more = chance.randint(1, 14)
        self._end = time.monotonic() + chance.uniform(0, 15) if chance.random() < 1 / 3 else float("inf")

    def is_due(self):
        return time.monotonic() > self._end or self._written() - self._rows >= self._more

    def _written(self):
        """Rows of all curves, of which a kill may cost some."""
        return sum(path.read_bytes().count(b"\n") for path in self._runs.glob("*/metrics.csv"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "unshared"])
def test_twenty_kills_at_random_moments_change_nothing(study_file, tmp_path, shared):
    """Workers, the scheduler and the client are killed with kill -9 and started again, until every cell has ended.

    Weights are those of the same study, undisturbed, in this machine's own processes.
    """
    path = study_file(
        tmp_path,
        ("seeds = [0, 1]", "seeds = [0, 1, 2, 3, 4, 5]"),
        ("steps = 60", "steps = 200"),
        ("preview_steps = 40", "preview_steps = 100"),
    )
    study, runs, apart = load_study(path), tmp_path / "runs", tmp_path / "undisturbed"
    assert len(study.cells) == 12
    began = time.monotonic()
    for _ in run_study(study, apart, workers=2, threads=1):
        pass
    undisturbed = time.monotonic() - began
    chance, killed, began = random.Random(SEED), [], time.monotonic()
    cluster, moment = Cluster(tmp_path, path, runs, shared=shared), Moment(chance, runs)
    try:
        for name in cluster.names:
            cluster.start(name)
        while not cluster.tend():
            time.sleep(0.1)
            assert time.monotonic() - began < LONGEST, "the study does not end"
            if len(killed) < KILLS and moment.is_due():
                killed.append(chance.choice(cluster.names))
                cluster.kill(killed[-1])
                moment = Moment(chance, runs)
    finally:
        cluster.end()
    took = time.monotonic() - began
    words = f"{len(killed)} kills ({', '.join(killed)}): {took:.0f} s; undisturbed {undisturbed:.0f} s"
    print(f"\n{words}")  # noqa: T201
    assert len(killed) > KILLS // 2, "the study ended before it was disturbed enough"
    assert "Traceback" not in cluster.said("client"), cluster.said("client")
    assert [state.state for state in cell_states(study, runs)] == ["evaluated"] * 12
    folders = [Run.open(found) for found in list_runs(runs)]
    assert len(folders) == 12  # none was begun twice
    for run in folders:
        same = Run.open(apart / run.path.name)
        assert (run.checkpoint_folder / "model.safetensors").read_bytes() == (
            same.checkpoint_folder / "model.safetensors"
        ).read_bytes()
        steps = [int(line.split(",")[0]) for line in run.metrics_file.read_text().splitlines()[1:]]
        assert steps == list(range(10, 201, 10))
