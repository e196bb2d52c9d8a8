"""Self-describing settings: title, help text, unit, range and choices beside type and default.

The form in the window, the command line, the help and the error messages are all generated from these.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from engine.system.numbers import exact_text, plain

LONGEST_SHOWN = 80
"""Characters of an invalid value that a message quotes."""

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

    `empty` says in a word or two what an empty value means, where one is allowed; `each` returns the help on each
    choice, where plug-ins may add some. `limits` are pydantic's `ge`, `le` and `max_length`.
    """
    extra: dict[str, Any] = {"group": group, "unit": unit, "choices": choices or {}, "empty": empty, "each": each}
    return Field(default, title=title, description=help, json_schema_extra=extra, **limits)


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
    """Return the smallest and largest allowed value of a numeric field; None where there is no bound."""
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    return low, high


def choices_of(field: FieldInfo) -> dict[str, str]:
    """Return the titles, by value, of a field that takes one of a few names; empty for other fields."""
    choices = _extra(field).get("choices", {})
    return dict(choices() if callable(choices) else choices)


def help_of(field: FieldInfo) -> str:
    """Return the help on a field, and on each of its choices where there is some."""
    each = _extra(field).get("each")
    return f"{field.description or ''} {each() if each else ''}".strip()


def empty_text(field: FieldInfo) -> str:
    """Return what an empty value of a field means, e.g. "from epochs"."""
    return str(_extra(field).get("empty", ""))


def range_text(field: FieldInfo) -> str:
    """Return the range of a field as text, e.g. "from 0 to 1,000 nats"."""
    low, high = limits_of(field)
    if low is None or high is None:
        return ""
    unit = unit_of(field)
    return f"from {exact_text(low)} to {exact_text(high)}{' ' + unit if unit else ''}"


def invalid_text(name: str, field: FieldInfo, value: object) -> str:
    """Return a sentence that says which values a setting can have instead of this one."""
    choices = choices_of(field)
    if choices:
        more = ", or come with a plug-in that is loaded" if callable(_extra(field).get("choices")) else ""
        return f"{name} is {shown(value)}; it must be one of {', '.join(choices)}{more}."
    allowed = range_text(field)
    return f"{name} is {shown(value)}; it must be {_kind(field)}{' ' + allowed if allowed else ''}."


def shown(value: object) -> str:
    """Return a value as a message quotes it, truncated if it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text):,} characters)"


def _read(field: FieldInfo, text: str) -> str | None:
    """Typed text as pydantic reads it: None for empty text where that is allowed, numbers in Python's notation."""
    types = {field.annotation, *get_args(field.annotation)}
    if not text and type(None) in types:
        return None
    if get_origin(field.annotation) is tuple or not {int, float} & types:
        return text
    most = limits_of(field)[1]
    return plain(text, math.inf if most is None else most)


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
