"""Schedules: a number that goes from one value to another over the first part of a run, and stays there."""

import math
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema

from engine.system.numbers import exact, exact_text, number, plain_characters

UNITS = {"steps": 1e9, "epochs": 1e5, "%": 100.0}
"""What a length is counted in, and the longest that there is: training steps, epochs, per cent of the run."""

SHAPES = ("linear", "cosine")
"""How the number goes: by the same amount each step, or along half a cosine, slow at both ends."""

_TEXT = re.compile(
    rf"(\S+)\s+to\s+(\S+)\s+over\s+(\S+?)\s*(steps?|epochs?|%)(?:\s+({'|'.join(SHAPES)}))?", re.IGNORECASE
)


class LengthError(ValueError):
    """A schedule that would take no time, or longer than any run, as the end of a sentence."""


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """From `start`, the value before the first step, to `end`, which is reached after `length` and kept.

    As text, which files, the command line and messages have: "0 to 4 over 20 epochs", "10 to 1 over 50 % cosine".
    Raises LengthError where `length` is not above 0 and at most that of `UNITS`, ValueError where the numbers are not
    finite, or `unit` or `shape` is none.
    """

    start: float
    end: float
    length: float
    unit: str = "epochs"
    shape: str = "linear"

    def __post_init__(self) -> None:
        if self.unit not in UNITS or self.shape not in SHAPES:
            raise ValueError(f"a schedule is in {', '.join(UNITS)} and {' or '.join(SHAPES)}")
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError("a schedule goes from one number to another")
        most = UNITS[self.unit]
        if not 0 < self.length <= most:
            unit = "% of the run" if self.unit == "%" else self.unit
            raise LengthError(f"its length must be above 0 and at most {exact_text(most)} {unit}")

    @classmethod
    def parse(cls, text: str, most: float = math.inf) -> "Schedule":
        """Read a schedule as it was typed, its numbers as all others: 0,5 is 0.5.

        `most` is the largest value that the number may take, which decides whether a comma may group its digits.
        Raises ValueError as the class does.
        """
        found = _TEXT.fullmatch(plain_characters(text))
        if found is None:
            raise ValueError(f"{text!r} is no schedule")
        start, end, length, unit, shape = found.groups()
        unit = unit.lower()
        unit = unit if unit in UNITS else f"{unit}s"
        return cls(
            number(start, most), number(end, most), number(length, UNITS[unit]), unit, (shape or "linear").lower()
        )

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return self._text(exact(self.start), exact(self.end), exact(self.length))

    __repr__ = __str__

    def text(self, unit: str = "") -> str:
        """Return the text to read, with digits grouped; `unit` is that of the number: "0 to 20 nats over 20 epochs"."""
        end = f"{exact_text(self.end)} {unit}" if unit else exact_text(self.end)
        return self._text(exact_text(self.start), end, exact_text(self.length))

    def length_text(self) -> str:
        """Return the length to read, e.g. "20 epochs", "50 % of the run"."""
        return f"{exact_text(self.length)} {'% of the run' if self.unit == '%' else self._unit}"

    def _text(self, start: str, end: str, length: str) -> str:
        shape = "" if self.shape == "linear" else f" {self.shape}"
        return f"{start} to {end} over {length} {self._unit}{shape}"

    @property
    def _unit(self) -> str:
        return self.unit.removesuffix("s") if self.length == 1 else self.unit

    def steps(self, steps_per_epoch: int, total_steps: int) -> float:
        """Return the length in training steps, of a run of `total_steps`."""
        match self.unit:
            case "steps":
                return self.length
            case "epochs":
                return self.length * steps_per_epoch
            case _:
                return self.length * total_steps / 100

    def at(self, step: int, steps_per_epoch: int, total_steps: int) -> float:
        """Return the value at a step, counted from 1: the share step / length of the way, or 1 from there on.

        Of a cosine it is (1 - cos(pi share)) / 2 of the way (Loshchilov & Hutter, "SGDR", ICLR 2017, Eq. 5).
        """
        ramp = self.steps(steps_per_epoch, total_steps)
        if step >= ramp:
            return self.end
        share = step / ramp
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """Let pydantic keep it as it is, and write it as text."""
        as_text = core_schema.plain_serializer_function_ser_schema(str)
        return core_schema.is_instance_schema(cls, serialization=as_text)

    def __ge__(self, bound: float) -> bool:
        """Whether it never falls below a bound."""
        return min(self.start, self.end) >= bound

    def __le__(self, bound: float) -> bool:
        """Whether it never rises above a bound."""
        return max(self.start, self.end) <= bound


def weight_text(value: float | Schedule, unit: str = "") -> str:
    """Return a number or a schedule to read, with the number's unit."""
    if isinstance(value, Schedule):
        return value.text(unit)
    return f"{exact_text(value)} {unit}" if unit else exact_text(value)
