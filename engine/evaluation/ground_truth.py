"""Scores that need ground-truth factors, each with its protocol; images are drawn and encoded once."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.evaluation import beta_vae, dci, disentanglement, factor_vae, mig, sap
from engine.evaluation.intervals import DRAWS, OVER_DRAWS, OVER_POINTS, around_one_draw, wilson
from engine.evaluation.reasons import ONE_LATENT, no_factors
from engine.evaluation.representation import Representation
from engine.evaluation.results import SEED, Results, entry, missing
from engine.evaluation.sampling import (
    BATCH,
    MAX_CLASSES,
    MIN_IMAGES,
    MIN_IMAGES_PER_VALUE,
    TESTING,
    TRAINING,
    Batches,
    Groups,
    Pairs,
    batch_variances,
    draw_batches,
    draw_images,
    draw_pairs,
    pair_sums,
)
from engine.jobs.events import Event, Progress, Request
from engine.jobs.processes import Children
from engine.runs.trained import TrainedModel

Computing: TypeAlias = Generator[Event, Request | None, Results]
DCI = ("dci_disentanglement", "dci_completeness", "dci_informativeness")


class GroundTruth:
    """The scores of one model. Scores share groups, pairs and posterior means, which are computed when first needed."""

    def __init__(self, trained: TrainedModel, children: Children, what: str) -> None:
        self._dataset = trained.dataset
        self._representation = Representation(trained)
        self._children = children
        self._what = what

    def compute(self, names: tuple[str, ...]) -> Computing:
        """Compute the scores of one key of `SCORES`. Yields Progress; results are as in evaluation.json."""
        reason = self._reason
        if reason:
            return {name: missing(reason) for name in names}
        return (yield from SCORES[names](self))

    @cached_property
    def _reason(self) -> str:
        """Why the model cannot be scored; empty if it can."""
        return unscorable_reason(self._dataset, self._groups, self._representation.means.shape[1])

    @cached_property
    def _groups(self) -> Groups | None:
        factors = self._dataset.factors
        return None if factors is None else Groups.of(factors, len(self._dataset))

    @property
    def groups(self) -> Groups:
        """The images by the classes of their factors."""
        assert self._groups is not None
        return self._groups

    @cached_property
    def pairs(self) -> Pairs:
        """Pairs that agree in a factor: training points, then test points."""
        return draw_pairs(self.groups, TRAINING + TESTING, _rng())

    def batches(self, draw: int = 0) -> Batches:
        """Return images that agree in a factor: training points, then test points, of the first or a further draw."""
        return draw_batches(self.groups, TRAINING + TESTING, _rng(draw))

    @cached_property
    def images(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Training images, and other images for testing."""
        return draw_images(len(self._dataset), _rng())

    def fitting(self, draw: int) -> NDArray[np.int64]:
        """Return the training images of a further draw."""
        return draw_images(len(self._dataset), _rng(draw))[0]

    def means(self, *images: NDArray[np.int64]) -> Generator[Event, Request | None, NDArray[np.float32]]:
        """Encode these images, by default all, and return the posterior means, (all images, latents)."""
        wanted = np.concatenate([i.ravel() for i in images]) if images else np.arange(len(self._dataset))
        yield from self._representation.encode(wanted, f"{self._what}: encoding")
        return self._representation.means

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return pair_sums(self._representation.means, self.pairs)

    def pair_points(self, scale: float) -> Generator[Event, Request | None, tuple[NDArray[Any], ...]]:
        """Return scaled sums over pairs and their factors, of the training points and of the test points."""
        yield from self.means(self.pairs.first, self.pairs.second)
        sums, factor = self._sums * scale, self.pairs.factor
        return sums[:TRAINING], factor[:TRAINING], sums[TRAINING:], factor[TRAINING:]

    def in_child(
        self,
        work: Callable[..., Any],
        tasks: list[tuple[Any, ...]],
        what: str,
        unit: str,
        sizes: list[int] | None = None,
    ) -> Generator[Event, Request | None, list[Any]]:
        """Run fits in child processes, where cancelling ends them at once."""
        return self._children.run(work, tasks, f"{self._what}: {what}", unit, sizes)

    def further_draws(self, score: Callable[[int], float], what: str) -> Generator[Event, Request | None, list[float]]:
        """Return a score's values on further draws, which show its spread. `score` takes a draw's number."""
        found = []
        for draw in range(1, DRAWS + 1):
            yield Progress(draw - 1, DRAWS, f"{self._what}: {what} of further draws", "draws")
            found.append(score(draw))
        yield Progress(DRAWS, DRAWS, f"{self._what}: {what} of further draws", "draws")
        return found

    def entry(self, value: float, protocol: str, **more: Any) -> dict[str, Any]:
        """Return the entry of a score, with the protocol's name, counts and factors."""
        of = len(self._dataset)
        return entry(value, "", protocol, "all", of=of, z="mean", factors=list(self.groups.names), **more)

    def table(self, values: NDArray[np.float64]) -> dict[str, Any]:
        """Return a (latents, factors) matrix behind a score, as stored in evaluation.json."""
        return {"factors": list(self.groups.names), "latents": np.round(values, 6).tolist()}


