"""RunConfig: one typed, validated description of a training run.

The form in the window, the command line, the file on disk and the error messages all come from these
fields. A new hyper-parameter is one field here and one use.
"""

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from engine.errors import ConfigError
from engine.methods.registry import METHODS
from engine.system.numbers import exact_words, plain, plain_characters
from engine.system.reading import MOST_STEPS, DamagedError, read_json, reason_of

ENVELOPE = frozenset({"schema", "created", "versions", "resolved", "class_order", "data", "former_data"})
"""Keys of a run's config.json that are not settings: where and with what the run was made."""

PATHS = ("data_folder",)
"""The settings whose values are paths."""

ClassOrder = Literal["natural", "alphabetical"]
"""How the classes of a folder of pictures are numbered: 2 before 10, or as version 1.0.0 did, 10 before 2."""

SCHEMA = 1
"""Version of config.json. Raise it, and migrate in `RunConfig.from_json`, when a name changes meaning."""


class Group(StrEnum):
    """Headings under which the form shows the fields, in order."""

    DATA = "Data and method"
    WEIGHT = "Weight"
    CAPACITY = "Capacity"
    NETWORK = "Network and optimiser"
    LENGTH = "Length"
    MACHINE = "Machine"
    SAVING = "Recording"


DeviceName = Literal["auto", "cpu", "cuda", "mps"]

OBJECTIVE_TITLES: dict[str, str] = {name: method.title for name, method in METHODS.items()}
DATASET_TITLES: dict[str, str] = {
    "dsprites": "dSprites",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "digits": "Digits",
    "images": "Own pictures",
    "arrays": "Own arrays",
}
"""The data sets there are; engine/data says what each is and how it is loaded."""

OWN_DATA = ("images", "arrays")
"""Data sets that are the user's own files: a folder of pictures, an .npz file."""

IMAGE_SIZES = (32, 64, 128)

LONGEST_PATH = 4096
"""Letters; no system opens a file whose path is longer."""

LONGEST_SHOWN = 80
"""Letters of a wrong value in a message."""

MOST_SHOWN = 3
"""Wrong values in a message."""

CHOICE_TITLES: dict[str, dict[str, str]] = {
    "dataset": DATASET_TITLES,
    "objective": OBJECTIVE_TITLES,
    "device": {"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"},
    "image_size": {str(size): str(size) for size in IMAGE_SIZES},
}


def _setting(default: Any, title: str, help: str, group: Group, unit: str = "", **limits: Any) -> Any:
    extra: dict[str, Any] = {"group": group.value, "unit": unit}
    return Field(default, title=title, description=help, json_schema_extra=extra, **limits)


