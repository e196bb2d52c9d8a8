"""What a long job tells whoever drives it, and what it can be asked.

A job is a generator: it yields these frozen events and takes an optional `Request` back at each yield.
The window, the terminal and the tests are all hosts of the same jobs.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


class Request(Enum):
    """What a host may ask of a job, by sending it at a yield."""

    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Event:
    """The base of everything a job yields."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """`done` of `total` units of work. `what` names the work, `unit` what is counted."""

    done: int
    total: int
    what: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something a person should know but that stops nothing, as a sentence."""

    message: str


@dataclass(frozen=True, slots=True)
class TrainingStarted(Event):
    """A run is open and its data and network are ready; training begins after `step`."""

    run: Path
    step: int
    total: int
    images_per_step: int


@dataclass(frozen=True, slots=True)
class StepMetrics(Event):
    """A row of metrics.csv: means over the steps since the last row, in nats.

    `epoch` is a float (passes over the data so far), `seconds` leaves pauses out, `reconstruction`, `kl` and `capacity`
    are None for methods without one, `kl_per_latent` has one value per latent, none for methods without a KL; `own` are
    the method's own curves, in its order: its terms, then weights that follow a schedule.
    """

    step: int
    epoch: float
    seconds: float
    loss: float
    reconstruction: float | None
    kl: float | None
    capacity: float | None
    kl_per_latent: tuple[float, ...]
    own: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Preview(Event):
    """Pictures of the model at a step, all uint8.

    `originals` and `reconstructions`: (n, height, width, channels). `traversal`: (rows, columns, height,
    width, channels), a row for each latent of `latents`, which are ordered by KL, largest first; a category that has
    fewer values than the others is black behind them. `kl_per_latent` is empty for methods without a KL.
    """

    step: int
    originals: NDArray[np.uint8]
    reconstructions: NDArray[np.uint8]
    traversal: NDArray[np.uint8]
    latents: tuple[int, ...]
    kl_per_latent: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CheckpointSaved(Event):
    """The run can be resumed from this step."""

    step: int


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The job waits, and goes on when its host asks for the next event.

    Without a message it was asked to, and has saved its state. With one it cannot go on for that reason, and will try
    again.
    """

    step: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The job is over; `stopped` when it was asked to end before its time. Nothing follows."""

    run: Path | None = None
    step: int = 0
    stopped: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Evaluated(Event):
    """The metrics of one run are ready; `result` is its entry in evaluation.json."""

    run: Path
    result: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported(Event):
    """A run came in from an archive and is now in this folder."""

    run: Path


Job: TypeAlias = Generator[Event, Request | None, None]
"""A long piece of work. Close it to abandon it; send a Request to ask something of it."""
