"""Estimate of the time and disk space that a run will need on this machine."""

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from engine.data import ENTRIES
from engine.data.subsets import training_count, training_positions
from engine.errors import DataError, PluginError
from engine.evaluation.sampling import QUICK_IMAGES
from engine.jobs.events import Event, Idle, Job
from engine.jobs.workers import apart
from engine.methods.registry import METHODS
from engine.runs.plugins_used import names_of
from engine.settings.run_config import RunConfig

ROW_BYTES = 11
"""Bytes of a value in metrics.csv, including its comma: usually nine digits and a point."""

PREVIEW_BYTES = 40_000
"""Bytes of a preview as PNG: 10 to 40 kB with the built-in data sets."""

ADAM = 3
"""Values in a checkpoint for each weight: the weight and Adam's two moments."""

LONGEST = 30.0
"""Time limit in seconds for a few steps with a plug-in's code, including the start of a process and loading torch."""

WARM_UP, TIMED = 3, 7
"""Steps that are not timed, since they set up memory and kernels, and steps that are."""


ENCODING = 0.1
"""Share of a step's time that encoding as many images takes: no decoder, no gradients, no update."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds per step on this machine, bytes of the weights, and images per epoch."""

    seconds: float
    weights: int
    images: int


@dataclass(frozen=True, slots=True)
class _Measured(Event):
    pace: Pace


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated needs of a run: steps, seconds of training, bytes on disk."""

    steps: int
    seconds: float
    disk: int


def pace_key(config: RunConfig) -> tuple[Any, ...]:
    """Return the settings on which the time of a step depends."""
    folder = config.data_folder if ENTRIES[config.dataset].own else None
    size = (
        config.dataset,
        folder,
        config.image_size,
        config.conditional,
        config.latents,
        config.batch_size,
        config.network,
        config.normalisation,
        METHODS[config.objective].step,  # methods that share a step do the same work
    )
    # How many images a subset has is known before they are read, or else measured.
    return (*size, config.device, config.threads, config.subset if training_count(config) is None else "")


def pace_of(trained: Iterable[tuple[RunConfig, int, float, int]], config: RunConfig) -> Pace | None:
    """Return the median pace of earlier runs of the same size, given as (settings, steps, seconds, bytes of weights).

    None if none of them trained for at least five seconds, or if the length of an epoch is not known.
    """
    images = training_count(config)
    key = pace_key(config)
    long_enough = [run for run in trained if run[2] >= 5]
    alike = [(seconds / steps, weights) for c, steps, seconds, weights in long_enough if pace_key(c) == key]
    if not alike or images is None:
        return None
    return Pace(statistics.median(seconds for seconds, _ in alike), max(weights for _, weights in alike), images)


def measure_pace(config: RunConfig) -> Pace:
    """Time a few training steps on random images of the data set's shape. Takes about a second and imports torch.

    The user's own data are opened for their shape, but not prepared. Raises DataError or ConfigError.
    """
    import torch

    from engine.data import load_if_available, load_prepared
    from engine.methods.base import Batch, Supervision
    from engine.methods.registry import make, spec_for
    from engine.networks.tensors import choose_device
    from engine.training.stepper import Stepper

    entry, images = ENTRIES[config.dataset], training_count(config)
    if entry.own:
        dataset = load_prepared(*config.data)
        shape, images, classes = dataset.image_shape, len(training_positions(dataset, config)), dataset.classes
    else:
        height, width, *channels = entry.shape
        shape, classes = (height, width, channels[0] if channels else 1), 10
        if images is None:
            found, missing = load_if_available(*config.data)
            if found is None:
                raise DataError(missing)
            images = len(training_positions(found, config))
    device = choose_device(config.device)
    noise = torch.Generator(device).manual_seed(0)
    method = make(config, spec_for(config, shape, classes))
    method.initialise(torch.Generator().manual_seed(0))
    per_epoch, total = config.steps_per_epoch(images), config.total_steps(images)
    stepper = Stepper(method.to(device).train(), device, images, per_epoch, total)
    height, width, colours = shape
    number = config.batch_size * method.batches_per_step
    pixels = torch.rand(number, colours, height, width, generator=noise, device=device)
    labels = torch.zeros(number, dtype=torch.long, device=device)
    factors = torch.arange(number, device=device)[:, None] if method.supervision is Supervision.FULL else None
    batch = Batch(pixels.contiguous(memory_format=torch.channels_last), labels if config.conditional else None, factors)
    times = []
    for step in range(WARM_UP + TIMED):
        start = time.perf_counter()
        stepper(batch, step + 1)[0].item()
        times.append(time.perf_counter() - start)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in method.networks.state_dict().values())
    return Pace(statistics.median(times[WARM_UP:]), weights, images)


def measure_pace_apart(config: RunConfig, abandoned: Callable[[], bool] = lambda: False) -> Pace | None:
    """Time a few steps like `measure_pace`, in a child process if they run a plug-in's code; None if abandoned.

    Raises like `measure_pace`, and PluginError if that code raises an error, crashes or takes too long.
    """
    names = names_of(config)
    if not names:
        return measure_pace(config)
    end = time.monotonic() + LONGEST
    with closing(apart(names, _measuring, config, saves=False)) as job:
        for event in job:
            if isinstance(event, _Measured):
                return event.pace
            if abandoned():
                return None
            if time.monotonic() > end:
                break
    raise PluginError(f"{names} did not take {WARM_UP + TIMED} steps within {LONGEST:g} seconds.")


def _measuring(config: RunConfig) -> Job:
    yield Idle()
    yield _Measured(measure_pace(config))


def estimate(config: RunConfig, pace: Pace) -> Estimate:
    """Return what a run with these settings needs at a given pace."""
    images = training_count(config) or pace.images
    steps = config.total_steps(images)
    rows = steps // config.log_steps + 1
    method = METHODS[config.objective]
    disk = (
        pace.weights * (ADAM + len(config.keep_steps))
        + rows * (7 + len(method.curves(config)) + method.kl_columns(config)) * ROW_BYTES
        + (steps // config.preview_steps + 2) * PREVIEW_BYTES
    )
    scores = steps // config.score_steps if config.score_steps else 0
    encoded = scores * min(images, QUICK_IMAGES) / config.batch_size
    return Estimate(steps, (steps + ENCODING * encoded) * pace.seconds, disk)
