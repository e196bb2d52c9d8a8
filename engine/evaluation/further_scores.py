"""Further scores that need ground-truth factors: of later papers, and other protocols of the usual scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import dci, dci_fast, dci_forest, explicitness, info_mec, infogan_cr, irs, mig, sap
from engine.evaluation.catalogue import Need
from engine.evaluation.correlation import vary
from engine.evaluation.ground_truth import FactorMetric, over_draws
from engine.evaluation.intervals import DRAWS
from engine.evaluation.metric import Computing, Score, Value
from engine.evaluation.regression_inputs import regression_inputs
from engine.evaluation.representation import Representation
from engine.evaluation.sampling import batch_variances, draw_in_turn


class InfoMec(FactorMetric):
    """The three scores of Hsu et al. 2023, and MIG from the same information."""

    def compute(self, representation: Representation) -> Computing:
        """Estimate mutual information from nearest neighbours, and fit a regression to each factor."""
        sample = representation.sample
        means = yield from representation.means(sample)
        codes, classes = means[sample].astype(np.float64), representation.groups.classes[sample]
        quantised = _quantised(representation)
        work = info_mec.latent_information
        tasks = [(codes[:, j], classes, apart) for j, apart in enumerate(quantised)]
        found = yield from representation.in_child(work, tasks, "InfoMEC, nearest neighbours", "latents")
        fits = [(codes, column, quantised) for column in classes.T]
        explicit = yield from representation.in_child(info_mec.info_e, fits, "InfoE, regressions", "factors")
        information = np.stack(found)
        nmi = info_mec.normalised(information, classes)
        shown = nmi[info_mec.active(codes, quantised)]
        counts = {"n": len(sample)}
        table = {"nmi": representation.table(nmi)}
        each = {name: round(value, 6) for name, value in zip(representation.factors, explicit, strict=True)}
        return {
            "info_m": _counted(info_mec.info_m(shown), counts, table),
            "info_c": _counted(info_mec.info_c(shown), counts),
            "info_e": Score(float(np.nanmean(explicit)), counts=counts, more={"of_factors": each}),
            "mig_nearest": Score(mig.gap(information, mig.entropies(classes)), counts=counts),
        }


class Explicitness(FactorMetric):
    """The explicitness of Ridgeway & Mozer 2018."""

    def compute(self, representation: Representation) -> Computing:
        """Fit a regression to each factor."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        every = representation.groups.classes
        inputs, tests = regression_inputs(_quantised(representation), means[training], means[testing])
        tasks = [(inputs, column[training], tests, column[testing]) for column in every.T]
        work = explicitness.explicitness
        found = yield from representation.in_child(work, tasks, "explicitness, regressions", "factors")
        each = {name: round(value, 6) for name, value in zip(representation.factors, found, strict=True)}
        counts = {"n": len(training), "n_test": len(testing)}
        return Score(float(np.mean(found)), counts=counts, more={"of_factors": each})


class Irs(FactorMetric):
    """The interventional robustness of Suter et al. 2019."""

    def compute(self, representation: Representation) -> Computing:
        """Compare latents over images that share a factor."""
        sample = representation.sample
        further = [representation.fitting(draw) for draw in range(1, DRAWS + 1)]
        means = yield from representation.means(sample, *further)
        every = representation.groups.classes

        def score(images: NDArray[np.int64]) -> float:
            return irs.irs(means[images], every[images])

        others = yield from representation.further_draws(lambda draw: score(further[draw - 1]), "IRS")
        more = {"robustness": representation.table(irs.robustness(means[sample], every[sample]))}
        return over_draws(score(sample), others, {"n": len(sample)}, more)


class SampledMig(FactorMetric):
    """MIG of sampled z, of all factors and of those whose values are quantities."""

    needs = frozenset({Need.FACTORS, Need.RECONSTRUCTION})

    def compute(self, representation: Representation) -> Computing:
        """Estimate mutual information from binned samples of z."""
        sample = representation.sample
        z = yield from representation.sampled(sample)
        groups, counts = representation.groups, {"n": len(sample)}
        classes = groups.classes[sample]
        information, entropy = mig.mutual_information(z, classes), mig.entropies(classes)
        ordered = mig.ordered_gap(information, entropy, groups.named)
        return {
            "mig_sampled": Score(mig.gap(information, entropy), counts=counts, z="sampled"),
            "mig_sampled_ordered": ordered if isinstance(ordered, str) else Score(ordered, counts=counts, z="sampled"),
        }


