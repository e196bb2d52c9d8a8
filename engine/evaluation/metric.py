"""What a metric is: the columns that it fills, what it needs, and how it is computed. Loads no torch."""

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
    """A value, with what its protocol says of it.

    `interval` is one of 95 %, `interval_of` says of what. `counts` are the numbers of images or points behind it:
    "n", and "n_test" of those it was tested on; without "n", that of `Representation.sample`. `more` is kept beside the
    value in evaluation.json.
    """

    value: float
    interval: tuple[float, float] | None = None
    interval_of: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


Value: TypeAlias = float | Score | str
"""A number, a number with its interval, or the reason why there is none: a sentence without its full stop."""

Found: TypeAlias = Value | Mapping[str, Value]
"""The value of a metric with one column; of one with several, the value of each by the column's name."""

Computing: TypeAlias = Generator[Event, Request | None, Found]


class Metric(ABC):
    """One number about a representation, or several that are computed together.

    `columns` say what the numbers are called and how they were computed (see `column`); `needs` what of the method or
    the data set there is no value without: where it is lacking the metric is not asked, and the table says why.
    """

    columns: tuple[Column, ...]
    needs: frozenset[Need] = frozenset()

    @abstractmethod
    def compute(self, representation: "Representation") -> Found | Computing:
        """Return what it finds.

        One that takes longer than some seconds is a generator: it yields Progress, and returns what it finds.
        """


METRICS_BROUGHT: Registry[Metric] = Registry({})
"""The metrics of plug-ins, by the names that they have there."""


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
        Its name in `--metrics` and evaluation.json: lower case, with underscores.
    title, full
        What it is called in the heading of the table, and in full where that is longer.
    about
        What it says, as a sentence of help.
    protocol
        How it is computed, for a methods section: without a full stop, with its source.
    better
        "↑" where higher is better, "↓" where lower is, "" where neither.
    unit, decimals
        What it is in, and how many decimals are shown.
    short
        A few words on its protocol, below the title.
    """
    return Column(
        metric, title, unit, decimals, better, OF_PLUGINS, short, about, usual=True, full=full, protocol=protocol
    )


def found_by(metric: Metric, representation: "Representation") -> Generator[Event, Request | None, dict[str, Value]]:
    """Compute a metric; return the value of each of its columns. Raises TypeError where it finds something else."""
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
    """Whether it is one number; numpy's and torch's are, too, but not a truth value."""
    return not isinstance(value, bool) and (isinstance(value, Real) or getattr(value, "ndim", None) == 0)


def _plain(value: Value) -> Value:
    return value if isinstance(value, Score | str) else float(value)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"values for {', '.join(map(str, value)) or 'none'}" if "" not in value else _kind(value[""])
    shape = f" of shape {tuple(shape)}" if (shape := getattr(value, "shape", None)) is not None else ""
    return f"a {type(value).__name__}{shape}"
