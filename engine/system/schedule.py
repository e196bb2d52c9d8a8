"""Schedules: a weight that changes from one value to another over the first part of a run and then stays constant."""

import math
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema

from engine.system.numbers import exact, exact_text, number, plain_characters

UNITS = {"steps": 1e9, "epochs": 1e5, "%": 100.0}
"""Units of a schedule's length, with its largest value: training steps, epochs, per cent of the run."""

SHAPES = ("linear", "cosine", "jump")
"""Shapes of a schedule: equal changes in each step; half a cosine, slow at both ends; all at once, at the end."""

_TEXT = re.compile(
    rf"(\S+)\s+to\s+(\S+)\s+over\s+(\S+?)\s*(steps?|epochs?|%)(?:\s+({'|'.join(SHAPES)}))?", re.IGNORECASE
)


class LengthError(ValueError):
    """The length of a schedule is zero or longer than any run; the message can end a sentence."""


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """A change from `start`, the value before the first step, to `end`, which is reached after `length` and kept.

    In files, on the command line and in messages it is text: "0 to 4 over 20 epochs", "10 to 1 over 50 % cosine",
    "0 to 2 over 1000 steps jump".
    Raises LengthError unless `length` is above 0 and at most that of `UNITS`, ValueError if the values are not finite
    or `unit` or `shape` is unknown.
    """

    start: float
    end: float
    length: float
    unit: str = "epochs"
    shape: str = "linear"

    def __post_init__(self) -> None:
        if self.unit not in UNITS or self.shape not in SHAPES:
            raise ValueError(f"a schedule is in {', '.join(UNITS)} and of shape {', '.join(SHAPES)}")
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError("a schedule goes from one number to another")
        most = UNITS[self.unit]
        if not 0 < self.length <= most:
            unit = "% of the run" if self.unit == "%" else self.unit
            raise LengthError(f"its length must be above 0 and at most {exact_text(most)} {unit}")

    @classmethod
    def parse(cls, text: str, most: float = math.inf) -> "Schedule":
        """Read a typed schedule; numbers may have a decimal comma, as everywhere.

        `most` is the largest value allowed, which decides whether a comma can be a group separator. Raises ValueError
        like the class.
        """
        found = _TEXT.fullmatch(plain_characters(text))
        if found is None:
            raise ValueError(f"{text!r} is not a schedule")
        start, end, length, unit, shape = found.groups()
        unit = unit.lower()
        unit = unit if unit in UNITS else f"{unit}s"
        return cls(
            number(start, most), number(end, most), number(length, UNITS[unit]), unit, (shape or "linear").lower()
        )

    def __str__(self) -> str:
        """Return the schedule as text that `parse` reads."""
        return self._text(exact(self.start), exact(self.end), exact(self.length))

    __repr__ = __str__

    def text(self, unit: str = "") -> str:
        """Return text to read, with grouped digits and the unit of the values: "0 to 20 nats over 20 epochs"."""
        end = f"{exact_text(self.end)} {unit}" if unit else exact_text(self.end)
        return self._text(exact_text(self.start), end, exact_text(self.length))

    def length_text(self) -> str:
        """Return the length as text to read, e.g. "20 epochs", "50 % of the run"."""
        return f"{exact_text(self.length)} {'% of the run' if self.unit == '%' else self._unit}"

    def _text(self, start: str, end: str, length: str) -> str:
        shape = "" if self.shape == "linear" else f" {self.shape}"
        return f"{start} to {end} over {length} {self._unit}{shape}"

    @property
    def _unit(self) -> str:
        return self.unit.removesuffix("s") if self.length == 1 else self.unit

    def steps(self, steps_per_epoch: int, total_steps: int) -> float:
        """Return the length in training steps, for a run of `total_steps`."""
        match self.unit:
            case "steps":
                return self.length
            case "epochs":
                return self.length * steps_per_epoch
            case _:
                return self.length * total_steps / 100

    def at(self, step: int, steps_per_epoch: int, total_steps: int) -> float:
        """Return the value at a step, counted from 1: start + share (end - start), share = min(1, step / length).

        For a cosine, share is replaced by (1 - cos(pi share)) / 2 (Loshchilov & Hutter, "SGDR", ICLR 2017, Eq. 5). A
        jump is at its start until step >= length.
        """
        ramp = self.steps(steps_per_epoch, total_steps)
        if step >= ramp:
            return self.end
        if self.shape == "jump":
            return self.start
        share = step / ramp
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share

    def jumps_at(self, step: int, steps_per_epoch: int, total_steps: int) -> bool:
        """Return whether it is a jump, and this step, counted from 1, the first one at its end."""
        return self.shape == "jump" and step - 1 < self.steps(steps_per_epoch, total_steps) <= step

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """Let pydantic accept instances and serialise them as text."""
        as_text = core_schema.plain_serializer_function_ser_schema(str)
        return core_schema.is_instance_schema(cls, serialization=as_text)

    def __ge__(self, bound: float) -> bool:
        """Return whether the schedule never falls below a bound."""
        return min(self.start, self.end) >= bound

    def __le__(self, bound: float) -> bool:
        """Return whether the schedule never rises above a bound."""
        return max(self.start, self.end) <= bound

    def __gt__(self, bound: float) -> bool:
        """Return whether the schedule is always above a bound."""
        return min(self.start, self.end) > bound

    def __lt__(self, bound: float) -> bool:
        """Return whether the schedule is always below a bound."""
        return max(self.start, self.end) < bound


def weight_text(value: float | Schedule, unit: str = "") -> str:
    """Return a number or schedule as text to read, with the unit of the values."""
    if isinstance(value, Schedule):
        return value.text(unit)
    return f"{exact_text(value)} {unit}" if unit else exact_text(value)
