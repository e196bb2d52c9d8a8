"""Size limits for the files of an archived run, derived from its settings."""

import re

import torch

from engine.data import ENTRIES
from engine.data.subsets import training_count
from engine.errors import RunError
from engine.methods.registry import METHODS, make, spec_for
from engine.networks.network import SIDES
from engine.runs.plugins_used import plugins_used
from engine.runs.previews import EARLY, LATENT_ROWS, MAX_PREVIEWS, columns_for
from engine.runs.run import MAX_CLASSES
from engine.settings.absent import missing_words
from engine.settings.run_config import RunConfig

MB = 1_000_000
LIMITS = {
    r"(config|state|marks)\.json": 1 * MB,
    r"evaluation\.json": 16 * MB,
    r"(metrics|held_out|scores)\.csv": 256 * MB,
    r"checkpoint/(model|kept-[0-9]{1,12})\.safetensors": 1000 * MB,
    r"checkpoint/trainer-[0-9]{1,12}\.pt": 2000 * MB,
    r"previews/[0-9]{1,12}\.png": 64 * MB,
}
"""Files of a run that an archive may hold, and the largest size of each in bytes, whatever the settings."""

MAX_KEPT_BY_HAND = 100
"""Weights that a user may have kept in addition to those that the settings list."""

NUMBER = 18
"""Bytes of a value in a table: nine digits with sign, point, exponent and comma."""

SLACK = 1 * MB
"""Bytes of a file beyond its numbers: headers, names, random states."""


def limit(name: str) -> int:
    """Return the largest size in bytes of a run's file; 0 if the name is not that of a run's file."""
    return next((most for pattern, most in LIMITS.items() if re.fullmatch(pattern, name)), 0)


def check_sizes(sizes: dict[str, int], config: RunConfig, archive: str) -> None:
    """Check that files, given as sizes by name in the run's folder, are no larger and no more than the settings allow.

    Raises RunError, naming the `archive`.
    """
    allowed = _allowed(config)
    for kind, (most, count) in allowed.items():
        found = {name: size for name, size in sizes.items() if re.fullmatch(kind, name)}
        for name, size in found.items():
            if size > most:
                raise RunError(
                    f"{name} in {archive} is too large for the run's settings: {size / MB:,.0f} MB instead of at most "
                    f"{most / MB:,.0f} MB. The archive is not read."
                )
        if len(found) > count:
            raise RunError(
                f"{archive} holds {len(found):,} files {sorted(found)[0]}, ...: more than the run's settings allow "
                f"({count:,}). The archive is not read."
            )


def _allowed(config: RunConfig) -> dict[str, tuple[int, int]]:
    """Largest size in bytes and largest number of the files of each kind.

    What a plug-in's network would weigh is not known if it is not loaded, nor what comes from elsewhere: then only
    `LIMITS` apply.
    """
    if missing_words(config) or METHODS[config.objective].untrainable:
        return {}
    try:
        weights, side, channels = _network(config)
    except Exception:
        if not plugins_used(config):
            raise
        return {}  # a plug-in's code need not be made for tensors without memory
    rows = _steps(config)
    method = METHODS[config.objective]
    picture = (2 + LATENT_ROWS) * columns_for(method.latents_of(config)) * side**2 * channels
    columns = 7 + len(method.curves(config)) + method.kl_columns(config)
    tables = {} if rows is None else {
        r"metrics\.csv": (((rows // config.log_steps) + 3) * columns * NUMBER + SLACK, 1),
        r"held_out\.csv": (((rows // config.preview_steps) + 2 + len(EARLY)) * 5 * NUMBER + SLACK, 1),
        r"scores\.csv": (((rows // (config.score_steps or rows or 1)) + 3) * 5 * NUMBER + SLACK, 1),
    }  # fmt: skip
    return tables | {
        r"checkpoint/model\.safetensors": (weights + SLACK, 1),
        r"checkpoint/kept-[0-9]+\.safetensors": (weights + SLACK, len(config.keep_steps) + MAX_KEPT_BY_HAND),
        r"checkpoint/trainer-[0-9]+\.pt": (2 * weights + SLACK, 10),  # Adam's two moments of each weight
        r"previews/[0-9]+\.png": (picture + picture // 8 + SLACK, 2 * MAX_PREVIEWS),
    }


def _network(config: RunConfig) -> tuple[int, int, int]:
    """Bytes of the weights, and side and channels of the images; upper bounds for the user's own data."""
    shape = ENTRIES[config.dataset].shape or (max(SIDES), max(SIDES), 3)
    side, channels = shape[0], shape[2] if len(shape) > 2 else 1
    with torch.device("meta"):  # shapes only, no memory
        model = make(config, spec_for(config, (side, side, channels), MAX_CLASSES))
    return sum(each.numel() * each.element_size() for each in model.networks.state_dict().values()), side, channels


def _steps(config: RunConfig) -> int | None:
    """Length of the run in steps; None if it depends on the user's files."""
    images = training_count(config)
    known = images is not None and config.data_folder is None
    return config.total_steps(images or 0) if known or config.steps is not None else None