class RunConfig(BaseModel):
    """The settings of one run. Immutable; every value is checked against its range.

    Capacities are in nats, lengths in epochs or steps (parameter updates), `capacity_epochs` in epochs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    dataset: str = _setting(
        "dsprites",
        "Data set",
        "The images to learn from. dSprites is drawn on this machine, Digits comes with the application, the MNIST "
        "family is read from a folder or downloaded; own pictures and arrays are yours.",
        Group.DATA,
    )
    data_folder: Path | None = _setting(
        None,
        "Data folder",
        "Where the data set's files are: a folder, or an .npz file for own arrays. Empty: the application's own cache, "
        "filled by drawing or downloading.",
        Group.DATA,
    )
    image_size: int = _setting(
        64,
        "Picture size",
        "Side to which own pictures are resized, after they are cut to their central square.",
        Group.DATA,
        "pixels",
        ge=min(IMAGE_SIZES),
        le=max(IMAGE_SIZES),
    )
    objective: str = _setting(
        "annealed-relu",
        "Method",
        "What is minimised. " + " ".join(f"{m.title}: {m.formula} ({m.source})." for m in METHODS.values()),
        Group.DATA,
    )
    conditional: bool = _setting(
        False,
        "Conditional",
        "Give the decoder the class label (MNIST: the digit; dSprites: the shape) "
        "beside the latents, so that the latents need not carry it. The encoder does not see it.",
        Group.DATA,
    )

    beta: float = _setting(
        4.0,
        "β",
        "Weight of the KL divergence in the β-VAE, and of the total correlation of the latents in the β-TCVAE. 1 is "
        "the plain VAE; larger values disentangle more and reconstruct less sharply.",
        Group.WEIGHT,
        ge=0,
        le=1000,
    )
    gamma: float = _setting(
        100.0,
        "γ",
        "Weight of the distance between KL and the capacity C in the annealed VAEs.",
        Group.CAPACITY,
        ge=0,
        le=100_000,
    )
    capacity_max: float = _setting(
        20.0,
        "C max",
        "Capacity at the end of its ramp: how much information, in nats, the latents may carry about an image.",
        Group.CAPACITY,
        "nats",
        ge=0,
        le=1000,
    )
    capacity_epochs: float = _setting(
        20.0,
        "C reached after",
        "Epochs over which C rises linearly from 0 to C max, step by step. Fractions are allowed.",
        Group.CAPACITY,
        "epochs",
        ge=0,
        le=100_000,
    )

    latents: int = _setting(10, "Latents", "Number of latent variables, the size of z.", Group.NETWORK, ge=1, le=256)
    learning_rate: float = _setting(
        5e-4, "Learning rate", "Step size of the Adam optimiser, constant over the run.", Group.NETWORK, ge=1e-7, le=1
    )
    batch_size: int = _setting(64, "Batch", "Images in a training step.", Group.NETWORK, "images", ge=2, le=8192)

    epochs: int = _setting(
        100,
        "Epochs",
        "Passes over the training images. Not used when a number of steps is set.",
        Group.LENGTH,
        "epochs",
        ge=1,
        le=100_000,
    )
    steps: int | None = _setting(
        None,
        "Steps",
        "Length of the run in training steps. Empty: as many as the epochs make.",
        Group.LENGTH,
        "steps",
        ge=1,
        le=1_000_000_000,
    )
    seed: int = _setting(
        0,
        "Seed",
        "Start of the random numbers: initial weights, order of the images, noise. The same seed "
        "and settings give the same run on the CPU.",
        Group.LENGTH,
        ge=0,
        le=2**31 - 1,
    )

    device: DeviceName = _setting(
        "auto", "Device", "Where to compute. Automatic takes a GPU where there is one.", Group.MACHINE
    )
    threads: int = _setting(
        0,
        "Threads",
        "CPU threads for the computation. 0: as PyTorch chooses on this machine.",
        Group.MACHINE,
        "threads",
        ge=0,
        le=1024,
    )

    log_steps: int = _setting(
        50,
        "Record every",
        "Steps between two points of the curves; each point is the mean over them.",
        Group.SAVING,
        "steps",
        ge=1,
        le=1_000_000,
    )
    checkpoint_steps: int = _setting(
        1000,
        "Save every",
        "Steps between two checkpoints: what a crash can lose at most.",
        Group.SAVING,
        "steps",
        ge=1,
        le=10_000_000,
    )
    preview_steps: int = _setting(
        500, "Pictures every", "Steps between two sets of live pictures.", Group.SAVING, "steps", ge=1, le=10_000_000
    )
    keep_steps: tuple[int, ...] = _setting(
        (),
        "Keep weights at",
        "Steps whose weights are kept to come back to, with commas: 1000, 5000. Empty: only the newest are kept.",
        Group.SAVING,
        "steps",
        max_length=100,
    )

    @field_validator("data_folder")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if len(str(value or "")) > LONGEST_PATH or "\0" in str(value or ""):
            raise ValueError("no system has files of this name")
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    @field_validator("keep_steps", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part for part in re.split(r"[,\s]+", plain_characters(value)) if part]

    @field_validator("keep_steps")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value and not 1 <= min(value) <= max(value) <= MOST_STEPS:
            raise ValueError("steps count from 1")
        return tuple(sorted(set(value)))

    @field_validator("dataset", "objective", "image_size")
    @classmethod
    def _known(cls, value: str | int, info: ValidationInfo) -> str | int:
        if str(value) not in CHOICE_TITLES[str(info.field_name)]:
            raise ValueError("not one of its choices")
        return value

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, values: Any) -> Any:
        """An empty field in a form or on the command line means "not set"."""
        if isinstance(values, dict):
            return {k: None if v == "" and k in ("data_folder", "steps") else v for k, v in values.items()}
        return values

    @model_validator(mode="before")
    @classmethod
    def _numbers_as_typed(cls, values: Any) -> Any:
        """A number that was typed may have a decimal comma, groups of digits, or the digits of another script."""
        if not isinstance(values, dict):
            return values
        return {k: _plain(cls.model_fields[k], v) if k in cls.model_fields else v for k, v in values.items()}

    @property
    def data(self) -> tuple[str, Path | None, int]:
        """Which data set, from where, at what size: the arguments of `engine.data.load_dataset`."""
        return self.dataset, self.data_folder, self.image_size

    @property
    def method_title(self) -> str:
        """The method in words, e.g. "Conditional β-VAE"."""
        title = OBJECTIVE_TITLES[self.objective]
        return f"Conditional {title}" if self.conditional else title

    def total_steps(self, images: int) -> int:
        """Length of the run in steps, on a data set with that many training images."""
        return self.steps if self.steps is not None else self.epochs * self.steps_per_epoch(images)

    def steps_per_epoch(self, images: int) -> int:
        """Steps in one pass: the last partial batch counts, unless it is a single image."""
        full, rest = divmod(images, self.batch_size)
        return max(1, full + (1 if rest > 1 else 0))

    def capacity(self, step: int, steps_per_epoch: int) -> float | None:
        """C in nats at a step (counted from 1); None for a method without a capacity."""
        return METHODS[self.objective].capacity(self, step, steps_per_epoch)

    def warnings(self, images: int) -> list[str]:
        """Settings that are valid alone but not together, each as a sentence."""
        found = METHODS[self.objective].warnings(self, images)
        total = self.total_steps(images)
        if self.batch_size > images:
            those = "only training image" if images == 1 else f"{images:,} training images"
            found.append(f"A batch of {self.batch_size:,} is more than the {those}.")
        if self.log_steps > total:
            found.append(
                f"The run has {total:,} steps and records a point every {self.log_steps:,}: "
                "the curves will have a single point."
            )
        return found

    def changed(self, **changes: Any) -> "RunConfig":
        """Return a copy with some fields replaced, validated again. Raises ConfigError."""
        return RunConfig.parse(self.model_dump() | changes)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "RunConfig":
        """Validate named values (strings are converted). Raises ConfigError naming field, value and range."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong = error.errors()
            more = f" {len(wrong) - MOST_SHOWN:,} more settings are not valid." if len(wrong) > MOST_SHOWN else ""
            raise ConfigError(" ".join(map(_sentence, wrong[:MOST_SHOWN])) + more) from None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, with the schema version."""
        return {"schema": SCHEMA} | self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Any) -> "RunConfig":
        """Read what `to_json` wrote, or a run's whole config.json.

        Raises ConfigError for another schema, an unknown field or a value out of range.
        """
        if not isinstance(values, dict):
            raise ConfigError("The settings must be a JSON object of field names and values.")
        schema = values.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise ConfigError(
                f"The settings have schema {_shown(schema)}; this version reads schema {SCHEMA}. "
                "They were written by another version of Disentangle Studio."
            )
        return cls.parse({k: v for k, v in values.items() if k not in ENVELOPE})

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read settings from a JSON file. Raises ConfigError with the file's name."""
        try:
            return cls.from_json(read_json(path, paths=PATHS))
        except (OSError, DamagedError) as error:
            raise ConfigError(f"{path} {reason_of(error)}.") from None
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


