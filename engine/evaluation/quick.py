"""Disentanglement scores of a model in training, each within seconds."""

from collections.abc import Generator

import numpy as np

from engine.data import Dataset
from engine.evaluation import mig
from engine.evaluation.factor_vae import factor_vae_score
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.representation import unscorable_reason
from engine.evaluation.results import SEED
from engine.evaluation.sampling import (
    QUICK_TESTING,
    QUICK_TRAINING,
    Groups,
    batch_variances,
    draw_batches,
    draw_images,
)
from engine.jobs.events import Event, Request
from engine.runs.trained import TrainedModel


class QuickScores:
    """The FactorVAE score, with a tenth of the votes of an evaluation, and MIG, as in an evaluation.

    Images depend only on the data set, so that scores differ only by the weights. `lacking` says, as a sentence
    without a full stop, why a data set has no scores; it is empty if it has.
    """

    def __init__(self, dataset: Dataset, latents: int) -> None:
        groups = None if dataset.factors is None else Groups.of(dataset.factors, len(dataset))
        self.lacking = unscorable_reason(dataset, groups, latents)
        if groups is None or self.lacking:
            return
        self._sample = draw_images(len(dataset), np.random.default_rng(SEED))[0]
        self._batches = draw_batches(groups, QUICK_TRAINING + QUICK_TESTING, np.random.default_rng(SEED))
        self._classes = groups.classes[self._sample]

    def of(self, trained: TrainedModel) -> Generator[Event, Request | None, dict[str, float]]:
        """Yield Progress, and return the scores by name. Raises RunError if codes are not finite."""
        batches, posterior = self._batches, PosteriorMeans(trained)
        wanted = np.concatenate([self._sample, batches.images.ravel()])
        yield from posterior.encode(wanted, "Scoring")
        codes = posterior.means[self._sample].astype(np.float64)
        variances, factor, n = batch_variances(posterior.means, batches), batches.factor, QUICK_TRAINING
        variance = codes.var(axis=0, ddof=1)
        return {
            "factor_vae": factor_vae_score(variance, variances[:n], factor[:n], variances[n:], factor[n:]),
            "mig": mig.mig(codes, self._classes),
        }
