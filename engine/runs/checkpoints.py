"""Checkpoints: weights in a portable format, and the trainer state needed to resume exactly.

`trainer-<step>.pt` is written first; replacing `model.safetensors`, whose metadata names it, is the commit point; older
trainer files are deleted afterwards. Neither file can execute code when loaded.

The libraries serialise to bytes and `engine.system.files` writes them. A full disk is then always an OSError, the files
have ordinary permissions, and equal weights give equal bytes.
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
from engine.runs.kept_weights import MAX_WEIGHTS_BYTES, WEIGHTS, damaged, kept_file, kept_steps, no_weights, step_of
from engine.runs.packed_weights import unpack
from engine.system.files import write_bytes
from engine.system.reading import MB, DamagedError, open_regular, path_exists, read_limited

MAX_TRAINER_BYTES = 2000 * MB
"""Largest size of a trainer file in bytes."""

NOT_RESUMED = "The weights are intact, so the run can be viewed and evaluated, but not resumed."
"""What is still possible when a trainer file cannot be used."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights and buffers of a model at a step, and the name of their trainer file.

    `left_out` are those that packed weights do not hold, since neither encoding nor decoding needs them.
    """

    step: int
    trainer: str
    tensors: dict[str, Tensor]
    left_out: tuple[str, ...] = ()


def save_checkpoint(folder: Path, step: int, model: nn.Module, trainer: dict[str, Any]) -> None:
    """Write a checkpoint. Raises OSError; the previous one is then intact."""
    folder.mkdir(exist_ok=True)
    name = f"trainer-{step}.pt"
    state = io.BytesIO()
    torch.save(trainer, state)
    write_bytes(folder / name, state.getbuffer())
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    write_bytes(folder / WEIGHTS, weights_bytes(tensors, {"step": str(step), "trainer": name}))
    for old in folder.glob("trainer-*.pt"):
        if old.name != name and old.stem.removeprefix("trainer-").isdecimal():  # other files, added by the user, stay
            old.unlink(missing_ok=True)


def weights_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return the bytes of a safetensors file with sorted metadata; the library's order changes from call to call."""
    content = save(tensors, metadata)
    end = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:end])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    same = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + same.ljust(end - 8) + content[end:]


def checkpoint_step(folder: Path) -> int | None:
    """Return the step of the checkpoint in a folder, without reading its weights; None if there is no checkpoint.

    Raises CheckpointError if it is damaged.
    """
    path = folder / WEIGHTS
    if not path_exists(path):
        return None
    return _read(path, tensors=False).step


def load_weights(folder: Path, step: int | None = None) -> Weights:
    """Read the weights of the newest checkpoint, or those kept at a step.

    Raises CheckpointError if there are none or they are damaged.
    """
    if step is not None and not kept_file(folder, step).exists():
        kept = ", ".join(f"{kept:,}" for kept in kept_steps(folder)) or "none"
        raise CheckpointError(f"{folder.parent.name} has no checkpoint kept at step {step:,}. Kept: {kept}.")
    path = folder / WEIGHTS if step is None else kept_file(folder, step)
    if not path.exists():
        raise no_weights(folder)
    return _read(path, tensors=True)


def load_trainer(folder: Path, weights: Weights) -> Any:
    """Read the content of the trainer file of these weights, without validating it. Raises CheckpointError."""
    path = folder / weights.trainer
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}. {NOT_RESUMED}") from None
    except Exception:  # a damaged file makes torch.load raise nearly anything
        raise CheckpointError(f"{path} is damaged. {NOT_RESUMED}") from None


def read_files(folder: Path) -> tuple[int, dict[str, bytes]] | None:
    """Return a checkpoint's step and its files by name, consistent even while training replaces them.

    None if there is no checkpoint; only the weights if the trainer file is missing. Raises CheckpointError or OSError.
    """
    path = folder / WEIGHTS
    while (step := checkpoint_step(folder)) is not None:
        try:
            files = {WEIGHTS: read_limited(path, MAX_WEIGHTS_BYTES)}
            with suppress(FileNotFoundError):
                files[f"trainer-{step}.pt"] = read_limited(folder / f"trainer-{step}.pt", MAX_TRAINER_BYTES)
        except DamagedError:
            raise damaged(path) from None
        if checkpoint_step(folder) == step:  # no newer one was saved meanwhile
            return step, files
    return None


def fill(model: nn.Module, weights: Weights, run: str) -> None:
    """Copy weights into a model, which keeps its own where they are left out.

    Raises CheckpointError if they do not fit it.
    """
    own = model.state_dict() if weights.left_out else {}
    try:
        model.load_state_dict({name: own[name] for name in weights.left_out if name in own} | weights.tensors)
    except RuntimeError:
        raise CheckpointError(
            f"The weights of {run} do not fit its settings or its data: config.json, the checkpoint or the data have "
            "changed."
        ) from None


def _read(path: Path, *, tensors: bool) -> Weights:
    try:
        open_regular(path).close()  # safe_open would wait for a FIFO
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            values = {key: file.get_tensor(key) for key in file.keys()} if tensors else {}  # noqa: SIM118
        step, trainer = step_of(metadata), metadata["trainer"]
        values, left_out = unpack(values, metadata) if tensors else (values, ())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (SafetensorError, KeyError, ValueError):
        raise damaged(path) from None
    if trainer != f"trainer-{step}.pt":
        raise CheckpointError(f"{path} is not valid: it names the trainer file of another step.")
    return Weights(step, trainer, values, left_out)
