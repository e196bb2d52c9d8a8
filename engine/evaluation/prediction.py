"""How well classes or attributes are predicted from latents: a linear probe and nearest neighbours.

The usual test of representations outside the study of disentanglement. It says what the latents contain, not whether
they contain it apart: a rotation of the latents changes neither score. Latents are standardised for the probe; for
neighbours they keep their scale, so that one that hardly varies hardly counts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import METRICS, Need
from engine.evaluation.intervals import OVER_POINTS, wilson
from engine.evaluation.metric import Computing, Metric, Score
from engine.evaluation.predictors import nearest, probe
from engine.evaluation.representation import Representation
from engine.evaluation.sampling import sample_of


class ClassPrediction(Metric):
    """Accuracy of predicting the class of an image, on the test split where there is one."""

    columns = (METRICS["class_probe"], METRICS["class_neighbours"])
    needs = frozenset({Need.LABELS})

    def compute(self, representation: Representation) -> Computing:
        """Fit on up to 10,000 training images."""
        dataset, labels = representation.dataset, representation.dataset.labels
        assert labels is not None
        training, testing = representation.drawn
        split = "train" in dataset.splits and "test" in dataset.splits
        if split:
            training, testing = sample_of(dataset, "train"), sample_of(dataset, "test")
        means = yield from representation.means(training, testing)
        found = []
        for work in (probe, nearest):  # a second each: not worth another process
            task = (means[training], labels[training], means[testing], labels[testing], _quantised(representation))
            found.append(work(*task))
        counts = {"n": len(training), "n_test": len(testing)}
        scores = [Score(value, wilson(value, len(testing)), OVER_POINTS, counts) for value in found]
        return {column.metric: score for column, score in zip(self.columns, scores, strict=True)}


class FactorPrediction(Metric):
    """Accuracy of predicting the value of each factor, or attribute, mean over factors."""

    columns = (METRICS["factor_probe"], METRICS["factor_neighbours"])
    needs = frozenset({Need.FACTORS})

    def compute(self, representation: Representation) -> Computing:
        """Fit on up to 10,000 images, and test on up to 5,000 others."""
        training, testing = representation.drawn
        means = yield from representation.means(training, testing)
        every, names = representation.groups.classes, representation.groups.names
        tasks = [
            (work, means[training], column[training], means[testing], column[testing], _quantised(representation))
            for work in ("probe", "neighbours")
            for column in every.T
        ]
        found: list[float] = yield from representation.in_child(predicted, tasks, "predicting factors", "fits")
        counts = {"n": len(training), "n_test": len(testing)}
        scores = {}
        for column, part in zip(self.columns, (found[: len(names)], found[len(names) :]), strict=True):
            each = {name: round(value, 6) for name, value in zip(names, part, strict=True)}
            scores[column.metric] = Score(float(np.mean(part)), counts=counts, more={"accuracies": each})
        return scores


def predicted(
    work: str,
    codes: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_codes: NDArray[np.floating],
    test_classes: NDArray[np.int64],
    quantised: Sequence[bool],
) -> float:
    """Return the accuracy of the "probe" or of "neighbours" on the test images, in a child process."""
    return (probe if work == "probe" else nearest)(codes, classes, test_codes, test_classes, quantised)


def _quantised(representation: Representation) -> tuple[bool, ...]:
    return tuple(kind.integer for kind in representation.kinds)


PREDICTIONS: tuple[Metric, ...] = (ClassPrediction(), FactorPrediction())
"""Predictions from latents."""
