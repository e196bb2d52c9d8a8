"""kill -9 at random moments: every run opens again, loses at most one checkpoint interval, and ends identically.

Run with `make test-slow`. The seeds and the number of kills are printed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from engine.runs.checkpoints import checkpoint_step, load_trainer, load_weights
from engine.runs.metrics_file import MetricsReader
from engine.runs.run import Run
from engine.training.trainer import train

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]
ROOT = Path(__file__).resolve().parents[3]
KILLS = 60
INTERVAL = 7

# Loads torch once, then forks a trainer for each line it reads and says when it ended.
NURSERY = """
import os, sys
from pathlib import Path
import engine.training.trainer
from engine.runs.run import Run
for line in sys.stdin:
    child = os.fork()
    if not child:
        for _ in engine.training.trainer.train(Run.open(Path(line.strip()))):
            pass
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_sixty_kills_at_random_moments(tmp_path, make_run, capsys):
    settings = {"steps": 900, "log_steps": 5, "checkpoint_steps": INTERVAL, "preview_steps": 11}
    nursery = subprocess.Popen(
        [sys.executable, "-c", NURSERY], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    kills = runs = 0
    try:
        while kills < KILLS:
            whole, killed = (make_run(tmp_path, f"run-{runs}", seed=runs, **settings) for _ in range(2))
            rng = random.Random(runs)
            reached = 0
            while True:
                nursery.stdin.write(f"{killed.path}\n")
                nursery.stdin.flush()
                child = int(nursery.stdout.readline())
                if kills < KILLS:
                    time.sleep(rng.uniform(0.02, 0.9))  # the moment of the kill
                    os.kill(child, signal.SIGKILL)
                if int(nursery.stdout.readline()) == 0:
                    break
                kills += 1
                reached = _check(killed.path, reached)
            list(train(whole))
            _assert_same(whole, killed)
            runs += 1
    finally:
        nursery.communicate()
    with capsys.disabled():
        sys.stdout.write(f"\n{kills} kills over {runs} runs, seeds 0 to {runs - 1}: all opened and resumed exactly\n")


def _check(path, reached):
    """Check that the run opens, its checkpoint is intact, and nothing saved is lost; return the checkpoint's step."""
    run = Run.open(path)
    assert run.state().state in ("interrupted", "new", "finished")
    step = checkpoint_step(run.checkpoint_folder) or 0
    if step:
        load_trainer(run.checkpoint_folder, load_weights(run.checkpoint_folder))
    rows = MetricsReader(run.metrics_file)
    rows.refresh()
    last = int(rows.column("step")[-1]) if len(rows) else 0
    assert step >= reached
    assert last - step <= INTERVAL
    return step


def _assert_same(first, second):
    def rows(run):
        lines = run.metrics_file.read_text().splitlines()
        return [line.split(",")[:2] + line.split(",")[3:] for line in lines]

    assert rows(first) == rows(second)
    one, two = (load_weights(run.checkpoint_folder).tensors for run in (first, second))
    assert all(torch.equal(one[name], two[name]) for name in one)
