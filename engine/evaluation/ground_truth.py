"""Scores that need ground-truth factors, each with its protocol; images are drawn and encoded once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import beta_vae, dci, disentanglement, factor_vae, mig, modularity, sap
from engine.evaluation.catalogue import METRICS, Need
from engine.evaluation.intervals import DRAWS, OVER_DRAWS, OVER_POINTS, around_one_draw, wilson
from engine.evaluation.metric import Computing, Metric, Score, Value
from engine.evaluation.representation import Representation
from engine.evaluation.results import SEED
from engine.evaluation.sampling import BATCH, TESTING, TRAINING, Batches, batch_variances


class FactorMetric(Metric):
    """A score that compares codes with ground-truth factors."""

    needs = frozenset({Need.FACTORS})

    def __init__(self, *names: str) -> None:
        self.columns = tuple(METRICS[name] for name in names)


class Disentanglement(FactorMetric):
    """The report's score."""

    def compute(self, representation: Representation) -> Computing:
        """Fit a support vector machine."""
        points = yield from representation.pair_points(1.0)
        work = disentanglement.disentanglement_score
        [value] = yield from representation.in_child(work, [points], "disentanglement, SVM", "fits")
        return _of_pairs(value)


class BetaVaeScore(FactorMetric):
    """The score of Higgins et al. 2017."""

    def compute(self, representation: Representation) -> Computing:
        """Fit a logistic regression."""
        points = yield from representation.pair_points(1 / BATCH)
        work = beta_vae.beta_vae_score
        [value] = yield from representation.in_child(work, [points], "β-VAE score, regression", "fits")
        return _of_pairs(value)


def _of_pairs(value: float) -> Score:
    counts = {"n": TRAINING, "n_test": TESTING, "pairs": BATCH}
    return Score(value, wilson(value, TESTING), OVER_POINTS, counts)


class FactorVaeScore(FactorMetric):
    """The score of Kim & Mnih 2018."""

    def compute(self, representation: Representation) -> Computing:
        """Count the votes of latents."""
        means = yield from representation.means()

        def spread(sample: NDArray[np.int64]) -> NDArray[np.float64]:
            found: NDArray[np.float64] = means[sample].astype(np.float64).var(axis=0, ddof=1)
            return found

        def score(sample: NDArray[np.int64], batches: Batches) -> float:
            variances, factor = batch_variances(means, batches), batches.factor
            return factor_vae.factor_vae_score(
                spread(sample),
                variances[:TRAINING],
                factor[:TRAINING],
                variances[TRAINING:],
                factor[TRAINING:],
            )

        sample, batches = representation.sample, representation.batches()
        value = score(sample, batches)
        votes = factor_vae.counted(
            spread(sample), batch_variances(means, batches)[:TRAINING], batches.factor[:TRAINING],
            len(representation.factors),
        )  # fmt: skip
        more = {"votes": representation.table(votes / TRAINING)}
        others = yield from representation.further_draws(
            lambda draw: score(representation.fitting(draw), representation.batches(draw)), "FactorVAE score"
        )
        counts = {"n": TRAINING, "n_test": TESTING, "batch": BATCH, "n_variance": len(sample)}
        return over_draws(value, others, counts, more)


class Mig(FactorMetric):
    """The mutual information gap of Chen et al. 2018, also without factors that are no quantities, and modularity."""

    def compute(self, representation: Representation) -> Computing:
        """Estimate mutual information from binned latents."""
        sample, groups = representation.sample, representation.groups
        further = [representation.fitting(draw) for draw in range(1, DRAWS + 1)]
        means = yield from representation.means(sample, *further)

        def measured(images: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            classes = groups.classes[images]
            return mig.mutual_information(means[images], classes), mig.entropies(classes)

        first, *others = [measured(images) for images in (sample, *further)]
        entropies = {name: round(value, 6) for name, value in zip(groups.names, first[1].tolist(), strict=True)}
        more = {"mutual_information": representation.table(first[0]), "entropies": entropies}
        counts = {"n": len(sample)}

        def score(work: Callable[[NDArray[np.float64], NDArray[np.float64]], float | str], **kept: Any) -> Value:
            value = work(*first)
            if isinstance(value, str):
                return value
            spread = [found for draw in others if not isinstance(found := work(*draw), str)]
            return over_draws(value, spread, counts, kept)

        return {
            "mig": score(mig.gap, **more),
            "mig_ordered": score(lambda information, entropy: mig.ordered_gap(information, entropy, groups.named)),
            "modularity": score(lambda information, entropy: modularity.modularity(information)),
        }


class Sap(FactorMetric):
    """The separated attribute predictability of Kumar et al. 2018."""

    def compute(self, representation: Representation) -> Computing:
        """Fit a support vector machine on each latent."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        every = representation.groups.classes
        classes, test_classes = every[training], every[testing]
        tasks = [(means[training, j], classes, means[testing, j], test_classes) for j in range(means.shape[1])]
        accuracies = np.stack(
            (yield from representation.in_child(sap.latent_accuracies, tasks, "SAP, SVMs", "latents"))
        )
        counts = {"n": len(training), "n_test": len(testing)}
        return Score(sap.sap(accuracies), counts=counts, more={"accuracies": representation.table(accuracies)})


class Dci(FactorMetric):
    """The three scores of Eastwood & Williams 2018."""

    def compute(self, representation: Representation) -> Computing:
        """Fit trees to each factor."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        groups = representation.groups
        classes, test_classes = groups.classes[training], groups.classes[testing]
        codes, test_codes = means[training], means[testing]
        tasks = [
            (codes, column, test_codes, test_column, SEED)
            for column, test_column in zip(classes.T, test_classes.T, strict=True)
        ]
        sizes = [dci.trees_of(column) for column in classes.T]
        fits: list[dci.FactorFit] = yield from representation.in_child(
            dci.fit_factor, tasks, "DCI, boosted trees", "trees", sizes
        )
        importance = np.stack([fit.importance for fit in fits], axis=1)
        accuracies = {name: round(fit.accuracy, 6) for name, fit in zip(groups.names, fits, strict=True)}
        counts = {"n": len(training), "n_test": len(testing)}
        table = {"importance": representation.table(importance)}
        accuracy = float(np.mean([fit.accuracy for fit in fits]))
        return {
            "dci_disentanglement": Score(dci.disentanglement(importance), counts=counts, more=table),
            "dci_completeness": Score(dci.completeness(importance), counts=counts),
            "dci_informativeness": Score(accuracy, counts=counts, more={"accuracies": accuracies}),
        }


SCORES: tuple[FactorMetric, ...] = (
    Mig("mig", "mig_ordered", "modularity"),
    Sap("sap"),
    FactorVaeScore("factor_vae"),
    BetaVaeScore("beta_vae"),
    Disentanglement("disentanglement"),
    Dci("dci_disentanglement", "dci_completeness", "dci_informativeness"),
)
"""Scores that need factors, quickest first."""


def over_draws(
    value: float, others: Sequence[float], counts: dict[str, int], more: dict[str, Any] | None = None
) -> Score:
    """Return the score of a first draw, with its interval from the values of other draws."""
    low, high = around_one_draw(value, others)
    return Score(value, (max(0.0, low), min(1.0, high)), OVER_DRAWS.format(len(others)), counts, more or {})
