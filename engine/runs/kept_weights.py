"""Weights kept at chosen steps: copies of a checkpoint's weights, `kept-<step>.safetensors` beside it.

Does not import torch, since the window keeps weights, too.
"""

import re
from pathlib import Path

from safetensors import SafetensorError, deserialize

from engine.errors import CheckpointError
from engine.runs.shipped import require_own
from engine.system.files import write_bytes
from engine.system.reading import MAX_STEPS, MB, DamagedError, open_regular, parse_json, read_limited

WEIGHTS = "model.safetensors"
"""File name of a checkpoint's weights; their metadata names the step."""

MAX_WEIGHTS_BYTES = 1000 * MB
"""Largest size of a weights file in bytes."""

MAX_HEADER_BYTES = 1 * MB
"""Largest size in bytes of the header of a weights file, which needs some hundred for each tensor."""


def kept_file(checkpoint_folder: Path, step: int) -> Path:
    """Return the path of the weights kept at a step."""
    return checkpoint_folder / f"kept-{step}.safetensors"


def kept_steps(checkpoint_folder: Path) -> list[int]:
    """Return the steps whose weights were kept, in ascending order."""
    found = (re.fullmatch(r"kept-(\d{1,12})\.safetensors", file.name) for file in checkpoint_folder.glob("kept-*"))
    return sorted(int(match.group(1)) for match in found if match)


def keep_checkpoint(checkpoint_folder: Path) -> int:
    """Keep a copy of the current weights and return their step.

    Raises CheckpointError if there are none or they are damaged, RunError for a run of the gallery, OSError if the copy
    cannot be written.
    """
    require_own(checkpoint_folder.parent, checkpoint_folder.parent.name)
    path = checkpoint_folder / WEIGHTS
    try:
        content = read_limited(path, MAX_WEIGHTS_BYTES)  # at once: training replaces the file
    except FileNotFoundError:
        raise no_weights(checkpoint_folder) from None
    except DamagedError:
        raise damaged(path) from None
    try:
        deserialize(content)
        step = _step_in(content)
    except (SafetensorError, DamagedError):
        raise damaged(path) from None
    write_bytes(kept_file(checkpoint_folder, step), content)
    return step


def weights_step(checkpoint_folder: Path) -> int | None:
    """Return the step of the newest weights, from the header of their file; None if it cannot be read."""
    try:
        with open_regular(checkpoint_folder / WEIGHTS) as file:
            head = file.read(8)
            return _step_in(head + file.read(min(int.from_bytes(head, "little"), MAX_HEADER_BYTES)))
    except (OSError, DamagedError):
        return None


def _step_in(content: bytes) -> int:
    """The step named in the header of a weights file (safetensors format)."""
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise DamagedError("its header is too long")
    head = parse_json(content[8 : 8 + length])
    return step_of(head.get("__metadata__") if isinstance(head, dict) else None)


def step_of(metadata: object) -> int:
    """Return the step named in the metadata of weights. Raises DamagedError."""
    step = metadata.get("step") if isinstance(metadata, dict) else None
    if not isinstance(step, str) or not re.fullmatch(r"[0-9]{1,13}", step) or int(step) > MAX_STEPS:
        raise DamagedError("it does not name the step at which it was saved")
    return int(step)


def no_weights(checkpoint_folder: Path) -> CheckpointError:
    """Return the error for a run without a checkpoint."""
    name = checkpoint_folder.parent.name
    return CheckpointError(f"{name} has no weights yet: training has not reached its first checkpoint.")


def damaged(path: Path) -> CheckpointError:
    """Return the error for weights that cannot be read."""
    return CheckpointError(
        f"{path} is damaged: it is truncated or not a checkpoint. The curves and settings of the run are kept; "
        "train it again with the same settings."
    )
