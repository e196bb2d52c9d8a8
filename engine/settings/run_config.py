"""RunConfig: one typed, validated description of a training run.

The form in the window, the command line, the file on disk and the error messages are all derived from these fields and
from the method's own. A new hyper-parameter takes one field, here or with its method, and one use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, ValidationInfo, field_serializer, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from engine.errors import ConfigError
from engine.methods.base import MethodSettings, Supervision
from engine.methods.registry import METHODS, same_setting, supervision_of, titles
from engine.networks.architectures import NETWORKS, NORMALISATIONS
from engine.settings.absent import let_stand_in
from engine.settings.subset import Subset
from engine.system.fields import (
    Settings,
    WholeNumbers,
    choices_of,
    in_order,
    invalid_text,
    setting,
    shown,
    unit_of,
)
from engine.system.numbers import exact_text, rounded_text
from engine.system.reading import MAX_STEPS, DamagedError, read_json, reason_of
from engine.system.registry import Registry

ENVELOPE = frozenset(
    {"schema", "created", "versions", "resolved", "class_order", "data", "former_data", "image_shape", "classes"}
    | {"plugins", "former_plugins", "bare_step"}
)
"""Keys of a run's config.json that are not settings, but describe how the run was created."""

PATHS = ("data_folder",)
"""Settings whose values are paths."""

ClassOrder = Literal["natural", "alphabetical"]
"""How the classes of a folder of pictures are numbered: 2 before 10, or as version 1.0.0 did, 10 before 2."""

SCHEMA = 2
"""Version of config.json. Raise it, and migrate in `migrated`, when a name changes meaning."""

FIRST_SCHEMA = 1
"""The schema of version 1.0.0, and of presets, studies and settings that do not state one."""

NETWORK_OF_1_0_0 = {"network": "report", "normalisation": "batch"}
"""The settings of version 1.0.0, which had a single network."""


class Group(StrEnum):
    """Headings under which the form shows the fields, in order. That of `METHOD` is the method's title."""

    DATA = "Data and method"
    METHOD = "Method"
    NETWORK = "Network and optimiser"
    LENGTH = "Length"
    MACHINE = "Machine"
    SAVING = "Recording"


