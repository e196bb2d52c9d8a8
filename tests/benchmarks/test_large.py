"""Time and memory of a colour set of 480,000 images, 5.9 GB, which is never loaded whole. Run with `make bench`.

IMAGES=48000 runs it at another size. It needs twice the set's size of disk space at most.
"""

import os
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.data import load_dataset

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]
IMAGES = int(os.environ.get("IMAGES", "480000"))
SIDE = 64

PEAK = """
import resource, sys, main
status = main.main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deflated .npz of flat squares on flat grounds, so that writing it takes less time than reading it."""
    path = tmp_path_factory.mktemp("large") / "large.npz"
    rng = np.random.default_rng(0)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("images.npy", "w", force_zip64=True) as out,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (IMAGES, SIDE, SIDE, 3)}
        np.lib.format.write_array_header_1_0(out, header)
        for _ in range(IMAGES // 1000):
            part = np.empty((1000, SIDE, SIDE, 3), np.uint8)
            part[:] = rng.integers(0, 256, (1000, 1, 1, 3), np.uint8)
            part[:, 20:44, 20:44] = rng.integers(0, 256, (1000, 1, 1, 3), np.uint8)
            out.write(part.data)
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def run(environment: dict[str, str], *arguments: str) -> tuple[int, float]:
    """Run a command and return its peak memory in MB and its time in seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-c", PEAK, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stderr.split("peak ")[-1]), time.perf_counter() - start


def test_preparing_batches_and_training(
    original: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Converted once; then batches of 64 in random order, and 300 steps of training on them."""
    peak, seconds = run(environment, "datasets", "prepare", "arrays", "--data", str(original))
    size = IMAGES * SIDE * SIDE * 3 / 1e9
    print(f"\n{size:.1f} GB: prepared in {seconds:.0f} s, peak {peak:,} MB")
    assert peak < 1500
    monkeypatch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
    start = time.perf_counter()
    dataset = load_dataset("arrays", original)
    opened = time.perf_counter() - start
    rng, batches = np.random.default_rng(0), []
    for _ in range(500):
        chosen = rng.integers(0, len(dataset), 64)
        start = time.perf_counter()
        dataset.images(chosen)
        batches.append(time.perf_counter() - start)
    batch = 1e3 * statistics.median(batches)
    print(f"opened in {1e3 * opened:.1f} ms, a batch of 64 in {batch:.3f} ms (median of {len(batches)})")
    assert batch < 2
    train = [
        "train",
        "--dataset",
        "arrays",
        "--data",
        str(original),
        "--objective",
        "beta-vae",
        "--runs",
        str(tmp_path),
    ]
    peak, seconds = run(environment, *train, "--steps", "300")
    print(f"300 steps of training, batch 64: {seconds:.0f} s, peak {peak:,} MB")
    assert peak < 1500
