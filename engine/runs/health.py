"""The state of a run in a few sentences, each only where the curves support it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.runs.divergence import ACTIVE_NATS, active_latents
from engine.system.numbers import rounded_text

Values = NDArray[np.float64]

TOLERANCE = 0.5, 0.05
"""Largest distance at which KL counts as held at C: in nats, and as a share of C."""

MIN_WINDOW = 10
"""Smallest number of rows that are averaged to detect improvement."""

ROWS = 1000
"""Number of rows to which longer curves are averaged before improvement is detected."""

MIN_ROWS = 30
"""Rows needed before improvement is reported."""

MIN_GAIN = 1e-3
"""Share of the reconstruction loss that counts as an improvement."""


MAX_HIDDEN_GAIN = 1e-2
"""Largest improvement that noise may hide in a curve reported as not improving, as a share of the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveData:
    """The curves of a run, one value per row, and its newest row, the means over the last `steps` training steps.

    `kl`, `capacity` (NaN without one) and `kl_per_latent`, (latents,), come from the newest row, as do the numbers in
    the run list and the last point of each curve.
    """

    step: Values
    epoch: Values
    loss: Values
    reconstruction: Values
    kl: float
    capacity: float
    kl_per_latent: Values
    steps: int


def health(curves: CurveData) -> list[str]:
    """Return sentences about the state of a run; empty before its first row."""
    if not len(curves.step):
        return []
    broken = not_a_number(curves)
    if broken:
        return [broken]
    found = (capacity_text(curves), latent_text(curves), improvement_text(curves))
    return [sentence for sentence in found if sentence]


def not_a_number(curves: CurveData) -> str:
    """Say since which step the loss has not been a number; empty if it is one now."""
    finite = np.isfinite(curves.loss)
    if finite[-1]:
        return ""
    first = int(np.flatnonzero(finite)[-1]) + 1 if finite.any() else 0
    return f"The loss has not been a number since step {curves.step[first]:,.0f}."


def capacity_text(curves: CurveData) -> str:
    """Say whether KL is held at C or how far it is above or below; without a C, how large it is."""
    kl, capacity = curves.kl, curves.capacity
    if not np.isfinite(kl):
        return ""
    if not np.isfinite(capacity):
        return f"KL is {kl:.1f} nats."
    nats, share = TOLERANCE
    if abs(kl - capacity) <= max(nats, share * capacity):
        return f"KL is held at C = {capacity:.1f} nats."
    return f"KL is {abs(kl - capacity):.1f} nats {'above' if kl > capacity else 'below'} C = {capacity:.1f}."


def latent_text(curves: CurveData) -> str:
    """Say how many latents carry more than 0.1 nats, and over which steps: an evaluation uses other images."""
    latents = len(curves.kl_per_latent)
    if not latents or not np.isfinite(curves.kl_per_latent).all():
        return ""
    count = active_latents(curves.kl_per_latent)
    over = f"{ACTIVE_NATS:g} nats over the last {curves.steps:,} step{'s' if curves.steps > 1 else ''} of training."
    if count == 0:
        return f"No latent carries more than {over}"
    carry = f"latent{'s' if latents > 1 else ''} carr{'ies' if count == 1 else 'y'}"
    return f"{count} of {latents} {carry} more than {over}"


def improvement_text(curves: CurveData) -> str:
    """Say how fast reconstruction still improves, or for how many epochs it has not.

    Reconstruction has not improved since its moving average over a fortieth of the run first came within a thousandth,
    or within the noise of the average, of its best value, provided that a straight line through the remaining rows
    cannot have fallen by more than a hundredth. It improves if that line falls by more than three standard errors.
    Nothing is said in between, for a run with few rows, or if the remainder is shorter than an epoch or a tenth of the
    run.
    """
    finite = np.isfinite(curves.reconstruction)
    epoch, values = _shortened(curves.epoch[finite]), _shortened(curves.reconstruction[finite])
    if len(values) < MIN_ROWS:
        return ""
    window = max(MIN_WINDOW, len(values) // 40)
    sums = np.cumsum(values)
    average = (sums[window:] - sums[:-window]) / window
    epoch = epoch[window:]
    # Differences between neighbours show only the noise: the curve itself hardly moves from one row to the next.
    noise = float(np.std(np.diff(values[-4 * window :]))) / np.sqrt(2 * window)
    least = max(MIN_GAIN * abs(float(average[-1])), 3 * noise)
    first = int(np.argmax(average <= average.min() + least))
    rest = float(epoch[-1] - epoch[first])
    recent = max(len(average) - first, MIN_ROWS, len(average) // 10)
    slope, error = _slope(epoch[-recent:], values[-len(average) :][-recent:])
    if slope < -3 * error:
        per = "epoch"
        if epoch[-1] < 1:  # a gain per epoch says little about a run shorter than one
            slope *= 100 * float(curves.epoch[finite][-1]) / int(curves.step[finite][-1])
            per = "100 steps"
        return f"Reconstruction is still improving, by {rounded_text(-slope, 2)} nats per {per}."
    most_gained = (2 * error - slope) * rest
    if rest >= max(1.0, epoch[-1] / 10) and most_gained <= MAX_HIDDEN_GAIN * abs(float(average[-1])):
        count = int(rest)
        return f"Reconstruction has not improved for {count} epoch{'s' if count > 1 else ''}."
    return ""


def _slope(x: Values, y: Values) -> tuple[float, float]:
    """Slope of the least-squares line through these points, and its standard error."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    if spread == 0 or len(x) < 3:
        return 0.0, float("inf")
    slope = float(x @ y) / spread
    rest = y - slope * x
    return slope, float(np.sqrt(rest @ rest / (len(x) - 2) / spread))


def _shortened(values: Values) -> Values:
    """Values averaged in equal groups to about `ROWS`, so that the cost does not grow with the run."""
    size = max(1, len(values) // ROWS)
    return np.asarray(values[len(values) % size :].reshape(-1, size).mean(axis=1))
