"""The ground-truth factor that each latent follows, and how closely."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.mig import entropies, mutual_information
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.sampling import sample_of
from engine.jobs.events import Event, Request
from engine.runs.divergence import is_active
from engine.runs.trained import TrainedModel


@dataclass(frozen=True, slots=True)
class Link:
    """The factor that a latent follows most; `share` is its information on the factor as a share of entropy, 0..1."""

    latent: int
    factor: str
    share: float


def links(
    means: NDArray[np.floating], factors: NDArray[np.int64], names: Sequence[str], kl: NDArray[np.floating]
) -> list[Link]:
    """Return the factor that each active latent follows most, in the order of latents.

    `means` are posterior means, (images, latents), `factors` class numbers from 0, (images, factors), and `kl` the mean
    KL of each latent in nats, NaN for a method without KL. Mutual information is estimated as in MIG (Chen et al. 2018;
    20 bins of equal width), as a share of the factor's entropy. Factors that do not vary are left out; empty if none
    does. Inactive latents are left out: their means hardly vary, but bins over their own small range would still find
    factors in them.
    """
    entropy = entropies(factors)
    varying = np.flatnonzero(entropy > 0)
    if not len(varying):
        return []
    shares = np.clip(mutual_information(means, factors[:, varying]) / entropy[varying], 0, 1)
    best = shares.argmax(axis=1)
    active = [np.isnan(mean) or is_active(mean) for mean in kl]  # without a KL, none is known to be inactive
    return [Link(i, names[varying[k]], float(shares[i, k])) for i, k in enumerate(best) if active[i]]


def find_links(trained: TrainedModel, kl: NDArray[np.floating]) -> Generator[Event, Request | None, list[Link]]:
    """Return the links of a model over at most 10,000 images of its data set; empty if that has no factors.

    `kl` is the mean KL of each latent in nats. Yields Progress in images. Raises RunError if the weights give values
    that are not finite.
    """
    dataset = trained.dataset
    if dataset.factors is None or not trained.has_data:
        return []
    chosen = sample_of(dataset, dataset.headline_split)
    posterior = PosteriorMeans(trained)
    yield from posterior.encode(chosen, "Finding what each latent follows")
    return links(posterior.means[chosen], dataset.factors.classes(chosen), dataset.factors.names, kl)
