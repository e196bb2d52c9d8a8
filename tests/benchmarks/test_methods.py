"""What a training step of each method costs, relative to that of the VAE, and how much of it is outside torch.

All methods have the same network (plain, no normalisation) where they use the chosen one, batches of 64 images of 64 x
64 pixels, and one thread. The comparison of methods in the help has its costs from here. To measure every method, or
one, and write the result to resources/help/costs.toml:

    export STUDIO_COSTS=write QT_QPA_PLATFORM=offscreen
    .venv/bin/python -m pytest -m benchmark -s tests/benchmarks/test_methods.py [-k factor-vae]
"""

import os
import statistics
import time
import tomllib
from pathlib import Path

import pytest
import tomli_w
import torch

from engine.data import load_dataset
from engine.methods.registry import METHODS
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.memory import keep_freed_memory
from engine.system.paths import RESOURCES
from engine.training.trainer import Trainer

pytestmark = pytest.mark.benchmark
COSTS = RESOURCES / "help" / "costs.toml"
ROUNDS, STEPS, WARM_UP = 7, 5, 3
PROFILED = 10
"""Steps that are profiled."""


def trainer_of(folder: Path, objective: str) -> Trainer:
    """A trainer whose steps do what they do in a run, but write nothing."""
    config = RunConfig(
        objective=objective, steps=1_000_000, threads=1, device="cpu", network="plain", normalisation="none",
        batch_size=64,
    )  # fmt: skip
    trainer = Trainer(Run.create(folder, config))
    trainer.model.train()
    for _ in range(WARM_UP):
        trainer._update()
    return trainer


def seconds(trainer: Trainer) -> float:
    """Seconds of the processor for a step. With one thread other programs do not count."""
    start = time.thread_time()
    for _ in range(STEPS):
        trainer._update()
    return (time.thread_time() - start) / STEPS


def outside_torch(trainer: Trainer) -> float:
    """Share of a step during which no operation of torch runs: images, random draws, Python."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        for _ in range(PROFILED):
            trainer._update()
        total = 1e6 * (time.perf_counter() - start)
    spans = sorted((event.time_range.start, event.time_range.end) for event in profiler.events())
    inside, reached = 0.0, float("-inf")
    for begin, end in spans:  # nested in each other, or one after the other
        inside += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return max(0.0, 1 - inside / total)


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    load_dataset("dsprites")


@pytest.mark.parametrize("objective", list(METHODS))
def test_cost_of_a_step(tmp_path: Path, objective: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    vae, other = trainer_of(tmp_path, "vae"), trainer_of(tmp_path, objective)
    pairs = [(seconds(vae), seconds(other)) for _ in range(ROUNDS)]
    ratio = statistics.median(own / of_vae for of_vae, own in pairs)
    share = outside_torch(other)
    print(
        f"\n{METHODS[objective].title}: {1e3 * statistics.median(own for _, own in pairs):.1f} ms a step, {ratio:.2f} "
        f"times the VAE's; {100 * share:.1f} % outside torch (median of {ROUNDS} pairs of {STEPS} steps, one thread)"
    )
    if os.environ.get("STUDIO_COSTS") == "write" and METHODS.origin(objective) is None:
        kept = tomllib.loads(COSTS.read_text(encoding="utf-8")) if COSTS.exists() else {}
        kept[objective] = {"step": 1.0 if objective == "vae" else round(ratio, 2), "outside_torch": round(share, 3)}
        head = "# Written by tests/benchmarks/test_methods.py: the cost of a step, relative to the VAE's.\n\n"
        COSTS.write_text(head + tomli_w.dumps(kept), encoding="utf-8")
