"""How a run does, in words: a few sentences of its curves, and none where the curves do not bear it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.runs.divergence import ACTIVE_NATS, active_latents
from engine.system.numbers import rounded_text

Values = NDArray[np.float64]

HELD = 0.5, 0.05
"""KL is held at C when it is this near: nats, and as a share of C."""

RECENT = 10
"""Fewest rows that an average is over when improvement is looked for."""

ROWS = 1000
"""Rows that improvement is looked for in, each the mean of several where there are more."""

SETTLED = 30
"""Rows before anything is said about improvement."""

LEAST_GAIN = 1e-3
"""Share of the reconstruction loss that counts as an improvement."""


UNSEEN_GAIN = 1e-2
"""Share of the reconstruction loss that may hide in the noise of a curve that is said not to improve."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveData:
    """The curves of a run, one value a row, and its newest row, the means over its last `steps` steps of training.

    Of that row are `kl`, `capacity` (NaN without one) and `kl_per_latent`, (latents,): the figures that the run list
    and the last point of each curve show.
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
    """Return what is worth knowing about a run, as sentences; empty before its first row."""
    if not len(curves.step):
        return []
    broken = not_a_number(curves)
    if broken:
        return [broken]
    found = (capacity_words(curves), latent_words(curves), improvement_words(curves))
    return [sentence for sentence in found if sentence]


def not_a_number(curves: CurveData) -> str:
    """Say since when the loss is not a number, if it is not now."""
    finite = np.isfinite(curves.loss)
    if finite[-1]:
        return ""
    first = int(np.flatnonzero(finite)[-1]) + 1 if finite.any() else 0
    return f"The loss is not a number since step {curves.step[first]:,.0f}."


def capacity_words(curves: CurveData) -> str:
    """Say whether KL is held at C, is above or below it, or how large it is where there is no C."""
    kl, capacity = curves.kl, curves.capacity
    if not np.isfinite(kl):
        return ""
    if not np.isfinite(capacity):
        return f"KL is {kl:.1f} nats."
    nats, share = HELD
    if abs(kl - capacity) <= max(nats, share * capacity):
        return f"KL is held at C = {capacity:.1f} nats."
    return f"KL is {abs(kl - capacity):.1f} nats {'above' if kl > capacity else 'below'} C = {capacity:.1f}."


def latent_words(curves: CurveData) -> str:
    """Say how many latents carry more than 0.1 nats, and over which steps: an evaluation is of other images."""
    latents = len(curves.kl_per_latent)
    if not latents or not np.isfinite(curves.kl_per_latent).all():
        return ""
    count = active_latents(curves.kl_per_latent)
    over = f"{ACTIVE_NATS:g} nats over the last {curves.steps:,} step{'s' if curves.steps > 1 else ''} of training."
    if count == 0:
        return f"No latent carries more than {over}"
    carry = f"latent{'s' if latents > 1 else ''} carr{'ies' if count == 1 else 'y'}"
    return f"{count} of {latents} {carry} more than {over}"


def improvement_words(curves: CurveData) -> str:
    """Say for how many epochs the reconstruction has not improved, or how fast it still does.

    It has not improved since its average over a fortieth of the run was first as good as it ever was, but for a
    thousandth or the noise of that average, if the straight line through the rest cannot have fallen by a hundredth
    either. It improves where that line falls by more than three standard errors. Nothing is said of what lies between,
    of a run with few rows, and of a rest shorter than an epoch or a tenth of the run.
    """
    finite = np.isfinite(curves.reconstruction)
    epoch, values = _shortened(curves.epoch[finite]), _shortened(curves.reconstruction[finite])
    if len(values) < SETTLED:
        return ""
    window = max(RECENT, len(values) // 40)
    sums = np.cumsum(values)
    average = (sums[window:] - sums[:-window]) / window
    epoch = epoch[window:]
    # Differences of neighbours show the noise alone: the curve itself hardly moves from one row to the next.
    noise = float(np.std(np.diff(values[-4 * window :]))) / np.sqrt(2 * window)
    least = max(LEAST_GAIN * abs(float(average[-1])), 3 * noise)
    first = int(np.argmax(average <= average.min() + least))
    rest = float(epoch[-1] - epoch[first])
    recent = max(len(average) - first, SETTLED, len(average) // 10)
    slope, error = _slope(epoch[-recent:], values[-len(average) :][-recent:])
    if slope < -3 * error:
        per = "an epoch"
        if epoch[-1] < 1:  # what an epoch would gain at this pace says nothing of a run that has none
            slope *= 100 * float(curves.epoch[finite][-1]) / int(curves.step[finite][-1])
            per = "in 100 steps"
        return f"Reconstruction still improves, by {rounded_text(-slope, 2)} nats {per}."
    most_gained = (2 * error - slope) * rest
    if rest >= max(1.0, epoch[-1] / 10) and most_gained <= UNSEEN_GAIN * abs(float(average[-1])):
        count = int(rest)
        return f"Reconstruction has not improved for {count} epoch{'s' if count > 1 else ''}."
    return ""


def _slope(x: Values, y: Values) -> tuple[float, float]:
    """Slope of the straight line through these points by least squares, and its standard error."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    if spread == 0 or len(x) < 3:
        return 0.0, float("inf")
    slope = float(x @ y) / spread
    rest = y - slope * x
    return slope, float(np.sqrt(rest @ rest / (len(x) - 2) / spread))


def _shortened(values: Values) -> Values:
    """About `ROWS` means of equally many rows each, so that the cost does not grow with the run."""
    size = max(1, len(values) // ROWS)
    return np.asarray(values[len(values) % size :].reshape(-1, size).mean(axis=1))
