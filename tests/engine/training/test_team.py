"""A run trained by several processes: started by this application or by torchrun, killed, stopped and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import ConfigError, RunError
from engine.jobs.events import CheckpointSaved, Finished, Paused, Request, Warned
from engine.jobs.workers import Worker
from engine.runs.checkpoints import load_weights
from engine.runs.metrics_file import complete_lines
from engine.runs.run import Run
from engine.training.apart import training
from engine.training.place import Place, place_given
from engine.training.team import check_processes
from engine.training.trainer import train

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {"objective": "factor-vae", "threads": 1, "checkpoint_steps": 10, "gamma": 2}


def test_torchrun_says_which_process_this_is():
    given = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}
    assert place_given(given) == Place(3, 4, 1)
    assert place_given(given | {"WORLD_SIZE": "1"}) is None
    assert place_given({"RANK": "3", "WORLD_SIZE": "4"}) is None  # of another program
    with pytest.raises(ConfigError, match="RANK, WORLD_SIZE and LOCAL_RANK"):
        place_given({"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4"})


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_processes(2, "auto")
    check_processes(3, "cpu")
    with pytest.raises(
        ConfigError, match=r"--gpus is 3, and PyTorch finds 2 GPUs \(CUDA\) on this machine\. With --dev"
    ):
        check_processes(3, "cuda")
    with pytest.raises(ConfigError, match="whole number from 1 to 64"):
        check_processes(65, "cpu")


@pytest.fixture(scope="module")
def alone(make_run, tmp_path_factory, one_thread):
    """A run trained by one process."""
    run = make_run(tmp_path_factory.mktemp("alone"), **SETTINGS)
    for _ in train(run):
        pass
    return run


@pytest.fixture(scope="module")
def one_thread():
    """Training sets the number of threads: put it back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def assert_alike(run, other):
    """The same curves to rounding, which grows over 60 steps, and no trace of the number of processes in its files."""
    (names, ours), (same, theirs) = (curves(each) for each in (run, other))
    assert names == same
    np.testing.assert_array_equal(ours[:, 0], theirs[:, 0])
    at = names.index("reconstruction")
    np.testing.assert_allclose(ours[:, at], theirs[:, at], rtol=1e-3)
    files = [{path.relative_to(each.path) for path in each.path.rglob("*")} for each in (run, other)]
    assert files[0] == files[1]


def curves(run):
    first, *rows = complete_lines(run.metrics_file)
    return first.split(","), np.array([[float(cell or "nan") for cell in row.split(",")] for row in rows])


@pytest.mark.slow
def test_a_run_of_two_processes_is_paused_stopped_and_resumed_by_one(make_run, tmp_path, alone):
    run = make_run(tmp_path, **SETTINGS)
    job, request, events = training(run, processes=2), None, []
    try:
        while True:
            event = job.send(request)
            events.append(event)
            request = None
            if isinstance(event, CheckpointSaved):
                request = Request.PAUSE if event.step < 20 else Request.STOP
    except StopIteration:
        pass
    assert any(isinstance(event, Paused) for event in events)
    assert isinstance(events[-1], Finished)
    assert events[-1].stopped
    assert run.state().state == "stopped"
    events = list(training(Run.open(run.path)))
    [note] = [event.message for event in events if isinstance(event, Warned)]
    assert "trained by 2 processes so far and continues with 1" in note
    assert "no longer, bit for bit" in note
    assert run.state().state == "finished"
    assert_alike(run, alone)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_process_ends_the_others_within_seconds_and_the_run_resumes(
    make_run, tmp_path, alone, monkeypatch, lost
):
    started = []
    start = Worker.__init__

    def noted(self, *arguments, **named):
        start(self, *arguments, **named)
        started.append(self._process)

    monkeypatch.setattr(Worker, "__init__", noted)
    run = make_run(tmp_path, **SETTINGS)
    job = training(run, processes=2)
    while not isinstance(next(job), CheckpointSaved):
        pass
    os.kill(started[lost].pid, signal.SIGKILL)
    killed = time.monotonic()
    with pytest.raises(RunError, match=r"One of the 2 processes was ended by the system|Another process") as error:
        list(job)
    assert time.monotonic() - killed < 10
    assert "keeps its checkpoint at step" in str(error.value)
    assert not any(process.is_alive() for process in started if process.pid)
    assert Run.open(run.path).state().state == "failed"
    assert not run.is_locked()
    for _ in training(Run.open(run.path), processes=2):
        pass
    assert run.state().state == "finished"
    assert_alike(run, alone)


@pytest.mark.slow
def test_a_run_of_two_processes_that_is_interrupted_is_the_same_bit_for_bit(make_run, tmp_path):
    whole, parts = (make_run(tmp_path, name, **SETTINGS, steps=30) for name in ("whole", "parts"))
    for _ in training(whole, processes=2):
        pass
    job, request = training(parts, processes=2), None
    try:
        while True:
            request = Request.STOP if isinstance(job.send(request), CheckpointSaved) else None
    except StopIteration:
        pass
    for _ in training(Run.open(parts.path), processes=2):
        pass
    ours, theirs = (load_weights(run.checkpoint_folder).tensors for run in (parts, whole))
    assert all(torch.equal(ours[name], values) for name, values in theirs.items())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there")
def test_torchrun_trains_a_run_once(tmp_path, digits_folder, alone):
    """Two processes start the same command; one run folder, the one that the command prints."""
    values = {name: value for name, value in SETTINGS.items() if name not in ("objective", "threads")}
    values |= {"network": "burgess", "normalisation": "batch", "batch_size": 32, "log_steps": 10, "preview_steps": 30}
    changes = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "main.py", "train",
         "--dataset", "mnist", "--data", digits_folder, "--objective", "factor-vae", "--steps", "60", "--device", "cpu",
         "--threads", "1", "--runs", tmp_path, "--name", "both", *changes],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "both")]
    assert [path.name for path in tmp_path.iterdir()] == ["both"]
    run = Run.open(tmp_path / "both")
    assert run.state().state == "finished"
    assert_alike(run, alone)
