"""Time and memory of all metrics on one dSprites model. Run with `make bench`."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.catalogue import usual_metrics
from engine.evaluation.evaluate import evaluate
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.sampling import BATCH, TESTING, TRAINING, Groups, draw_batches, draw_pairs
from engine.jobs.events import Progress
from engine.methods.building import build
from engine.networks.tensors import to_tensor
from engine.runs.checkpoints import save_checkpoint
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]
PAIRED = 12
"""Rounds of the paired comparison."""

PEAK = """
import resource, sys, main
status = main.main(sys.argv[1:])
# On Linux in kB. Touched pages of the mapped 377 MB count too.
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000, file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A dSprites run with a checkpoint; what its network has learnt does not change the work of most metrics.

    STUDIO_BENCH_RUN names a trained one to take instead: boosted trees are a little faster on noise.
    """
    given = os.environ.get("STUDIO_BENCH_RUN")
    folder = tmp_path_factory.mktemp("bench")
    if given:
        copied = Path(shutil.copytree(given, folder / "given"))
        (copied / "evaluation.json").unlink(missing_ok=True)
        return Run.open(copied)
    made = Run.create(folder, RunConfig(), "bench")
    made.checkpoint_folder.mkdir()
    save_checkpoint(made.checkpoint_folder, 1, build(made.config, load_dataset("dsprites")).networks, {})
    return made


def test_looking_up_against_encoding_per_pair(run: Run) -> None:
    """The three scores of pairs and batches: encode every image once, or, as published, at every draw.

    15,000 points of 64 pairs (the report's score), the same again (beta-VAE), and of 64 images (FactorVAE): 4.8 million
    encodings. A fraction of each way is timed, in turn, and scaled up.
    """
    dataset = load_dataset("dsprites")
    trained = load_model(run, dataset)
    assert dataset.factors is not None
    groups, rng = Groups.of(dataset.factors, len(dataset)), np.random.default_rng(0)
    points = TRAINING + TESTING
    pairs, batches = draw_pairs(groups, points, rng), draw_batches(groups, points, rng)
    needed = np.unique(np.concatenate([pairs.first.ravel(), pairs.second.ravel(), batches.images.ravel()]))
    representation = PosteriorMeans(trained)

    def once(part: np.ndarray) -> float:
        start = time.perf_counter()
        for _ in representation.encode(part, ""):
            pass
        return time.perf_counter() - start

    def per_point(point: int) -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            for images in (pairs.first[point], pairs.second[point], batches.images[point]):
                trained.model.encode(to_tensor(dataset.images(images)))
        return time.perf_counter() - start

    size, published_points = 4096, 20
    lookup, published = [], []
    for number in range(PAIRED):
        lookup.append(once(needed[number * size : (number + 1) * size]) / size)
        block = range(number * published_points, (number + 1) * published_points)
        published.append(sum(per_point(point) for point in block) / (published_points * 3 * BATCH))
    ratios = np.array(published) / np.array(lookup)
    encodings = points * BATCH * 5
    ours, theirs = np.median(lookup) * len(needed), np.median(published) * encodings
    ratio = np.median(ratios) * encodings / len(needed)
    print(
        f"\nencoding for the scores of pairs: {len(needed):,} images once {ours:,.0f} s (estimated from "
        f"{PAIRED * size:,}); {encodings:,} encodings as published {theirs:,.0f} s (estimated from "
        f"{PAIRED * published_points * 3 * BATCH:,}); ratio {ratio:.1f}, of which {np.median(ratios):.2f} an image"
    )


def test_all_metrics(run: Run) -> None:
    """Everything `evaluate` does by default, part by part."""
    parts: dict[str, float] = {}
    start = last = time.perf_counter()
    what = "reading"
    for event in evaluate(run):
        now = time.perf_counter()
        if isinstance(event, Progress):
            what = event.what.partition(": ")[2] or event.what
        parts[what] = parts.get(what, 0.0) + now - last
        last = now
    print(f"\nall {len(usual_metrics())} usual metrics: {last - start:.0f} s on {os.cpu_count()} processors")
    for what, seconds in parts.items():
        print(f"  {seconds:7.1f} s  {what}")


def test_peak_memory(run: Run) -> None:
    """The whole process, torch included, without its children; everything but the trees."""
    (run.path / "evaluation.json").unlink(missing_ok=True)
    names = [name for name in usual_metrics() if not name.startswith("dci")]
    command = [sys.executable, "-c", PEAK, "evaluate", str(run.path), "--metrics", ",".join(names), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    print(f"\nevaluating a dSprites model: peak {done.stderr.rsplit('peak ', 1)[-1].strip()} MB")
