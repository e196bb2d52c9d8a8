"""Disentanglement scores within seconds, of a model in training and for a quick look at a run."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.evaluation import mig
from engine.evaluation.factor_vae import factor_vae_score
from engine.evaluation.ground_truth import FactorMetric
from engine.evaluation.metric import Computing, Score
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.representation import Representation, unscorable_reason
from engine.evaluation.results import SEED
from engine.evaluation.sampling import (
    BATCH,
    QUICK_TESTING,
    QUICK_TRAINING,
    Batches,
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
        self._batches = _quick_batches(groups, np.random.default_rng(SEED))
        self._classes = groups.classes[self._sample]

    def of(self, trained: TrainedModel) -> Generator[Event, Request | None, dict[str, float]]:
        """Yield Progress, and return the scores by name. Raises RunError if codes are not finite."""
        posterior = PosteriorMeans(trained)
        wanted = np.concatenate([self._sample, self._batches.images.ravel()])
        yield from posterior.encode(wanted, "Scoring")
        return _scores(posterior.means, self._sample, self._classes, self._batches)


class QuickLook(FactorMetric):
    """The same scores of a run that is evaluated."""

    def compute(self, representation: Representation) -> Computing:
        """Count a tenth of the votes, and estimate mutual information once."""
        sample, groups = representation.sample, representation.groups
        batches = _quick_batches(groups, representation.rng())
        means = yield from representation.means(sample, batches.images)
        found = _scores(means, sample, groups.classes[sample], batches)
        votes = {"n": QUICK_TRAINING, "n_test": QUICK_TESTING, "batch": BATCH, "n_variance": len(sample)}
        return {
            "factor_vae_quick": Score(found["factor_vae"], counts=votes),
            "mig_quick": Score(found["mig"], counts={"n": len(sample)}),
        }


QUICK_LOOK = QuickLook("factor_vae_quick", "mig_quick")


def _quick_batches(groups: Groups, rng: np.random.Generator) -> Batches:
    return draw_batches(groups, QUICK_TRAINING + QUICK_TESTING, rng)


def _scores(
    means: NDArray[np.float32], sample: NDArray[np.int64], classes: NDArray[np.int64], batches: Batches
) -> dict[str, float]:
    """The scores by name, given the posterior means of all images and the classes of the sample."""
    codes = means[sample].astype(np.float64)
    variances, factor, n = batch_variances(means, batches), batches.factor, QUICK_TRAINING
    variance = codes.var(axis=0, ddof=1)
    return {
        "factor_vae": factor_vae_score(variance, variances[:n], factor[:n], variances[n:], factor[n:]),
        "mig": mig.mig(codes, classes),
    }