def over_draws(value: float, others: Sequence[float]) -> dict[str, Any]:
    """Return the interval of a score as arguments of `entry`, from its first draw and the values of others."""
    low, high = around_one_draw(value, others)
    return {"interval": (max(0.0, low), min(1.0, high)), "interval_of": OVER_DRAWS.format(len(others))}


def _rng(draw: int = 0) -> np.random.Generator:
    """Random generator of a draw: draw 0 gives the values, the others their spread."""
    return np.random.default_rng((SEED, draw) if draw else SEED)


def unscorable_reason(dataset: Dataset, groups: Groups | None, latents: int) -> str:
    """Return why a data set or model cannot be scored; empty if it can."""
    if groups is None:
        return no_factors(dataset.title)
    if len(groups.names) < 2:
        return f"{dataset.title} has fewer than two factors that vary"
    if latents < 2:
        return ONE_LATENT
    if len(dataset) < MIN_IMAGES:
        return f"{dataset.title} has {len(dataset)} images; the scores need at least {MIN_IMAGES}"
    used = (groups.counts > 0).sum(axis=1)
    if used.max() > MAX_CLASSES:
        most = groups.names[int(used.argmax())]
        return f"factor {most!r} has {used.max():,} values; the scores accept at most {MAX_CLASSES}"
    if used.max() * MIN_IMAGES_PER_VALUE > len(dataset):
        most = groups.names[int(used.argmax())]
        return (
            f"factor {most!r} has {used.max():,} values in {len(dataset):,} images; the scores need at least "
            f"{MIN_IMAGES_PER_VALUE} images per value on average"
        )
    return ""


def _disentanglement(truth: GroundTruth) -> Computing:
    points = yield from truth.pair_points(1.0)
    work = disentanglement.disentanglement_score
    [value] = yield from truth.in_child(work, [points], "disentanglement, SVM", "fits")
    return {"disentanglement": _of_pairs(truth, value, disentanglement.PROTOCOL)}


def _beta_vae(truth: GroundTruth) -> Computing:
    points = yield from truth.pair_points(1 / BATCH)
    [value] = yield from truth.in_child(beta_vae.beta_vae_score, [points], "β-VAE score, regression", "fits")
    return {"beta_vae": _of_pairs(truth, value, beta_vae.PROTOCOL)}


def _of_pairs(truth: GroundTruth, value: float, protocol: str) -> dict[str, Any]:
    interval = wilson(value, TESTING)
    counts = {"n": TRAINING, "n_test": TESTING, "pairs": BATCH}
    return truth.entry(value, protocol, interval=interval, interval_of=OVER_POINTS, **counts)


