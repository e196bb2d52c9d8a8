"""Self-describing settings: title, help text, unit, range and choices beside type and default.

The form in the window, the command line, the help and the error messages are all generated from these.
"""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from engine.system.numbers import exact_text, number, plain, plain_characters
from engine.system.schedule import LengthError, Schedule

LONGEST_SHOWN = 80
"""Most characters of an invalid value that a message quotes."""

EXAMPLES = "'0 to 4 over 20 epochs' or '0 to 4 over 50 % cosine'"
"""Examples of schedules, quoted in a message."""

Choices = Mapping[str, str] | Callable[[], Mapping[str, str]]
"""Titles of the values that a setting can take, by value, or a function that returns them."""


def setting(
    default: Any,
    title: str,
    help: str,
    group: str = "",
    unit: str = "",
    choices: Choices | None = None,
    empty: str = "",
    each: Callable[[], str] | None = None,
    **limits: Any,
) -> Any:
    """Return a model field with its title, help, group heading, unit and choices.

    `empty` says in a word or two what an empty value means, where one is allowed; `each` returns the help on every
    choice, where plug-ins may add choices. `limits` are pydantic's `ge`, `gt`, `le`, `lt` and `max_length`.
    """
    extra: dict[str, Any] = {"group": group, "unit": unit, "choices": choices or {}, "empty": empty, "each": each}
    return Field(default, title=title, description=help, json_schema_extra=extra, **limits)


class _OneError:
    """Makes pydantic report an invalid weight once, not once for each type that it can have."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
            try:
                return inner(value)
            except ValidationError:
                raise PydanticCustomError("weight", "neither a number nor a schedule") from None

        return core_schema.no_info_wrap_validator_function(read, handler(source))


if TYPE_CHECKING:
    Weight: TypeAlias = float
else:
    Weight = Annotated[float | Schedule, _OneError]
"""Annotation of a field that may rise or fall over a run: a number within the range, or a `Schedule` between two.

To a type checker it is a number, because a method trains with the value at each step.
"""


def _listed(value: Any) -> Any:
    """Read typed text as a list of numbers."""
    return [part for part in re.split(r"[,\s]+", plain_characters(value)) if part] if isinstance(value, str) else value


WholeNumbers: TypeAlias = Annotated[tuple[int, ...], BeforeValidator(_listed)]
"""Annotation of a field that holds several whole numbers, which may be typed with commas or spaces between them."""


def in_order(values: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return whole numbers in ascending order, each once. Raises ValueError unless all are from 1 to `most`."""
    if values and not 1 <= min(values) <= max(values) <= most:
        raise ValueError(f"these count from 1 to {most}")
    return tuple(sorted(set(values)))


class Settings(BaseModel):
    """Immutable settings, each checked against its range. Numbers may be given as typed text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _as_typed(cls, values: Any) -> Any:
        """Read typed text: empty means "not set", a number may have a decimal comma or grouped digits."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        return {k: _read(fields[k], v) if isinstance(v, str) and k in fields else v for k, v in values.items()}


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a field ("nats", "epochs", ...), empty if it has none."""
    return str(_extra(field).get("unit", ""))


def group_of(field: FieldInfo) -> str:
    """Return the heading under which a form shows a field."""
    return str(_extra(field).get("group", ""))


def limits_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the bounds of a numeric field, whether or not they are allowed themselves; None where there is none."""
    return _limit(field, "ge", "gt"), _limit(field, "le", "lt")


def choices_of(field: FieldInfo) -> dict[str, str]:
    """Return the titles, by value, of a field that takes one of a few names; empty for other fields."""
    choices = _extra(field).get("choices", {})
    return dict(choices() if callable(choices) else choices)


def help_of(field: FieldInfo) -> str:
    """Return the help on a field, followed by that on each of its choices, if any."""
    each = _extra(field).get("each")
    return f"{field.description or ''} {each() if each else ''}".strip()


def empty_text(field: FieldInfo) -> str:
    """Return what an empty value of a field means, e.g. "from epochs"."""
    return str(_extra(field).get("empty", ""))


def is_weight(field: FieldInfo) -> bool:
    """Whether a field is a `Weight`, which takes a schedule beside a number."""
    return Schedule in get_args(field.annotation)


def range_text(field: FieldInfo) -> str:
    """Return the range of a field as text, e.g. "from 0 to 1,000 nats" or "above 0"; empty without bounds."""
    low, high = limits_of(field)
    least, most = _limit(field, "ge"), _limit(field, "le")
    if least is not None and most is not None:
        words = f"from {exact_text(least)} to {exact_text(most)}"
    else:
        lower = [] if low is None else [f"{'above' if least is None else 'from'} {exact_text(low)}"]
        upper = [] if high is None else [f"{'below' if most is None else 'up to'} {exact_text(high)}"]
        words = " and ".join(lower + upper)
    unit = unit_of(field) if words else ""
    return f"{words} {unit}".strip()


def invalid_text(name: str, field: FieldInfo, value: object) -> str:
    """Return a sentence that says which values a setting can have instead of this one."""
    choices = choices_of(field)
    if choices:
        more = ", or come with a plug-in that is loaded" if callable(_extra(field).get("choices")) else ""
        return f"{name} is {shown(value)}; it must be one of {', '.join(choices)}{more}."
    allowed = range_text(field)
    must = f"it must be {_kind(field)}{' ' + allowed if allowed else ''}"
    if is_weight(field) and isinstance(value, str | Schedule) and not _is_number(str(value)):
        must = _length_problem(str(value)) or f"{must}, or a schedule between two such numbers, e.g. {EXAMPLES}"
    return f"{name} is {shown(value)}; {must}."


def shown(value: object) -> str:
    """Return a value as a message quotes it, truncated if it is long."""
    text = repr(str(value) if isinstance(value, Schedule) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _length_problem(text: str) -> str:
    """Return what is wrong with the length of a schedule, as the end of a sentence; empty if the length is valid."""
    with suppress(ValueError):
        try:
            Schedule.parse(text)
        except LengthError as error:
            return str(error)
    return ""


def _read(field: FieldInfo, text: str) -> str | Schedule | None:
    """Return typed text as pydantic reads it.

    That is None for empty text where it is allowed, a schedule, or a number in Python's notation.
    """
    types = {field.annotation, *get_args(field.annotation)}
    if not text and type(None) in types:
        return None
    if get_origin(field.annotation) is tuple or not {int, float} & types:
        return text
    bound = limits_of(field)[1]
    most = math.inf if bound is None else bound
    if is_weight(field):
        with suppress(ValueError):
            return Schedule.parse(text, most)
    return plain(text, most)


def _limit(field: FieldInfo, *names: str) -> float | None:
    found = (getattr(limit, name) for limit in field.metadata for name in names if hasattr(limit, name))
    return next(found, None)


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "whole numbers from 1, separated by commas, at most 100"
    types = get_args(field.annotation) or (field.annotation,)
    if bool in types:
        return "true or false"
    if int in types:
        return "a whole number"
    return "a number" if float in types else "a folder"