class ContinuousSap(FactorMetric):
    """SAP by the fit of lines."""

    needs = frozenset({Need.FACTOR_VALUES})

    def compute(self, representation: Representation) -> Computing:
        """Fit lines, and support vector machines for factors whose values have names."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        groups = representation.groups
        classes = groups.classes[training]
        values = np.stack([own[column] for own, column in zip(groups.values, classes.T, strict=True)], axis=1)
        found = sap.determined(means[training], values)
        if groups.named.any():
            named, tests = classes[:, groups.named], groups.classes[testing][:, groups.named]
            tasks = [(means[training, j], named, means[testing, j], tests) for j in range(means.shape[1])]
            fits = yield from representation.in_child(sap.latent_accuracies, tasks, "SAP, SVMs", "latents")
            found[:, groups.named] = np.stack(fits)
        counts = {"n": len(training)}
        return Score(sap.sap(found), counts=counts, more={"determined": representation.table(found)})


class InfoGanCr(FactorMetric):
    """FactorVAE and beta-VAE scores in the protocol of InfoGAN-CR."""

    def compute(self, representation: Representation) -> Computing:
        """Draw 500 points, and classify them."""
        groups, rng = representation.groups, representation.rng()
        points = draw_in_turn(groups, infogan_cr.POINTS, rng, infogan_cr.IMAGES)
        number = max(len(groups.classes) // 10, min(len(groups.classes), infogan_cr.SPREAD_IMAGES))
        reference = rng.permutation(len(groups.classes))[:number]
        means = yield from representation.means(points.images, reference)
        codes = means[reference].astype(np.float64)
        spread = np.where(vary(codes), codes.std(axis=0), 0.0)
        shown = means[points.images].astype(np.float64)
        differences = np.abs(shown[:, 0::2] - shown[:, 1::2]).mean(axis=1)
        deviations = np.sqrt(batch_variances(means, points) * (1 - 1 / infogan_cr.IMAGES))  # as published: n, not n - 1
        counts = {"n": infogan_cr.POINTS}
        work = infogan_cr.beta_vae
        task = [(differences, points.factor)]
        [fitted] = yield from representation.in_child(work, task, "β-VAE score (InfoGAN-CR), regression", "fits")
        votes = infogan_cr.factor_vae(deviations, spread, points.factor)
        return {
            "factor_vae_infogan_cr": Score(
                votes, counts=counts | {"batch": infogan_cr.IMAGES, "n_variance": len(reference)}
            ),
            "beta_vae_infogan_cr": Score(fitted, counts=counts | {"pairs": infogan_cr.IMAGES // 2}),
        }


class FastDci(FactorMetric):
    """The scores of Eastwood & Williams 2018 with boosted trees on binned latents."""

    def compute(self, representation: Representation) -> Computing:
        """Fit trees to each factor."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        every = representation.groups.classes
        tasks = [(means[training], column[training], means[testing], column[testing]) for column in every.T]
        work = dci_fast.fit_factor
        fits: list[dci.FactorFit] = yield from representation.in_child(work, tasks, "DCI, fast trees", "factors")
        importance = np.stack([fit.importance for fit in fits], axis=1)
        counts = {"n": len(training), "n_test": len(testing)}
        table = {"importance": representation.table(importance)}
        accuracy = float(np.mean([fit.accuracy for fit in fits]))
        return {
            "dci_fast_disentanglement": Score(dci.disentanglement(importance), counts=counts, more=table),
            "dci_fast_completeness": Score(dci.completeness(importance), counts=counts),
            "dci_fast_informativeness": Score(accuracy, counts=counts),
        }


class ForestDci(FactorMetric):
    """Disentanglement and completeness by shallow forests, as IB-GAN and InfoGAN-CR report them."""

    def compute(self, representation: Representation) -> Computing:
        """Fit a forest to each factor."""
        sample, groups = representation.sample, representation.groups
        means = yield from representation.means(sample)
        classes = groups.classes[sample]
        tasks = [
            (means[sample], column, values, bool(named))
            for column, values, named in zip(classes.T, groups.values, groups.named, strict=True)
        ]
        found = yield from representation.in_child(dci_forest.importances, tasks, "DCI, forests", "factors")
        importance, counts = np.stack(found, axis=1), {"n": len(sample)}
        table = {"importance": representation.table(importance)}
        return {
            "dci_forest_disentanglement": Score(dci.disentanglement(importance), counts=counts, more=table),
            "dci_forest_completeness": Score(dci.completeness(importance), counts=counts),
        }


FURTHER: tuple[FactorMetric, ...] = (
    Irs("irs"),
    ContinuousSap("sap_continuous"),
    SampledMig("mig_sampled", "mig_sampled_ordered"),
    Explicitness("explicitness"),
    InfoMec("info_m", "info_c", "info_e", "mig_nearest"),
    InfoGanCr("factor_vae_infogan_cr", "beta_vae_infogan_cr"),
    ForestDci("dci_forest_disentanglement", "dci_forest_completeness"),
    FastDci("dci_fast_disentanglement", "dci_fast_completeness", "dci_fast_informativeness"),
)
"""Further scores, quickest first."""


def _quantised(representation: Representation) -> tuple[bool, ...]:
    """Which latents are numbers of categories or codes."""
    return tuple(kind.integer for kind in representation.kinds)


def _counted(value: float | str, counts: dict[str, int], more: Mapping[str, Any] | None = None) -> Value:
    """A value with its counts; a reason as it is."""
    return value if isinstance(value, str) else Score(value, counts=counts, more=more or {})
