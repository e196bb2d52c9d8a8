"""Which of a data set's images a run is trained on, as text: correlated factors, and combinations left out.

    scale ~ x width 0.2; without shape = heart & x = 16..31

`A ~ B width W`: the two factors are correlated along a line, with Gaussian noise, after F. Träuble et al., "On
disentangled representations learned from correlated data" (ICML 2021). With both factors scaled to the range 0 to 1, an
image is kept with the probability exp(-(a - b)^2 / (2 W^2)).

`without A = value & B = low..high`: images that meet all conditions are left out. A value is its name or, where values
have no names, its number in order, from 0.
"""

import re
from dataclasses import dataclass

from engine.system.numbers import exact, number

WIDTH = 0.2
WIDEST = 10.0
MOST_PARTS = 16

EXAMPLES = "'scale ~ x width 0.2' or 'without shape = heart & x = 16..31'"
"""Quoted in messages."""

_LINE = re.compile(r"([^~]+)~([^~]+?)(?:\s+width\s+(\S+))?", re.IGNORECASE)
_WITHOUT = re.compile(r"without\s+(.+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """Two factors correlated along a line, and the standard deviation of the noise about it."""

    first: str
    second: str
    width: float

    def __str__(self) -> str:
        return f"{self.first} ~ {self.second} width {exact(self.width)}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A factor has a value from `low` to `high`, names or numbers, which are the same for a single value."""

    factor: str
    low: str
    high: str

    def __str__(self) -> str:
        return f"{self.factor} = {self.low}" + (f"..{self.high}" if self.high != self.low else "")


@dataclass(frozen=True, slots=True)
class Subset:
    """The images that all `lines` keep and that meet the conditions of none of `without`."""

    lines: tuple[Line, ...] = ()
    without: tuple[tuple[Condition, ...], ...] = ()

    def __str__(self) -> str:
        left_out = [f"without {' & '.join(map(str, conditions))}" for conditions in self.without]
        return "; ".join([*map(str, self.lines), *left_out])

    @classmethod
    def parse(cls, text: str) -> "Subset":
        """Read the text form. Raises ValueError with a reason, the end of a sentence."""
        lines, without = [], []
        parts = [part.strip() for part in text.split(";") if part.strip()]
        if len(parts) > MOST_PARTS:
            raise ValueError(f"it has {len(parts)} parts, and at most {MOST_PARTS} are allowed")
        for part in parts:
            if found := _WITHOUT.fullmatch(part):
                without.append(tuple(_condition(condition) for condition in found[1].split("&")))
            elif found := _LINE.fullmatch(part):
                lines.append(_line(found))
            else:
                raise ValueError(f"{part!r} is not understood; examples are {EXAMPLES}")
        return cls(tuple(lines), tuple(without))


def _line(found: re.Match[str]) -> Line:
    first, second = (" ".join(name.split()) for name in found.groups()[:2])
    try:
        width = number(found[3], WIDEST) if found[3] else WIDTH
    except ValueError:
        width = 0.0
    if not 0 < width <= WIDEST:
        raise ValueError(f"the width of {first} ~ {second} must be a number above 0 and up to {WIDEST:g}")
    if first == second or not first or not second:
        raise ValueError("a line needs two different factors")
    return Line(first, second, width)


def _condition(text: str) -> Condition:
    factor, equals, values = (part.strip() for part in text.partition("="))
    low, dots, high = (part.strip() for part in values.partition(".."))
    if not (factor and equals and low and (high or not dots)) or "=" in values:
        raise ValueError(f"{text.strip()!r} is not a condition; an example is 'x = 16..31'")
    return Condition(" ".join(factor.split()), low, high or low)
