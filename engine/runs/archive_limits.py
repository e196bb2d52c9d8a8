"""How large the files of a run can be, from the settings that it claims: what an archive may unpack to."""

import re

import torch

from engine.data import ENTRIES
from engine.errors import RunError
from engine.methods.registry import METHODS, make, spec_for
from engine.networks.architectures import SIDES
from engine.runs.previews import LATENT_ROWS, columns_for
from engine.runs.previews import MOST as MOST_PREVIEWS
from engine.runs.run import MOST_CLASSES
from engine.settings.run_config import RunConfig

MB = 1_000_000
LIMITS = {
    r"(config|state|marks)\.json": 1 * MB,
    r"evaluation\.json": 16 * MB,
    r"(metrics|held_out)\.csv": 256 * MB,
    r"checkpoint/(model|kept-[0-9]{1,12})\.safetensors": 1000 * MB,
    r"checkpoint/trainer-[0-9]{1,12}\.pt": 2000 * MB,
    r"previews/[0-9]{1,12}\.png": 64 * MB,
}
"""The files of a run that an archive may hold, and the most bytes that each may have, whatever the settings."""

MOST_BY_HAND = 100
"""Weights that a user may have kept beside those that the settings name."""

NUMBER = 18
"""Bytes of a value in a table: nine digits with sign, point, exponent and comma."""

SLACK = 1 * MB
"""What a file may have beyond its numbers: heads, names, random states."""


def limit(name: str) -> int:
    """Return the most bytes that a file of any run may have; 0 for a name that is none of a run's."""
    return next((most for pattern, most in LIMITS.items() if re.fullmatch(pattern, name)), 0)


def check_sizes(sizes: dict[str, int], config: RunConfig, archive: str) -> None:
    """See that files, sizes by their names in the run's folder, are no larger or more than the settings allow.

    Raises RunError with the name of the `archive`.
    """
    allowed = _allowed(config)
    for kind, (most, count) in allowed.items():
        found = {name: size for name, size in sizes.items() if re.fullmatch(kind, name)}
        for name, size in found.items():
            if size > most:
                raise RunError(
                    f"{name} in {archive} is too large for a run of its settings: {size / MB:,.0f} MB, where at most "
                    f"{most / MB:,.0f} MB are possible. It is not read."
                )
        if len(found) > count:
            raise RunError(
                f"{archive} holds {len(found):,} files {sorted(found)[0]}, ...: more than a run of its settings has "
                f"({count:,}). It is not read."
            )


def _allowed(config: RunConfig) -> dict[str, tuple[int, int]]:
    """Most bytes of a file of each kind, and most files of that kind."""
    weights, side, channels = _network(config)
    rows = _steps(config)
    method = METHODS[config.objective]
    picture = (2 + LATENT_ROWS) * columns_for(method.latents_of(config)) * side**2 * channels
    columns = 7 + len(method.curves(config)) + method.kl_columns(config)
    tables = {} if rows is None else {
        r"metrics\.csv": (((rows // config.log_steps) + 3) * columns * NUMBER + SLACK, 1),
        r"held_out\.csv": (((rows // config.preview_steps) + 3) * 5 * NUMBER + SLACK, 1),
    }  # fmt: skip
    return tables | {
        r"checkpoint/model\.safetensors": (weights + SLACK, 1),
        r"checkpoint/kept-[0-9]+\.safetensors": (weights + SLACK, len(config.keep_steps) + MOST_BY_HAND),
        r"checkpoint/trainer-[0-9]+\.pt": (2 * weights + SLACK, 10),  # Adam's two moments of each weight
        r"previews/[0-9]+\.png": (picture + picture // 8 + SLACK, 2 * MOST_PREVIEWS),
    }


def _network(config: RunConfig) -> tuple[int, int, int]:
    """Bytes of the weights, side and channels of the images; of own data the most that they can be."""
    shape = ENTRIES[config.dataset].shape or (max(SIDES), max(SIDES), 3)
    side, channels = shape[0], shape[2] if len(shape) > 2 else 1
    with torch.device("meta"):  # shapes alone, no memory
        model = make(config, spec_for(config, (side, side, channels), MOST_CLASSES))
    return sum(each.numel() * each.element_size() for each in model.networks.state_dict().values()), side, channels


def _steps(config: RunConfig) -> int | None:
    """Length of the run; None where only the user's files tell."""
    images = ENTRIES[config.dataset].training_images
    known = images is not None and config.data_folder is None
    return config.total_steps(images or 0) if known or config.steps is not None else None
