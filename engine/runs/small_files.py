"""Validated contents of a run's small files: state.json, marks.json, evaluation.json.

Each `checked_...` takes the content of a file and returns the valid part of it and the problem of the rest, which is
empty if there is none.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engine.system.reading import MB, DamagedError, Number, Steps, Text, checked, read_object, reason_of

SMALL_FILES = {"config.json": MB, "state.json": MB, "marks.json": MB, "evaluation.json": 16 * MB}
"""The small files of a run and their largest sizes in bytes."""

Checked: TypeAlias = tuple[dict[str, Any], str]

State = Literal["new", "running", "paused", "finished", "stopped", "failed", "interrupted"]
STATES: tuple[State, ...] = get_args(State)


class _State(BaseModel):
    state: State = "new"
    step: Steps = 0
    total: Steps = 0
    message: Text = ""


class _Protocol(BaseModel):
    """A protocol as written by `engine.evaluation.results`; other counts, the seed and the like are kept unchanged."""

    model_config = ConfigDict(extra="allow")

    name: Text = ""
    n: Steps | None = None
    n_test: Steps | None = None
    split: Text = ""
    z: Text = ""
    factors: list[Text] = []
    versions: dict[str, Text] = {}


class _Value(BaseModel):
    """A metric's value and its protocol."""

    model_config = ConfigDict(extra="allow")

    value: Number
    unit: Text = ""
    interval: tuple[Number, Number] | None = None
    protocol: _Protocol = _Protocol()


class _Missing(BaseModel):
    """The reason why a metric has no value."""

    model_config = ConfigDict(extra="allow")

    value: None
    reason: Text


class _Evaluation(BaseModel):
    run: Text = ""
    name: Text = ""
    step: Steps = 0
    checkpoint: Text = ""
    kl_per_latent: Annotated[list[Number], Field(max_length=1024)] = []
    metrics: dict[str, Any]


_STATE = TypeAdapter(_State)
_EVALUATION = TypeAdapter(_Evaluation)
_ENTRY: TypeAdapter[_Value | _Missing] = TypeAdapter(_Value | _Missing)
_Name = Annotated[str, Field(strict=True, max_length=1000)]
_MARKS: dict[str, TypeAdapter[Any]] = {
    "name": TypeAdapter(_Name),
    "tags": TypeAdapter(Annotated[list[_Name], Field(strict=True, max_length=1000)]),
    "colour": TypeAdapter(Annotated[int, Field(strict=True)]),
    "notes": TypeAdapter(Annotated[str, Field(strict=True)]),
    "hidden": TypeAdapter(Annotated[bool, Field(strict=True)]),
    "latents": TypeAdapter(dict[Annotated[str, Field(pattern=r"^[0-9]{1,4}$")], _Name]),
}


def read_checked(path: Path, check: Callable[[dict[str, Any]], Checked]) -> Checked:
    """Read one of a run's small files; a missing one is empty and no problem."""
    try:
        values, problem = check(read_object(path, SMALL_FILES[path.name]))
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except (OSError, DamagedError) as error:
        return {}, f"{path.name} {reason_of(error)}."
    return values, f"{path.name} is damaged: {problem}." if problem else ""


def checked_state(values: dict[str, Any]) -> Checked:
    """Return the state of a run: state, step, total, message. Raises DamagedError."""
    return checked(_STATE, values).model_dump(), ""


def checked_marks(values: dict[str, Any]) -> Checked:
    """Return what the user added to a run; keys of other versions are kept unchanged."""
    found, problem = dict(values), ""
    for key, kind in _MARKS.items():
        if key in found and found[key] is not None:
            try:
                checked(kind, found[key])
            except DamagedError as error:
                del found[key]
                problem = problem or f"{key}: {error}"
    return found, problem


def checked_evaluation(values: dict[str, Any]) -> Checked:
    """Return the metrics of a run, each with a value or the reason why there is none. Raises DamagedError."""
    checked(_EVALUATION, values)
    metrics, problem = {}, ""
    for name, entry in values["metrics"].items():
        try:
            checked(_ENTRY, entry)
        except DamagedError:
            problem = problem or f"the entry {name[:40]!r} is not valid"
        else:
            metrics[name] = entry
    return values | {"metrics": metrics}, problem
