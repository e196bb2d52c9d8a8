"""Weights that a person keeps to come back to: copies of a checkpoint's weights, `kept-<step>.safetensors` beside it.

Loads no torch, since the window keeps weights too.
"""

import re
from pathlib import Path

from safetensors import SafetensorError, deserialize

from engine.errors import CheckpointError
from engine.system.files import write_bytes
from engine.system.reading import MAX_STEPS, MB, DamagedError, open_regular, parse_json, read_limited

WEIGHTS = "model.safetensors"
"""A checkpoint's weights, in its folder; the metadata name their step."""

MOST_WEIGHTS = 1000 * MB
"""Bytes of a file of weights."""

LONGEST_HEAD = 1 * MB
"""Bytes. The head of a file of weights has some hundred for each of its tensors."""


def kept_file(checkpoint_folder: Path, step: int) -> Path:
    """Where the weights of a step are, if they were kept."""
    return checkpoint_folder / f"kept-{step}.safetensors"


def kept_steps(checkpoint_folder: Path) -> list[int]:
    """Steps whose weights were kept, smallest first."""
    found = (re.fullmatch(r"kept-(\d{1,12})\.safetensors", file.name) for file in checkpoint_folder.glob("kept-*"))
    return sorted(int(match.group(1)) for match in found if match)


def keep_checkpoint(checkpoint_folder: Path) -> int:
    """Keep a copy of the present weights; return their step.

    Raises CheckpointError when there are none or they are damaged, OSError when the copy cannot be written.
    """
    path = checkpoint_folder / WEIGHTS
    try:
        content = read_limited(path, MOST_WEIGHTS)  # in one go: a run that trains replaces the file
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
    """Step of the newest weights, from the head of their file; None when there are none, or they cannot be read."""
    try:
        with open_regular(checkpoint_folder / WEIGHTS) as file:
            head = file.read(8)
            return _step_in(head + file.read(min(int.from_bytes(head, "little"), LONGEST_HEAD)))
    except (OSError, DamagedError):
        return None


def _step_in(content: bytes) -> int:
    """The step that the metadata at the beginning of a file of weights name (safetensors' format)."""
    length = int.from_bytes(content[:8], "little")
    if length > LONGEST_HEAD:
        raise DamagedError("its head is too long")
    head = parse_json(content[8 : 8 + length])
    return step_of(head.get("__metadata__") if isinstance(head, dict) else None)


def step_of(metadata: object) -> int:
    """The step that the metadata of weights name. Raises DamagedError."""
    step = metadata.get("step") if isinstance(metadata, dict) else None
    if not isinstance(step, str) or not re.fullmatch(r"[0-9]{1,13}", step) or int(step) > MAX_STEPS:
        raise DamagedError("it does not say at which step it was saved")
    return int(step)


def no_weights(checkpoint_folder: Path) -> CheckpointError:
    """The error for a run without a checkpoint."""
    name = checkpoint_folder.parent.name
    return CheckpointError(f"{name} has no weights yet: it was not trained up to its first checkpoint.")


def damaged(path: Path) -> CheckpointError:
    """The error for weights that cannot be read."""
    return CheckpointError(
        f"{path} is damaged: it is cut short or not a checkpoint. The curves and settings of the run are kept; train "
        "it again with the same settings."
    )
