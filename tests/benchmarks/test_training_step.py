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
