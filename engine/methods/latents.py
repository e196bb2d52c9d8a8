"""What a latent is: its prior, and the values it takes in a traversal. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np


class Kind(StrEnum):
    """The prior of a latent."""

    GAUSSIAN = "gaussian"
    UNIFORM = "uniform"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True)
class Latent:
    """One column of z.

    In a traversal it takes `steps` values from `low` to `high`, unless others are given. The values of a categorical
    latent are the numbers of the categories, from 0; it always takes all of them.
    """

    kind: Kind
    low: float
    high: float
    steps: int

    @classmethod
    def gaussian(cls) -> Self:
        """N(0, 1), traversed from -3 to 3."""
        return cls(Kind.GAUSSIAN, -3.0, 3.0, 11)

    @classmethod
    def uniform(cls, steps: int = 11) -> Self:
        """U(-1, 1), traversed from -2 to 2: beyond its prior, as in Figure 2 of InfoGAN (Chen et al. 2016)."""
        return cls(Kind.UNIFORM, -2.0, 2.0, steps)

    @classmethod
    def categorical(cls, categories: int) -> Self:
        """One of this number of categories, with equal probability."""
        return cls(Kind.CATEGORICAL, 0.0, categories - 1.0, categories)

    @property
    def whole(self) -> bool:
        """Whether its values are integers, the numbers of categories."""
        return self.kind is Kind.CATEGORICAL

    @property
    def prior(self) -> str:
        """Its prior in words."""
        return {
            Kind.GAUSSIAN: "N(0, 1)",
            Kind.UNIFORM: "U(−1, 1)",
            Kind.CATEGORICAL: f"one of {self.steps} categories",
        }[self.kind]

    @property
    def unit(self) -> str:
        """The unit of its values, as the end of a sentence."""
        return {
            Kind.GAUSSIAN: "in standard deviations of the prior",
            Kind.UNIFORM: "where the prior is uniform from −1 to 1",
            Kind.CATEGORICAL: f"the number of the category, from 0 to {self.steps - 1}",
        }[self.kind]

    def ends(self, span: tuple[float, float] | None = None) -> tuple[float, float]:
        """Return the ends of a traversal: those given, or its own; for categories always the first and the last."""
        return (self.low, self.high) if span is None or self.whole else span

    def values(self, span: tuple[float, float] | None = None, steps: int | None = None) -> tuple[float, ...]:
        """Return the values of a traversal, evenly spaced, with both ends; values that are nearly 0 are set to 0."""
        values = np.linspace(*self.ends(span), self.steps if steps is None or self.whole else steps)
        values[np.abs(values) < 1e-12] = 0
        return tuple(values.tolist())

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value from the prior."""
        match self.kind:
            case Kind.GAUSSIAN:
                return float(rng.standard_normal())
            case Kind.UNIFORM:
                return float(rng.uniform(-1, 1))
            case Kind.CATEGORICAL:
                return float(rng.integers(self.steps))


def priors_words(latents: Sequence[Latent]) -> str:
    """Return the priors of several latents, each once, e.g. "one of 10 categories, or U(−1, 1)"."""
    return ", or ".join(dict.fromkeys(latent.prior for latent in latents))
