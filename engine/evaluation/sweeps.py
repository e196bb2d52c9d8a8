"""What a model infers while one ground-truth factor goes through its values: the posterior mean of the latent for it.

Kulkarni et al., "Deep Convolutional Inverse Graphics Network" (NeurIPS 2015), judge a representation by such plots of
inferred against true values: a latent that encodes a factor rises or falls with it, whatever the rest of the image is.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import FactorIndex, Factors
from engine.errors import DataError
from engine.evaluation.factor_vae import MIN_DEVIATION
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.reasons import no_factors
from engine.evaluation.results import SEED
from engine.evaluation.sampling import sample_of
from engine.jobs.events import Event, Request
from engine.runs.latent_names import latent_title
from engine.runs.trained import TrainedModel

STARTS = 12
"""Images from which a factor is swept."""

CANDIDATES = 200
"""Images that are tried as starts, for data without every combination of factors."""

REFERENCE = 1000
"""Images from which the spread of each latent is estimated."""

MOST_VALUES = 64
"""Maximum number of values of a factor; of more, evenly spaced ones are used."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A factor and the latent that moves most along it.

    `values` are the factor's, (values,), with `names` if they are no quantities. `means` are the latent's posterior
    means, (starts, values), NaN where the data have no such image. `correlation` is the mean over starts of Spearman's
    rank correlation of the two, without its sign, 0..1: 1 if the latent only rises or only falls; None for values with
    names, which have no order, and for fewer than three values.
    """

    factor: str
    values: NDArray[np.float64]
    names: tuple[str, ...]
    latent: int
    means: NDArray[np.float64]
    correlation: float | None

    @property
    def places(self) -> NDArray[np.float64]:
        """Positions of the values on an axis: the values themselves, or their numbers if they have names."""
        return np.arange(len(self.values), dtype=np.float64) if self.names else self.values

    def axis_title(self, latent_names: Mapping[int, str]) -> str:
        """Return the title of the axis of the means, e.g. "z3 (thickness)"."""
        return latent_title(self.latent, latent_names)

    @property
    def heading(self) -> str:
        """The factor, with the correlation if there is one."""
        return self.factor if self.correlation is None else f"{self.factor} · |ρ| = {self.correlation:.2f}"


@dataclass(frozen=True, slots=True, eq=False)
class Sweeps:
    """The sweeps of a model at a step, one for each factor that can be swept, and a note on those that cannot."""

    step: int
    sweeps: tuple[Sweep, ...]
    note: str


def find_sweeps(trained: TrainedModel) -> Generator[Event, Request | None, Sweeps]:
    """Sweep every factor of a model's data set from a few images, drawn with a fixed seed, and infer.

    For each factor the latent is shown whose variance along the sweeps is the largest share of its variance over all
    images; latents with a standard deviation below 0.05 and categories are left out. Yields Progress in images.

    Raises DataError for data without factors, without images that differ in one factor only, or without a latent to
    show; RunError if the weights give values that are not finite.
    """
    dataset, title = trained.dataset, trained.dataset.title
    if dataset.factors is None:
        raise DataError(f"{no_factors(title)}.")
    everything, rng = np.arange(len(dataset)), np.random.default_rng(SEED)
    index, starts = dataset.factors.among(everything), rng.integers(len(dataset), size=CANDIDATES)
    varying = [k for k, size in enumerate(dataset.factors.sizes) if size > 1]
    grids = {factor: _positions(dataset.factors, index, starts, factor, rng) for factor in varying}
    swept = {factor: grid for factor, grid in grids.items() if len(grid[0])}
    if not swept:
        raise DataError(f"{title} has no images that differ in one factor only.")
    reference = sample_of(dataset, dataset.headline_split, REFERENCE)
    posterior = PosteriorMeans(trained)
    wanted = np.concatenate([reference, *(positions[positions >= 0] for positions, _ in swept.values())])
    yield from posterior.encode(wanted, "Inferring along sweeps")
    means = posterior.means
    deviation = means[reference].astype(np.float64).std(0)
    shown = np.array([not kind.integer for kind in trained.model.kinds]) & (deviation >= MIN_DEVIATION)
    if not shown.any():
        raise DataError(f"{trained.run.name} has no active latent whose values are quantities.")
    found = []
    for factor, (positions, classes) in swept.items():
        inferred = np.where(positions[..., None] >= 0, means[positions].astype(np.float64), np.nan)
        share = np.nanvar(inferred, axis=1).mean(0) / deviation.clip(MIN_DEVIATION) ** 2
        latent = int(np.where(shown, share, -1).argmax())
        found.append(_sweep(dataset.factors, factor, classes, latent, inferred[..., latent]))
    lacking = [dataset.factors.names[factor] for factor in varying if factor not in swept]
    note = f"No images differ in {' or '.join(lacking)} only." if lacking else ""
    return Sweeps(trained.step, tuple(found), note)


def correlation(values: NDArray[np.float64], means: NDArray[np.float64]) -> float | None:
    """Return the mean of |Spearman's rank correlation| of values (n,) with each row of means (rows, n).

    NaN in a row is left out, and so is a row with fewer than three means; None if none is left. A row of equal means
    counts 0.
    """
    from scipy.stats import spearmanr

    found = []
    for row in means:
        there = np.isfinite(row)
        if there.sum() >= 3:
            found.append(abs(spearmanr(values[there], row[there]).statistic) if np.ptp(row[there]) else 0.0)
    return float(np.mean(found)) if found else None


def _positions(
    factors: Factors, index: FactorIndex, starts: NDArray[np.int64], factor: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the images along sweeps of a factor, (starts, values), -1 if there is none; and its classes."""
    size = factors.sizes[factor]
    classes = np.unique(np.linspace(0, size - 1, min(size, MOST_VALUES)).round().astype(np.int64))
    rows = np.repeat(factors.classes(starts), len(classes), axis=0)
    rows[:, factor] = np.tile(classes, len(starts))
    positions = np.full(len(rows), -1)
    those, found = index.find(rows, rng)
    positions[found] = those
    sweeps = positions.reshape(len(starts), len(classes))
    return sweeps[(sweeps >= 0).sum(1) >= 2][:STARTS], classes


def _sweep(factors: Factors, factor: int, classes: NDArray[np.int64], latent: int, means: NDArray[np.float64]) -> Sweep:
    name, values = factors.names[factor], factors.values[factor][classes]
    every = factors.value_names.get(name, ())
    names = tuple(every[number] for number in classes) if every else ()
    return Sweep(name, values, names, latent, means, None if names else correlation(values, means))
