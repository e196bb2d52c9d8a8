"""Events a job yields and requests it accepts.

A job is a generator: it yields these frozen events and receives an optional `Request` at each yield. The window, the
terminal and the tests are hosts of the same jobs.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


class Request(Enum):
    """A request that a host sends to a job at a yield."""

    PAUSE = "pause"
    STOP = "stop"
    END = "end"
    """End code that does not answer at once. Only jobs in a child process obey; others ignore it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Base class of everything a job yields."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """`done` of `total` units of work are done. `what` names the work, `unit` what is counted."""

    done: int
    total: int
    what: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """A warning for the user, as a sentence; the job continues."""

    message: str


@dataclass(frozen=True, slots=True)
class Idle(Event):
    """Nothing new has happened; the host may send a request."""


@dataclass(frozen=True, slots=True)
class Unanswered(Event):
    """A request has not been answered for some seconds, since a plug-in's code does not return; the message says where.

    `Request.END` ends it. An empty message withdraws the last one, since the request was answered after all.
    """

    message: str


@dataclass(frozen=True, slots=True)
class TrainingStarted(Event):
    """The run, its data and its networks are ready; training continues after `step`."""

    run: Path
    step: int
    total: int
    images_per_step: int


@dataclass(frozen=True, slots=True)
class StepMetrics(Event):
    """A row of metrics.csv: means over the steps since the last row, in nats.

    `epoch` is a float (passes over the data so far); `seconds` excludes pauses. `reconstruction`, `kl` and `capacity`
    are None for methods without them; `kl_per_latent` has one value per latent and is empty for methods without a KL.
    `own` are the method's own curves: its terms, in the method's order, then the weights that follow a schedule.
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


@dataclass(frozen=True, slots=True)
class Link:
    """The factor, or class, that a latent follows most: how closely, 0..1, in a sample of so many images.

    `share` is the share of the variance of the latent's posterior mean that `factor` explains. A categorical latent has
    a `majority`, the value that is most frequent in each category ("" in one without images); its `share` is that of
    the errors in guessing the factor that knowing the category avoids.
    """

    latent: int
    factor: str
    share: float
    images: int
    majority: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Preview(Event):
    """Pictures of what the model does at a step, all uint8.

    `originals` and `reconstructions`: (n, height, width, channels). `traversal`: (rows, columns, height, width,
    channels), one row for each of `latents`, which keep their rows while a run trains; the row of a latent with fewer
    values than there are columns ends in black tiles. `kl_per_latent` is empty for methods without a KL. `links` are
    what active latents follow at this step; empty for data without factors and classes.
    """

    step: int
    originals: NDArray[np.uint8]
    reconstructions: NDArray[np.uint8]
    traversal: NDArray[np.uint8]
    latents: tuple[int, ...]
    kl_per_latent: tuple[float, ...]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointSaved(Event):
    """The run can be resumed from this step."""

    step: int


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The job waits, and continues when its host asks for the next event.

    Without a message, the host requested the pause and the job has saved its state. With one, the message says why the
    job cannot continue; it will try again.
    """

    step: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The last event of a job; `stopped` is true if it ended early on request."""

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
    """A run was imported from an archive into this folder."""

    run: Path


Job: TypeAlias = Generator[Event, Request | None, None]
"""A long piece of work. Close it to abandon it; send it a Request to pause or stop it."""
