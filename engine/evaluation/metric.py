"""What a metric is: the columns that it fills, what it needs, and how it is computed."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from engine.evaluation.catalogue import Column


class Metric(ABC):
    """Numbers that say how good a representation is."""

    columns: ClassVar[tuple[Column, ...]]

    @abstractmethod
    def compute(self, representation: Any) -> Any:
        """Return a value for each of the columns."""
