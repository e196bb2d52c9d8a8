"""How long a training step takes, and how much of it is not inside torch. Run with `make bench`."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.methods.gaussian import Codes
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.networks.vae import sample
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.memory import keep_freed_memory
from engine.training.trainer import Trainer, train

pytestmark = pytest.mark.benchmark
PAIRS = 10
STEPS = 10


def bare_step(trainer: Trainer) -> Callable[[], None]:
    """The torch calls of one step and nothing else, always on the same images."""
    images = trainer.steps.batch(0).images
    [optimiser] = trainer.stepper.optimisers.values()

    def step() -> None:
        mean, log_variance = trainer.model.encode(images)
        z = sample(mean, log_variance, trainer.stepper.noise)
        reconstruction = reconstruction_per_image(trainer.model.logits(z), images).mean()
        kl_each = kl_per_latent(mean, log_variance).mean(0)
        kl = kl_each.sum()
        codes = Codes(kl, mean, log_variance, z, len(trainer.indices), trainer.stepper.noise)
        loss = reconstruction + trainer.model.penalty(codes, trainer.model.settings)[0]
        loss.item()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            trainer.sums += torch.cat([torch.stack([loss, reconstruction, kl]), kl_each]).double()

    return step


def rest_of_step(trainer: Trainer) -> float:
    """Milliseconds a step of what is not torch, timed directly: fetching images, recording, a row each 10 steps."""
    rng, repeats = np.random.default_rng(0), 200
    trainer.step = 10
    start = time.thread_time()
    for _ in range(repeats):
        trainer.dataset.images(rng.choice(trainer.indices[:10_000], trainer.config.batch_size))
        trainer.step += 1
        trainer.summed += 1
        trainer._record()
    return 1e3 * (time.thread_time() - start) / repeats


def timed(step: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds a step: on the clock, and of all the process's threads on a processor."""
    clock, processor = time.perf_counter(), time.process_time()
    for _ in range(STEPS):
        step()
    return 1e3 * (time.perf_counter() - clock) / STEPS, 1e3 * (time.process_time() - processor) / STEPS


@pytest.mark.parametrize("batch", [16, 64])
@pytest.mark.parametrize("dataset", ["mnist", "dsprites"])
def test_a_step_of_the_whole_job_against_its_torch_calls(
    tmp_path: Path, digits_folder: Path, dataset: str, batch: int
) -> None:
    """Pairs: the job with data, bookkeeping and rows each 10 steps, and a bare loop of the same torch calls."""
    keep_freed_memory()
    folder = digits_folder if dataset == "mnist" else None
    config = RunConfig(
        dataset=dataset,
        data_folder=folder,
        steps=100_000,
        batch_size=batch,
        log_steps=10,
        preview_steps=10_000,
        checkpoint_steps=10_000,
    )
    job = train(Run.create(tmp_path, config))
    trainer = Trainer(Run.create(tmp_path, config))
    trainer.model.train()
    bare = bare_step(trainer)

    def whole() -> None:
        while getattr(next(job), "what", "") != "Training":
            pass

    for step in (whole, bare):
        timed(step)
    pairs = [(timed(whole), timed(bare)) for _ in range(PAIRS)]
    job.close()
    clock, processor = ([(w[i], b[i]) for w, b in pairs] for i in (0, 1))
    rest = rest_of_step(trainer)
    # Were all threads busy all the time, the torch calls could not be faster than this.
    fastest = statistics.median(b for _, b in processor) / torch.get_num_threads()
    print(
        f"\n{'28 x 28' if dataset == 'mnist' else '64 x 64'}, batch {batch}: "
        f"{statistics.median(w for w, _ in clock):.1f} ms a step in the job, "
        f"{statistics.median(b for _, b in clock):.1f} ms its torch calls; ratio "
        f"{statistics.median(w / b for w, b in clock):.3f} by the clock, "
        f"{statistics.median(w / b for w, b in processor):.3f} of processors "
        f"({torch.get_num_threads()} threads, median of {PAIRS} pairs of {STEPS} steps). "
        f"What is not torch, timed directly: {rest:.2f} ms, at most {100 * rest / (rest + fastest):.1f} % of a step"
    )
