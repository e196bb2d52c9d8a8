"""Time and memory of data: drawing dSprites, opening it, batches, and training on it. Run with `make bench`."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.data import load_dataset

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]

PEAK = """
import resource, sys, main
status = main.main(sys.argv[1:])
# On Linux in kB. Pages of the mapped 377 MB count too, as far as they were touched.
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000, file=sys.stderr)
"""


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_drawing_opening_and_batches(empty_cache: None) -> None:
    """From nothing to ready, then ready again, then batches of 64."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        dataset = load_dataset("dsprites")
        times.append(time.perf_counter() - start)
    rng, batches = np.random.default_rng(0), []
    for _ in range(500):
        chosen = rng.integers(0, len(dataset), 64)
        start = time.perf_counter()
        dataset.images(chosen)
        batches.append(time.perf_counter() - start)
    print(
        f"\ndSprites: drawn in {times[0]:.2f} s, opened again in {1e3 * statistics.median(times[1:]):.1f} ms, "
        f"a batch of 64 in {1e3 * statistics.median(batches):.3f} ms (median of {len(batches)})"
    )


def test_peak_memory_of_training(empty_cache: None, tmp_path: Path) -> None:
    """The whole process, torch included: 300 steps of batch 64 on dSprites, drawn first."""
    command = [sys.executable, "-c", PEAK, "train", "--steps", "300", "--runs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ)
    print(f"\ntraining on dSprites, batch 64: peak {done.stderr.split('peak ')[-1].strip()} MB")