DeviceName = Literal["auto", "cpu", "cuda", "mps"]
DEVICE_TITLES = {"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}
_DATASETS = {
    "dsprites": "dSprites",
    "dsprites-colour": "dSprites in colour",
    "dsprites-noise": "dSprites with noise",
    "dsprites-textures": "dSprites on textures",
    "xy-squares": "XYSquares",
    "room": "Room",
    "shapes3d": "Shapes3D",
    "mpi3d-toy": "MPI3D toy",
    "mpi3d-realistic": "MPI3D realistic",
    "mpi3d-real": "MPI3D real",
    "mpi3d-complex": "MPI3D complex",
    "smallnorb": "SmallNORB",
    "smallnorb-instances": "SmallNORB with instances",
    "cars3d": "Cars3D",
    "celeba": "CelebA",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "digits": "Digits",
    "images": "Own pictures",
    "arrays": "Own arrays",
}

DATASET_TITLES: Registry[str] = Registry(_DATASETS)
"""Titles of the data sets by name; `engine.data` defines each of them."""

OWN_DATA = ("images", "arrays")
"""Data sets that are the user's own files: a folder of pictures, an .npz file."""

IMAGE_SIZES = (32, 64, 128)

LONGEST_PATH = 4096
"""Maximum number of characters; no system opens a file with a longer path."""

MOST_SHOWN = 3
"""Maximum number of invalid values in a message."""


@dataclass(frozen=True, slots=True)
class _Given:
    """Values given for the method's own settings, and for settings that only other methods have."""

    own: dict[str, Any]
    others: dict[str, Any]


class RunConfig(Settings):
    """The settings of one run. Immutable; every value is checked against its range.

    `method` holds the method's own settings, an instance of its `Settings`. They are given and looked up by name like
    all others: `RunConfig(objective="beta-vae", beta=2).value("beta")`. A setting that only other methods have is
    validated and left out, so that the same values can be given to several methods. Lengths are in epochs or steps
    (parameter updates).
    """

    dataset: str = setting(
        "dsprites",
        "Data set",
        "The images to learn from. dSprites and its variants, XYSquares and Room are drawn on this machine, Digits "
        "comes with the application; published data sets are read from their files or downloaded; own pictures and own "
        "arrays are your data.",
        Group.DATA,
        choices=lambda: DATASET_TITLES,
    )
    data_folder: Path | None = setting(
        None,
        "Data folder",
        "Where the data set's files are: a folder, or an .npz file for own arrays. Empty: the application's own cache, "
        "filled by generating or downloading.",
        Group.DATA,
    )
    subset: str = setting(
        "",
        "Train on",
        "Images to learn from, by their factors. 'scale ~ x width 0.2' correlates two factors along a line (Träuble et "
        "al. 2021): the smaller the width, the stronger; 'without shape = heart & x = 16..31' leaves combinations "
        "out; several parts are separated by semicolons. Evaluation uses all images. Empty: all training images.",
        Group.DATA,
        empty="all training images",
        max_length=500,
    )
    image_size: int = setting(
        64,
        "Picture size",
        "Side to which own pictures are resized after they are cropped to their central square.",
        Group.DATA,
        "pixels",
        choices={str(size): str(size) for size in IMAGE_SIZES},
        ge=min(IMAGE_SIZES),
        le=max(IMAGE_SIZES),
    )
    objective: str = setting(
        "annealed-relu",
        "Method",
        "The objective that training minimises.",
        Group.DATA,
        choices=titles,
    )
    conditional: bool = setting(
        False,
        "Conditional",
        "Give the decoder the class label (MNIST: the digit; dSprites: the shape) "
        "in addition to the latents, which then need not encode it. The encoder does not see it. Such a run is "
        "supervised: it learns from labels.",
        Group.DATA,
    )

    method: Any = setting({}, "Method's settings", "The method's own settings.", Group.METHOD)

    network: str = setting(
        "plain",
        "Network",
        "Layers of encoder and decoder.",
        Group.NETWORK,
        each=lambda: " ".join(f"{n.title}: {n.about}" for n in NETWORKS.values()),
        choices=lambda: {name: network.title for name, network in NETWORKS.items()},
    )
    normalisation: Literal["none", "batch", "group"] = setting(
        "none",
        "Normalisation",
        "What follows each convolution. The report uses batch normalisation, most published models none; group "
        "normalisation treats each image separately.",
        Group.NETWORK,
        choices=NORMALISATIONS,
    )
    latents: int = setting(10, "Latents", "Number of latent variables, the size of z.", Group.NETWORK, ge=1, le=256)
    learning_rate: float = setting(
        5e-4, "Learning rate", "Step size of the Adam optimiser, constant over the run.", Group.NETWORK, ge=1e-7, le=1
    )
    batch_size: int = setting(64, "Batch", "Images in a training step.", Group.NETWORK, "images", ge=2, le=8192)

    epochs: int = setting(
        100,
        "Epochs",
        "Passes over the training images. Not used if a number of steps is set.",
        Group.LENGTH,
        "epochs",
        ge=1,
        le=100_000,
    )
    steps: int | None = setting(
        None,
        "Steps",
        "Length of the run in training steps. Empty: given by the epochs.",
        Group.LENGTH,
        "steps",
        empty="from epochs",
        ge=1,
        le=1_000_000_000,
    )
    seed: int = setting(
        0,
        "Seed",
        "Random seed: it determines the initial weights, the order of the images and the noise. The same seed and "
        "settings give the same run on the CPU.",
        Group.LENGTH,
        ge=0,
        le=2**31 - 1,
    )

    device: DeviceName = setting(
        "auto",
        "Device",
        "Where to compute. Automatic uses a GPU if there is one.",
        Group.MACHINE,
        choices=DEVICE_TITLES,
    )
    threads: int = setting(
        0,
        "Threads",
        "CPU threads used for training. 0: PyTorch's default on this machine.",
        Group.MACHINE,
        "threads",
        ge=0,
        le=1024,
    )

    log_steps: int = setting(
        50,
        "Record every",
        "Steps between two points of the curves; each point is the mean over them.",
        Group.SAVING,
        "steps",
        ge=1,
        le=1_000_000,
    )
    checkpoint_steps: int = setting(
        1000,
        "Save every",
        "Steps between two checkpoints: the most that a crash can lose.",
        Group.SAVING,
        "steps",
        ge=1,
        le=10_000_000,
    )
    preview_steps: int = setting(
        500, "Pictures every", "Steps between two sets of live pictures.", Group.SAVING, "steps", ge=1, le=10_000_000
    )
    score_steps: int | None = setting(
        None,
        "Scores every",
        "Steps between two points of the FactorVAE score and MIG, on data with ground-truth factors. For each point, "
        "about a hundred thousand images are encoded. Empty: no scores during training.",
        Group.SAVING,
        "steps",
        empty="never",
        ge=1,
        le=10_000_000,
    )
    keep_steps: WholeNumbers = setting(
        (),
        "Keep weights at",
        "Steps whose weights are kept, separated by commas: 1000, 5000. Empty: only the latest weights are kept.",
        Group.SAVING,
        "steps",
        empty="none",
        max_length=100,
    )

    @field_validator("data_folder")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if len(str(value or "")) > LONGEST_PATH or "\0" in str(value or ""):
            raise ValueError("not a path that a system can have")
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError as error:
            raise ValueError(str(error)) from None

    @field_validator("subset")
    @classmethod
    def _in_one_form(cls, value: str) -> str:
        try:
            return str(Subset.parse(value))
        except ValueError as error:
            raise PydanticCustomError("reason", "{reason}", {"reason": str(error)}) from None

    @field_validator("keep_steps")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return in_order(value, MAX_STEPS)

    @field_validator("dataset", "objective", "network", "image_size")
    @classmethod
    def _known(cls, value: str | int, info: ValidationInfo) -> str | int:
        registries: dict[str, Registry[Any]] = {"dataset": DATASET_TITLES, "objective": METHODS, "network": NETWORKS}
        registry = registries.get(str(info.field_name))
        absent = registry is not None and registry.missing(str(value)) is not None
        if not absent and str(value) not in choices_of(cls.model_fields[str(info.field_name)]):
            raise ValueError("not one of its choices")
        return value

    @model_validator(mode="before")
    @classmethod
    def _sort(cls, values: Any) -> Any:
        """Separate the values of methods' own settings from those of common ones."""
        if not isinstance(values, dict):
            return values
        given = values.get("method", {})
        given = given.model_dump() if isinstance(given, MethodSettings) else given
        if not isinstance(given, dict):
            raise ValueError("method holds no settings")
        of_methods = {name for method in METHODS.every() for name in method.Settings.names()}
        given = over(given, {name: value for name, value in values.items() if name in of_methods})
        method = METHODS.get(str(values.get("objective", cls.model_fields["objective"].default)))
        others = of_methods - (method.Settings.names() if method else set())
        common = {name: value for name, value in values.items() if name not in of_methods}
        own = {name: value for name, value in given.items() if name not in others}
        return common | {"method": _Given(own, {name: given[name] for name in given if name in others})}

    @field_validator("method", mode="before")
    @classmethod
    def _of_method(cls, value: Any, info: ValidationInfo) -> Any:
        """Validate the method's own settings; all invalid ones, and those of other methods, become one error.

        Without a known method there is nothing to validate them by.
        """
        method = METHODS.get(info.data.get("objective", ""))
        if method is None:
            return None
        given = value if isinstance(value, _Given) else _Given({}, {})
        errors = [error for name, v in given.others.items() for error in _wrong_everywhere(name, v)]
        found = None
        try:
            found = method.Settings.model_validate(given.own)
        except ValidationError as error:
            errors += _errors(error, method)
        if errors:
            raise PydanticCustomError("of_method", "settings of the method are not valid", {"errors": errors})
        return found

    @field_serializer("method")
    def _method_values(self, method: Any) -> Any:
        return method.model_dump()

    @model_validator(mode="after")
    def _labels_wanted(self) -> "RunConfig":
        method = METHODS[self.objective]
        if self.conditional and not method.conditional:
            raise PydanticCustomError("labels", "{reason}", {"reason": f"{method.title} cannot be conditional"})
        return self

    def flat(self) -> dict[str, Any]:
        """Return all settings by name, the method's own among them."""
        own = {name: getattr(self.method, name) for name in type(self.method).model_fields}
        return {name: value for name, value in self if name != "method"} | own

    def value(self, name: str) -> Any:
        """Return the value of a setting by name. Raises KeyError if the method does not have it."""
        return self.flat()[name]

    def field(self, name: str) -> FieldInfo:
        """Return the definition of a setting: title, help, unit, range. Raises KeyError if the method lacks it."""
        fields: dict[str, FieldInfo] = type(self).model_fields | type(self.method).model_fields
        return fields[name]

    @property
    def data(self) -> tuple[str, Path | None, int]:
        """Name, folder and image size of the data set: the arguments of `engine.data.load_dataset`."""
        return self.dataset, self.data_folder, self.image_size

    @property
    def method_title(self) -> str:
        """The method in words, e.g. "Conditional β-VAE"."""
        title = METHODS[self.objective].title
        return f"Conditional {title}" if self.conditional else title

    @property
    def supervision(self) -> Supervision:
        """What the run learns from in addition to images: class labels if it is conditional, else as its method."""
        return supervision_of(self.objective, conditional=self.conditional)

    def total_steps(self, images: int) -> int:
        """Length of the run in steps, on a data set with that many training images."""
        return self.steps if self.steps is not None else self.epochs * self.steps_per_epoch(images)

    def steps_per_epoch(self, images: int) -> int:
        """Steps in one pass: the last partial batch counts, unless it is a single image."""
        full, rest = divmod(images, self.batch_size)
        return max(1, full + (1 if rest > 1 else 0))

    def warnings(self, images: int) -> list[str]:
        """Return warnings about settings that are valid alone but not together, as sentences."""
        found = [*METHODS[self.objective].warnings(self, images), *self._unfinished(images)]
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

    def _unfinished(self, images: int) -> list[str]:
        """Warn of schedules that do not end within the run, with the values that they reach."""
        found = []
        per_epoch, total = self.steps_per_epoch(images), self.total_steps(images)
        for name, schedule in self.method.schedules.items():
            reached = schedule.at(total, per_epoch, total)
            if abs(schedule.end - reached) <= 0.001 * abs(schedule.end - schedule.start):
                continue
            field = self.field(name)
            lasts = f"{total:,} steps" if schedule.unit == "steps" else f"{rounded_text(total / per_epoch)} epochs"
            title = field.title or name
            if schedule.shape == "jump":
                end = f"{exact_text(schedule.end)} {unit_of(field)}".rstrip()
                found.append(
                    f"{title} stays at {exact_text(schedule.start)}: it jumps to {end} after {schedule.length_text()}, "
                    f"and the run lasts {lasts}."
                )
                continue
            found.append(
                f"{title} will reach only {rounded_text(reached)} on its way from {schedule.text(unit_of(field))}: "
                f"the run lasts {lasts}."
            )
        return found

    def changed(self, **changes: Any) -> "RunConfig":
        """Return a copy with some settings replaced, validated again. Raises ConfigError.

        If the method changes, those of its own settings are kept that both methods share.
        """
        kept = self.flat()
        former, method = METHODS[self.objective], METHODS.get(str(changes.get("objective", self.objective)))
        if method not in (former, None):
            own = former.Settings.model_fields
            kept = {name: v for name, v in kept.items() if name not in own or same_setting(name, former, method)}
        return RunConfig.parse(over(kept, changes))

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "RunConfig":
        """Validate named values (strings are converted). Raises ConfigError naming field, value and range."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong: list[Any] = []
            for each in error.errors():
                wrong += each["ctx"]["errors"] if each["type"] == "of_method" else [each]
            if any(each["loc"] == ("objective",) for each in wrong):  # its settings are not known then
                wrong = [each for each in wrong if each["type"] != "extra_forbidden"]
            more = f" {len(wrong) - MOST_SHOWN:,} more settings are not valid." if len(wrong) > MOST_SHOWN else ""
            raise ConfigError(" ".join(map(_sentence, wrong[:MOST_SHOWN])) + more) from None

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values, with the schema version; the method's own under "method"."""
        return {"schema": SCHEMA} | self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Any) -> "RunConfig":
        """Read the result of `to_json`, or a run's complete config.json, including those of version 1.0.0.

        Sets stand-ins for what the run needs from plug-ins that are not loaded. Raises ConfigError for an unknown
        schema, an unknown field or a value out of range.
        """
        if not isinstance(values, dict):
            raise ConfigError("The settings must be a JSON object of field names and values.")
        if "plugins" in values:
            let_stand_in(values)
        return cls.parse(migrated({k: v for k, v in values.items() if k not in ENVELOPE}, values.get("schema", 1)))

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read settings from a JSON file. Raises ConfigError with the file's name."""
        try:
            return cls.from_json(read_json(path, paths=PATHS))
        except (OSError, DamagedError) as error:
            raise ConfigError(f"{path} {reason_of(error)}.") from None
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