def _factor_vae(truth: GroundTruth) -> Computing:
    means = yield from truth.means()

    def score(sample: NDArray[np.int64], batches: Batches) -> float:
        variances, factor = batch_variances(means, batches), batches.factor
        return factor_vae.factor_vae_score(
            means[sample].astype(np.float64).var(axis=0, ddof=1),
            variances[:TRAINING],
            factor[:TRAINING],
            variances[TRAINING:],
            factor[TRAINING:],
        )

    sample = truth.images[0]
    value = score(sample, truth.batches())
    others = yield from truth.further_draws(
        lambda draw: score(truth.fitting(draw), truth.batches(draw)), "FactorVAE score"
    )
    counts = {"n": TRAINING, "n_test": TESTING, "batch": BATCH, "n_variance": len(sample)}
    return {"factor_vae": truth.entry(value, factor_vae.PROTOCOL, **counts, **over_draws(value, others))}


def _mig(truth: GroundTruth) -> Computing:
    sample, further = truth.images[0], [truth.fitting(draw) for draw in range(1, DRAWS + 1)]
    means = yield from truth.means(sample, *further)
    codes, classes = means[sample], truth.groups.classes[sample]
    information = mig.mutual_information(codes, classes)
    value = mig.gap(information, mig.entropies(classes))
    others = [mig.mig(means[images], truth.groups.classes[images]) for images in further]
    result = truth.entry(value, mig.PROTOCOL, n=len(sample), **over_draws(value, others))
    return {"mig": result | {"mutual_information": truth.table(information)}}


def _sap(truth: GroundTruth) -> Computing:
    training, testing = truth.images
    means = yield from truth.means(training, testing)
    classes, test_classes = truth.groups.classes[training], truth.groups.classes[testing]
    tasks = [(means[training, j], classes, means[testing, j], test_classes) for j in range(means.shape[1])]
    accuracies = np.stack((yield from truth.in_child(sap.latent_accuracies, tasks, "SAP, SVMs", "latents")))
    result = truth.entry(sap.sap(accuracies), sap.PROTOCOL, n=len(training), n_test=len(testing))
    return {"sap": result | {"accuracies": truth.table(accuracies)}}


def _dci(truth: GroundTruth) -> Computing:
    training, testing = truth.images
    means = yield from truth.means(training, testing)
    classes, test_classes = truth.groups.classes[training], truth.groups.classes[testing]
    codes, test_codes = means[training], means[testing]
    tasks = [
        (codes, column, test_codes, test_column, SEED)
        for column, test_column in zip(classes.T, test_classes.T, strict=True)
    ]
    sizes = [dci.trees_of(column) for column in classes.T]
    fits: list[dci.FactorFit] = yield from truth.in_child(dci.fit_factor, tasks, "DCI, boosted trees", "trees", sizes)
    importance = np.stack([fit.importance for fit in fits], axis=1)
    accuracies = {name: round(fit.accuracy, 6) for name, fit in zip(truth.groups.names, fits, strict=True)}
    counts = {"n": len(training), "n_test": len(testing)}
    return {
        "dci_disentanglement": truth.entry(dci.disentanglement(importance), dci.DISENTANGLEMENT, **counts)
        | {"importance": truth.table(importance)},
        "dci_completeness": truth.entry(dci.completeness(importance), dci.COMPLETENESS, **counts),
        "dci_informativeness": truth.entry(
            float(np.mean([fit.accuracy for fit in fits])), dci.INFORMATIVENESS, **counts
        )
        | {"accuracies": accuracies},
    }


SCORES: dict[tuple[str, ...], Callable[[GroundTruth], Computing]] = {
    ("mig",): _mig,
    ("sap",): _sap,
    ("factor_vae",): _factor_vae,
    ("beta_vae",): _beta_vae,
    ("disentanglement",): _disentanglement,
    DCI: _dci,
}
"""Scores by the names that are computed together, quickest first."""
