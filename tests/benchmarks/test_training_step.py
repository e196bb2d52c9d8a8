"""How long a training step takes, and how much of it is not inside torch. Run with `make bench`."""

import statistics
import time
from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.runs import Run
from engine.training import Trainer, train

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("batch", [16, 64])
def test_steps_through_the_whole_job_against_the_bare_update(tmp_path: Path, batch: int) -> None:
    """Pairs of 20 steps: the job with its bookkeeping, and only the update of the weights."""
    config = RunConfig(steps=100_000, batch_size=batch, preview_steps=10_000, checkpoint_steps=10_000)
    whole = train(Run.create(tmp_path, config))
    bare = Trainer(Run.create(tmp_path, config))
    bare.model.train()
    for _ in range(30):
        next(whole)
    job, update = [], []
    for _ in range(12):
        start = time.perf_counter()
        for _ in range(20):
            next(whole)
        middle = time.perf_counter()
        for _ in range(20):
            bare._train_step()
        job.append((middle - start) / 20)
        update.append((time.perf_counter() - middle) / 20)
    whole.close()
    ratio = statistics.median(j / u for j, u in zip(job, update, strict=True))
    print(
        f"\ndSprites, batch {batch}: {1e3 * statistics.median(job):.1f} ms a step in the job, "
        f"{1e3 * statistics.median(update):.1f} ms the update alone, ratio {ratio:.3f}"
    )


def test_drawing_all_of_dsprites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to ready, then ready again, then a batch of 64."""
    import numpy as np

    from engine.data import load_dataset

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    times = []
    for _ in range(2):
        start = time.perf_counter()
        dataset = load_dataset("dsprites")
        times.append(time.perf_counter() - start)
    rng, batches = np.random.default_rng(0), []
    for _ in range(300):
        chosen = rng.integers(0, len(dataset), 64)
        start = time.perf_counter()
        dataset.images(chosen)
        batches.append(time.perf_counter() - start)
    print(
        f"\ndSprites: drawn in {times[0]:.2f} s, opened in {1e3 * times[1]:.1f} ms, "
        f"a batch of 64 in {1e3 * statistics.median(batches):.3f} ms"
    )