def over(before: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return settings by name with some replaced, these last: if a setting is given by two names, the later counts."""
    return {name: value for name, value in before.items() if name not in later} | later


def migrated(values: dict[str, Any], schema: object) -> dict[str, Any]:
    """Return settings by name, migrated from the schema of their file to the current one.

    Version 1.0.0, schema 1, had one network. Raises ConfigError for an unknown schema.
    """
    if schema not in (FIRST_SCHEMA, SCHEMA) or isinstance(schema, bool):
        raise ConfigError(
            f"The settings have schema {shown(schema)}; this version reads schema {FIRST_SCHEMA} and {SCHEMA}. "
            "They were written by another version of Disentangle Studio."
        )
    return NETWORK_OF_1_0_0 | values if schema == FIRST_SCHEMA else values


def all_settings(configs: Iterable[RunConfig] = ()) -> dict[str, FieldInfo]:
    """Return all settings by name, in the order of the form: the common ones and those of the runs' methods.

    Without runs, those of all methods are returned. If several methods use a name, it stands for the first one's.
    """
    methods = [METHODS[config.objective] for config in configs] or METHODS.every()
    found: dict[str, FieldInfo] = {}
    for name, field in RunConfig.model_fields.items():
        if name != "method":
            found[name] = field
            continue
        for method in methods:
            found |= {own: of for own, of in method.Settings.model_fields.items() if own not in found}
    return found


def _wrong_everywhere(name: str, value: Any) -> list[Any]:
    """Errors in a value for a setting that only other methods have; none if any of them accepts it.

    Stand-ins for methods of missing plug-ins accept any value and do not count.
    """
    errors: list[list[Any]] = []
    for method in METHODS.values():
        if name not in method.Settings.names():
            continue
        try:
            method.Settings.model_validate({name: value})
            return []
        except ValidationError as error:
            errors.append(_errors(error, method))
    return errors[0] if errors else []


def _errors(error: ValidationError, method: Any) -> list[dict[str, Any]]:
    """Pydantic's errors in a method's settings, each with its field, if there is one."""
    fields = method.Settings.former.model_fields | method.Settings.model_fields
    return [{**each, "field": fields.get(str(each["loc"][0]))} for each in error.errors() if each["loc"]]


def _sentence(error: Any) -> str:
    """One pydantic error as a sentence that names the field, the value and what is allowed."""
    name = str(error["loc"][0]) if error["loc"] else "settings"
    field = error.get("field") or RunConfig.model_fields.get(name)
    if field is not None and error["type"] == "reason":
        return f"{name} is {shown(error.get('input'))}: {error['ctx']['reason']}."
    if field is not None:
        return invalid_text(name, field, error.get("input"))
    if error["type"] == "extra_forbidden":
        return f"There is no setting {shown(name)}. The settings are: {', '.join(all_settings())}."
    return f"The settings are not valid: {error['msg']}."
