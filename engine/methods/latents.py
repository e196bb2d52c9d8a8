"""What a latent is: its prior, and the values it takes in a traversal. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

COLUMNS = 11
"""Values of a traversal, unless others are asked for or the latent has fewer."""


class Kind(StrEnum):
    """What values a latent takes, and its prior over them."""

    GAUSSIAN = "gaussian"
    UNIFORM = "uniform"
    CATEGORICAL = "categorical"
    ORDERED = "ordered"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Latent:
    """One column of z.

    In a traversal it takes `steps` values from `low` to `high`, unless another range is given. A categorical latent or
    a code has only `steps` values, the numbers of the categories or codes, from 0; a traversal takes all of them. An
    `ordered` latent has `steps` categories at positions from -1 to 1.
    """

    kind: Kind
    low: float
    high: float
    steps: int

    @classmethod
    def gaussian(cls) -> Self:
        """N(0, 1), traversed from -3 to 3."""
        return cls(Kind.GAUSSIAN, -3.0, 3.0, COLUMNS)

    @classmethod
    def uniform(cls, steps: int = COLUMNS) -> Self:
        """U(-1, 1), traversed from -2 to 2: beyond its prior, as in Figure 2 of InfoGAN (Chen et al. 2016)."""
        return cls(Kind.UNIFORM, -2.0, 2.0, steps)

    @classmethod
    def categorical(cls, categories: int) -> Self:
        """One of this number of unordered categories, with equal probability."""
        return cls(Kind.CATEGORICAL, 0.0, categories - 1.0, categories)

    @classmethod
    def ordered(cls, categories: int) -> Self:
        """One of this number of categories at evenly spaced positions from -1 to 1, as in Friede et al. 2023.

        The mean that an encoder returns may lie between two of them.
        """
        return cls(Kind.ORDERED, -1.0, 1.0, categories)

    @classmethod
    def code(cls, codes: int) -> Self:
        """One of this number of ordered codes. There is no prior: samples are drawn uniformly."""
        return cls(Kind.CODE, 0.0, codes - 1.0, codes)

    @property
    def integer(self) -> bool:
        """Whether its values are integers, the numbers of categories or codes."""
        return self.kind in (Kind.CATEGORICAL, Kind.CODE)

    @property
    def quantity(self) -> bool:
        """Whether its values can be compared and averaged: all but those of unordered categories."""
        return self.kind is not Kind.CATEGORICAL

    @property
    def prior(self) -> str:
        """Its prior in words."""
        return {
            Kind.GAUSSIAN: "N(0, 1)",
            Kind.UNIFORM: "U(−1, 1)",
            Kind.CATEGORICAL: f"one of {self.steps} categories",
            Kind.ORDERED: f"one of {self.steps} categories from −1 to 1",
            Kind.CODE: f"one of {self.steps} codes",
        }[self.kind]

    @property
    def unit(self) -> str:
        """The unit of its values, as the end of a sentence."""
        return {
            Kind.GAUSSIAN: "in standard deviations of the prior",
            Kind.UNIFORM: "where the prior is uniform from −1 to 1",
            Kind.CATEGORICAL: f"the number of the category, from 0 to {self.steps - 1}",
            Kind.ORDERED: f"where {self.steps} categories are spaced evenly from −1 to 1",
            Kind.CODE: f"the number of the code, from 0 to {self.steps - 1}",
        }[self.kind]

    @property
    def range_words(self) -> str:
        """Its values in a traversal, e.g. "from −3 to +3", "10 categories"."""
        if self.integer:
            return f"{self.steps} {'codes' if self.kind is Kind.CODE else 'categories'}"
        return f"from {self.low:+.0f} to {self.high:+.0f}".replace("-", "−")

    @property
    def middle(self) -> float:
        """The value in the middle of its prior; for unordered categories the first."""
        return float((self.steps - 1) // 2) if self.kind is Kind.CODE else 0.0

    def ends(self, span: tuple[float, float] | None = None) -> tuple[float, float]:
        """Return the ends of a traversal: those given, or its own; for integers always the first and the last."""
        return (self.low, self.high) if span is None or self.integer else span

    def values(self, span: tuple[float, float] | None = None, steps: int | None = None) -> tuple[float, ...]:
        """Return the values of a traversal, evenly spaced, with both ends; values that are nearly 0 are set to 0.

        For ordered categories these are the positions nearest to evenly spaced values, each once.
        """
        ordered = self.kind is Kind.ORDERED
        if self.integer:
            steps = self.steps
        elif steps is None:
            steps = min(self.steps, COLUMNS) if ordered else self.steps
        values = np.linspace(*self.ends(span), steps)
        if ordered:
            number = np.rint((values - self.low) / (self.high - self.low) * (self.steps - 1))
            values = np.linspace(self.low, self.high, self.steps)[np.unique(number.clip(0, self.steps - 1)).astype(int)]
        values[np.abs(values) < 1e-12] = 0
        return tuple(values.tolist())

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value from the prior."""
        match self.kind:
            case Kind.GAUSSIAN:
                return float(rng.standard_normal())
            case Kind.UNIFORM:
                return float(rng.uniform(-1, 1))
            case Kind.CATEGORICAL | Kind.CODE:
                return float(rng.integers(self.steps))
            case Kind.ORDERED:
                return float(np.linspace(self.low, self.high, self.steps)[rng.integers(self.steps)])


def start_words(latents: Sequence[Latent], draw: int | None) -> str:
    """Return how latents are chosen without an image, by a draw or the middle, e.g. "the prior, draw 7"."""
    if all(latent.kind is Kind.CODE for latent in latents):
        return "the middle codes" if draw is None else f"random codes, draw {draw:,}"
    return "the prior" if draw is None else f"the prior, draw {draw:,}"


def priors_words(latents: Sequence[Latent]) -> str:
    """Return the priors of several latents, each once, e.g. "one of 10 categories, or U(−1, 1)"."""
    return ", or ".join(dict.fromkeys(latent.prior for latent in latents))


def draws_words(latents: Sequence[Latent]) -> str:
    """Return how latents are drawn without an image, as a sentence."""
    if all(latent.kind is Kind.CODE for latent in latents):
        return f"The method has no prior: every latent is {priors_words(latents)}, all equally likely."
    return f"Every latent is sampled from its prior, {priors_words(latents)}."
