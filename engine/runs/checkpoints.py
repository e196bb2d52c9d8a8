"""Checkpoints: weights anyone can load, and beside them what a trainer needs to go on exactly.

`trainer-<step>.pt` is written first; replacing `model.safetensors`, whose metadata names it, is the commit
point; older trainer files are deleted after. Neither file can execute anything when it is loaded.

The libraries make bytes and `engine.system.files` writes them: a full disk is then an OSError, not whatever a library
makes of it, the files have the permissions of all others, and the same weights are the same bytes.
"""

import io
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.runs.kept_weights import MOST_WEIGHTS, WEIGHTS, damaged, kept_file, kept_steps, no_weights, step_of
from engine.system.files import write_bytes
from engine.system.reading import MB, DamagedError, open_regular, path_exists, read_limited

MOST_TRAINER = 2000 * MB
"""Bytes of a trainer's file."""

NOT_RESUMED = "The weights are whole, so the run can be looked at and evaluated, but not resumed."
"""What is kept when a trainer's file cannot be used."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights and buffers of a model at a step, and the name of the trainer file that goes with them."""

    step: int
    trainer: str
    tensors: dict[str, Tensor]


def save_checkpoint(folder: Path, step: int, model: nn.Module, trainer: dict[str, Any]) -> None:
    """Write a checkpoint. Raises OSError; the previous one is then still whole."""
    folder.mkdir(exist_ok=True)
    name = f"trainer-{step}.pt"
    state = io.BytesIO()
    torch.save(trainer, state)
    write_bytes(folder / name, state.getbuffer())
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    write_bytes(folder / WEIGHTS, weights_bytes(tensors, {"step": str(step), "trainer": name}))
    for old in folder.glob("trainer-*.pt"):
        if old.name != name and old.stem.removeprefix("trainer-").isdecimal():  # what else a user put there stays
            old.unlink(missing_ok=True)


def weights_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file. Its metadata are sorted, where the library's own order changes from call to call."""
    content = save(tensors, metadata)
    end = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:end])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    same = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + same.ljust(end - 8) + content[end:]


def checkpoint_step(folder: Path) -> int | None:
    """Step of the checkpoint in a run's folder, without reading its weights; None when there is none.

    Raises CheckpointError when it is damaged.
    """
    path = folder / WEIGHTS
    if not path_exists(path):
        return None
    return _read(path, tensors=False).step


def load_weights(folder: Path, step: int | None = None) -> Weights:
    """Read a checkpoint's weights: the newest, or those kept at a step.

    Raises CheckpointError when there are none or they are damaged.
    """
    if step is not None and not kept_file(folder, step).exists():
        kept = ", ".join(f"{kept:,}" for kept in kept_steps(folder)) or "none"
        raise CheckpointError(f"{folder.parent.name} has no checkpoint kept at step {step:,}. Kept: {kept}.")
    path = folder / WEIGHTS if step is None else kept_file(folder, step)
    if not path.exists():
        raise no_weights(folder)
    return _read(path, tensors=True)


def load_trainer(folder: Path, weights: Weights) -> Any:
    """Read what the trainer's file that belongs to these weights holds, whatever that is. Raises CheckpointError."""
    path = folder / weights.trainer
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}. {NOT_RESUMED}") from None
    except Exception:  # a damaged file makes torch.load raise nearly anything
        raise CheckpointError(f"{path} is damaged. {NOT_RESUMED}") from None


def read_files(folder: Path) -> tuple[int, dict[str, bytes]] | None:
    """Return a checkpoint's step and its files by name, as they belong together, also while training replaces them.

    None when there is no checkpoint; only the weights when the trainer's file is missing. Raises CheckpointError or
    OSError.
    """
    path = folder / WEIGHTS
    while (step := checkpoint_step(folder)) is not None:
        try:
            files = {WEIGHTS: read_limited(path, MOST_WEIGHTS)}
            with suppress(FileNotFoundError):
                files[f"trainer-{step}.pt"] = read_limited(folder / f"trainer-{step}.pt", MOST_TRAINER)
        except DamagedError:
            raise damaged(path) from None
        if checkpoint_step(folder) == step:  # no newer one came meanwhile
            return step, files
    return None


def fill(model: nn.Module, weights: Weights, run: str) -> None:
    """Copy weights into a model. Raises CheckpointError when they do not fit it."""
    try:
        model.load_state_dict(weights.tensors)
    except RuntimeError:
        raise CheckpointError(
            f"The weights of {run} do not fit its settings or its data: config.json, the checkpoint or the data were "
            "changed."
        ) from None


def _read(path: Path, *, tensors: bool) -> Weights:
    try:
        open_regular(path).close()  # safe_open would wait for a FIFO
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            values = {key: file.get_tensor(key) for key in file.keys()} if tensors else {}  # noqa: SIM118
        step, trainer = step_of(metadata), metadata["trainer"]
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (SafetensorError, KeyError, ValueError):
        raise damaged(path) from None
    if trainer != f"trainer-{step}.pt":
        raise CheckpointError(f"{path} is not valid: it names a trainer file that is not its own.")
    return Weights(step, trainer, values)
