"""Groups of images that share a class or the value of a factor: they colour the latent map, and give directions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset

CLASS = "class"
"""Title of the grouping by label."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Groups of n images by class or by a factor, its `title`.

    `numbers` has each image's group, int64 (n,), named by `names`. `values` are those of an ordered factor's groups,
    (groups,); None for classes and for factors whose values have names.
    """

    title: str
    names: tuple[str, ...]
    numbers: NDArray[np.int64]
    values: NDArray[np.float64] | None = None

    @property
    def ordered(self) -> bool:
        """Whether its groups can be compared, so that they are shown on a scale: more than two values without names."""
        return self.values is not None and len(self.values) > 2

    def counts(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of chosen images in each group, (groups,); `chosen` is (n,)."""
        return np.bincount(self.numbers[chosen], minlength=len(self.names)).astype(np.int64)


def groupings(dataset: Dataset, images: NDArray[np.int64]) -> tuple[Grouping, ...]:
    """Return the groupings of images at these positions: by class, then by each factor that has several values."""
    found = []
    if dataset.labels is not None:
        found.append(Grouping(CLASS, dataset.label_names, dataset.labels[images]))
    if dataset.factors is not None:
        factors, classes = dataset.factors, dataset.factors.classes(images)
        for number, (name, values) in enumerate(zip(factors.names, factors.values, strict=True)):
            named = factors.value_names.get(name)
            names = named or tuple(format(value, ".3g") for value in values)
            if len(values) > 1:
                found.append(Grouping(name, names, classes[:, number], None if named else values))
    return tuple(found)