def unit_of(field: FieldInfo) -> str:
    """Unit of a field ("nats", "epochs", ...), empty where it has none."""
    return str(_extra(field).get("unit", ""))


def group_of(field: FieldInfo) -> Group:
    """Heading under which a form shows the field."""
    return Group(str(_extra(field)["group"]))


def limits_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest allowed value of a number field; None where there is no bound."""
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    return low, high


def choices_of(name: str) -> list[tuple[str, str]]:
    """(value, title) pairs of a field that takes one of a few names; empty for others."""
    return list(CHOICE_TITLES.get(name, {}).items())


def range_text(field: FieldInfo) -> str:
    """Range of a field in words, e.g. "from 0 to 1,000 nats"."""
    low, high = limits_of(field)
    if low is None or high is None:
        return ""
    unit = unit_of(field)
    return f"from {exact_words(low)} to {exact_words(high)}{' ' + unit if unit else ''}"


def _plain(field: FieldInfo, value: Any) -> Any:
    """A value of a field; a number that was typed, as Python reads it."""
    if not isinstance(value, str) or get_origin(field.annotation) is tuple:
        return value
    if {int, float} & {field.annotation, *get_args(field.annotation)}:
        most = limits_of(field)[1]
        return plain(value, math.inf if most is None else most)
    return value


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _sentence(error: Any) -> str:
    """One pydantic error as a sentence that names the field, the value and what is allowed."""
    name = str(error["loc"][0]) if error["loc"] else "settings"
    value = _shown(error.get("input"))
    field = RunConfig.model_fields.get(name)
    if field is None:
        if error["type"] == "extra_forbidden":
            return f"There is no setting {_shown(name)}. The settings are: {', '.join(RunConfig.model_fields)}."
        return f"The settings are not valid: {error['msg']}."
    choices = [v for v, _ in choices_of(name)]
    if choices:
        return f"{name} is {value}; it must be one of {', '.join(choices)}."
    allowed = range_text(field)
    kind = _kind(field)
    return f"{name} is {value}; it must be {kind}{' ' + allowed if allowed else ''}."


def _shown(value: Any) -> str:
    """A value as a message quotes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text):,} letters)"


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "whole numbers from 1 with commas between them, at most 100"
    types = get_args(field.annotation) or (field.annotation,)
    if bool in types:
        return "true or false"
    if int in types:
        return "a whole number"
    return "a number" if float in types else "a folder"
