"""The interface of metrics: their columns, needs and computation. Does not import torch."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.evaluation.catalogue import OF_PLUGINS, Column, Need
from engine.jobs.events import Event, Request
from engine.system.registry import Registry

if TYPE_CHECKING:
    from engine.evaluation.representation import Representation


@dataclass(frozen=True, slots=True)
class Score:
    """A value with parts of its protocol.

    `interval` is a 95 % interval, `interval_of` says what it covers. `counts` are numbers of images or points: "n", and
    "n_test" for testing; "n" is by default that of `Representation.sample`. `more` is stored beside the value in
    evaluation.json. `z` is what was scored: the "mean" of the posterior, or z "sampled" from it.
    """

    value: float
    interval: tuple[float, float] | None = None
    interval_of: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    z: str = "mean"


Value: TypeAlias = float | Score | str
"""A number, a score, or the reason why there is none: a sentence without a full stop."""

Found: TypeAlias = Value | Mapping[str, Value]
"""The value of a metric with one column, or a value for each column by its name."""

Computing: TypeAlias = Generator[Event, Request | None, Found]


class Metric(ABC):
    """A metric: one value about a representation, or several that are computed together.

    `columns` describe the values and their protocols (see `column`). `needs` are features of method or data set that
    the metric requires; where one is missing, it is not computed, and the table says why.
    """

    columns: tuple[Column, ...]
    needs: frozenset[Need] = frozenset()

    @abstractmethod
    def compute(self, representation: "Representation") -> Found | Computing:
        """Return the value of each column.

        A metric that takes longer than some seconds is a generator that yields Progress and returns the values.
        """


PLUGIN_METRICS: Registry[Metric] = Registry({})
"""The metrics of plug-ins, by their names there."""


def column(
    metric: str,
    title: str,
    about: str,
    protocol: str,
    *,
    better: str = "↑",
    unit: str = "",
    decimals: int = 3,
    short: str = "",
    full: str = "",
) -> Column:
    """Return a column for a metric of a plug-in.

    Parameters
    ----------
    metric
        Name in `--metrics` and evaluation.json: lower case, with underscores.
    title, full
        Heading in the table, and the full name if that is longer.
    about
        What it measures, as a sentence of help.
    protocol
        How it is computed, for a methods section: with its source, without a full stop.
    better
        "↑" if higher is better, "↓" if lower is better, "" if neither.
    unit, decimals
        Unit of the values, and number of decimals shown.
    short
        A few words about the protocol, below the title.
    """
    return Column(
        metric, title, unit, decimals, better, OF_PLUGINS, short, about, usual=True, full=full, protocol=protocol
    )


def found_by(metric: Metric, representation: "Representation") -> Generator[Event, Request | None, dict[str, Value]]:
    """Compute a metric and return the value of each column. Raises TypeError if it returns anything else."""
    found: Any = metric.compute(representation)
    if inspect.isgenerator(found):
        found = yield from found
    names = [each.metric for each in metric.columns]
    if not isinstance(found, Mapping):
        found = {names[0]: found} if len(names) == 1 else {"": found}
    if found.keys() != set(names):
        raise TypeError(f"compute must return a value for each of {', '.join(names)}, and returned {_kind(found)}")
    for name, value in found.items():
        if not _is_value(value):
            wanted = f"a number, a Score or a reason for {name}"
            raise TypeError(f"compute must return {wanted}, and returned {_kind(value)}")
    return {name: _plain(found[name]) for name in names}


def _is_value(value: object) -> bool:
    if isinstance(value, Score):
        ends = value.interval
        return _is_number(value.value) and (ends is None or (len(ends) == 2 and all(map(_is_number, ends))))
    return _is_number(value) or (isinstance(value, str) and bool(value.strip()))


def _is_number(value: object) -> bool:
    """Whether a value is a single number, including numpy's and torch's, but not a bool."""
    return not isinstance(value, bool) and (isinstance(value, Real) or getattr(value, "ndim", None) == 0)


def _plain(value: Value) -> Value:
    return value if isinstance(value, Score | str) else float(value)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"values for {', '.join(map(str, value)) or 'none'}" if "" not in value else _kind(value[""])
    shape = f" of shape {tuple(shape)}" if (shape := getattr(value, "shape", None)) is not None else ""
    return f"a {type(value).__name__}{shape}"
