"""How long from a slider's move to pixels at 64 x 64, alone and while a run trains beside. Run with `make bench`."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.jobs.control import Control, drive
from engine.methods.registry import spec_for
from engine.networks.vae import VAE
from engine.runs.checkpoints import save_checkpoint
from engine.runs.run import Run
from engine.runs.trained import load_model_without_data
from engine.settings.run_config import RunConfig
from engine.training.trainer import train
from engine.traversal import decode, start_from_prior, traverse_from

pytestmark = pytest.mark.benchmark

MOVES = 500
PAUSE = 0.01
"""Seconds between two moves: a mouse tells of about a hundred a second."""


@pytest.fixture
def trained(tmp_path):
    """An untrained model for 64 x 64: its weights do not change how long it takes."""
    run = Run.create(tmp_path / "looked-at", RunConfig())
    save_checkpoint(run.checkpoint_folder, 1, VAE(spec_for(run.config, (64, 64, 1), 0)), {})
    return load_model_without_data(run)


@pytest.fixture
def beside(tmp_path):
    """A run that trains in a thread of this process, as the window's do."""
    control, started = Control(), threading.Event()

    def work() -> None:
        for _ in drive(train(Run.create(tmp_path / "beside", RunConfig(steps=1_000_000, log_steps=10))), control):
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    time.sleep(5)
    yield
    control.cancel()
    thread.join()


def measure(trained, where: str) -> None:
    decode(trained, np.zeros((1, 10)))
    times = []
    for value in np.linspace(-3, 3, MOVES):
        time.sleep(PAUSE)
        z = np.full((1, 10), value)
        start = time.perf_counter()
        decode(trained, z)
        times.append(1e3 * (time.perf_counter() - start))
    start = time.perf_counter()
    traverse_from(trained, start_from_prior(trained), range(10), np.zeros(10))
    grid = 1e3 * (time.perf_counter() - start)
    median, high = np.percentile(times, [50, 99])
    print(
        f"\n{where}: slider to pixels {median:.2f} ms (median), {high:.2f} ms (99th percentile) of {MOVES} moves; "
        f"a grid of 10 x 11 {grid:.0f} ms; {torch.get_num_threads()} threads"
    )


def test_slider_to_pixels_alone(trained: object, tmp_path: Path) -> None:
    measure(trained, "alone")


def test_slider_to_pixels_while_a_run_trains(trained: object, beside: None) -> None:
    measure(trained, "while training")
