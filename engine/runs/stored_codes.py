"""Codes from a file in a run's folder: they and what is known of their images lie where other runs have their weights.

So a metric is keyed to them as to weights, and a run of them is exported, imported and moved like any other.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.data import ArrayStore, Dataset, Factors
from engine.data.dataset import ImageStore, NoImages
from engine.data.representation_file import GivenRepresentation, read_representation
from engine.errors import CheckpointError, RunError
from engine.jobs.events import Finished, Imported, Job, Progress, Warned
from engine.methods.stored_codes import NAME
from engine.runs.checkpoints import weights_bytes
from engine.runs.kept_weights import MAX_WEIGHTS_BYTES, WEIGHTS, damaged
from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from engine.system.files import write_bytes
from engine.system.paths import readable
from engine.system.plain_text import one_line
from engine.system.reading import DamagedError, checked, open_regular, parse_json

STEP = {"step": "0", "trainer": "trainer-0.pt"}
"""What the file says like that of a checkpoint; nothing was trained here."""


class _About(BaseModel):
    title: str = Field("", max_length=300)
    file: str = Field("", max_length=300)
    factor_names: list[str] = []
    factor_sizes: list[int] = []
    named_factors: list[str] = []
    label_names: list[str] = []
    split_names: list[str] = []


_ABOUT = TypeAdapter(_About)


def add_representation(path: Path, root: Path, name: str | None = None) -> tuple[Run, tuple[str, ...]]:
    """Read the representation in an .npz file and keep it as a run below `root`; return it with notes on the file.

    Raises DataError if the file cannot be used, RunError if the run cannot be written.
    """
    given = read_representation(path)
    file = one_line(readable(path.name), 300)
    tensors, about = _kept(given, file)
    truth = ("factors", "values", "labels", "split")
    known = {key: value for key, value in tensors.items() if key in truth}
    config = RunConfig.parse(
        {
            "objective": NAME,
            "dataset": "arrays",
            "data_folder": path.absolute(),
            "latents": given.codes.shape[1],
            "file": file,
            "contents": _digest(tensors, about),
            # With neither factors nor labels, nothing tells whether codes in two files are of the same images.
            "truth": _digest(known if {"factors", "labels"} & known.keys() else tensors, about),
            "samples": len(given.codes),
        }
    )
    run = Run.create(root, config, name or path.stem)
    try:
        run.checkpoint_folder.mkdir(exist_ok=True)
        content = weights_bytes(tensors, STEP | {"about": about})
        if len(content) > MAX_WEIGHTS_BYTES:
            raise RunError(f"{file} takes {len(content) / 1e6:,.0f} MB, which is too much. Take fewer samples.")
        write_bytes(run.checkpoint_folder / WEIGHTS, content)
        names = {str(number): each for number, each in enumerate(given.latent_names) if each}
        if names:
            run.write_marks(run.marks() | {"latents": names})
        run.write_state(RunState("finished", message=f"Read from {file}; it was not trained here."))
    except OSError as error:
        run.discard()
        raise RunError(f"{run.path} cannot be written: {error.strerror or error}.") from None
    return run, given.notes


def import_representation(path: Path, root: Path, name: str | None = None) -> Job:
    """Keep the representation in a file as a run. Yields Progress, Warned for each note, Imported, and Finished.

    Raises as `add_representation` does.
    """
    yield Progress(0, 1, f"Reading {readable(path.name)}", "file")
    run, notes = add_representation(path, root, name)
    for note in notes:
        yield Warned(note)
    yield Imported(run.path)
    own = run.config.method
    yield Finished(run.path, message=f"Opened {own.file}: {own.samples:,} codes of {run.config.latents} latents")


def _kept(given: GivenRepresentation, file: str) -> tuple[dict[str, Tensor], str]:
    """The arrays by name, and the names as JSON."""
    dataset, arrays = given.dataset, {"codes": given.codes}
    about = _About(title=dataset.title, file=file)
    kept: dict[str, NDArray[Any]] = dict(arrays)
    if (factors := dataset.factors) is not None:
        assert factors.table is not None
        kept |= {"factors": factors.table, "values": np.concatenate(factors.values)}
        about.factor_names, about.factor_sizes = list(factors.names), list(factors.sizes)
        about.named_factors = [name for name in factors.names if factors.value_names.get(name)]
    if dataset.labels is not None:
        kept["labels"], about.label_names = dataset.labels, list(dataset.label_names)
    about.split_names = list(dataset.splits)
    split = np.zeros(len(dataset), np.uint8)
    for number, where in enumerate(dataset.splits.values()):
        split[where] = number
    kept["split"] = split
    if isinstance(dataset.store, ArrayStore):
        kept["images"] = dataset.store.array
    return {name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in kept.items()}, about.model_dump_json()


def _digest(tensors: dict[str, Tensor], about: str) -> str:
    """SHA-256 of arrays with their names and shapes, and of the names of factors and classes."""
    words = json.loads(about)
    digest = hashlib.sha256(json.dumps({k: v for k, v in words.items() if k not in ("title", "file")}).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def holds_codes(config: RunConfig) -> bool:
    """Return whether a run holds codes from a file instead of weights."""
    return config.objective == NAME


def load_codes(run: Run) -> tuple[Tensor, Dataset]:
    """Return the codes of a run, float32 (n, latents), and the data set that they are of. Raises CheckpointError."""
    path = run.checkpoint_folder / WEIGHTS
    try:
        open_regular(path).close()
        with safe_open(path, framework="pt") as file:
            about = checked(_ABOUT, parse_json((file.metadata() or {}).get("about", "")))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        codes = tensors["codes"]
        if codes.ndim != 2 or codes.dtype != torch.float32 or not len(codes) or not codes.isfinite().all():
            raise ValueError("these are no codes")
        return codes, _dataset(tensors, about)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (SafetensorError, KeyError, ValueError, IndexError, RuntimeError, DamagedError):
        raise damaged(path) from None


def _dataset(tensors: dict[str, Tensor], about: _About) -> Dataset:
    """The data set of codes. Raises ValueError, KeyError or IndexError if the arrays do not fit one another."""
    count = len(tensors["codes"])
    if any(len(each) != count for name, each in tensors.items() if name != "values"):
        raise ValueError("arrays differ in length")
    factors = labels = None
    if "factors" in tensors:
        table, ends = tensors["factors"].numpy(), np.cumsum(about.factor_sizes)
        values = np.split(tensors["values"].numpy(), ends[:-1])
        within = table.min(initial=0) >= 0 and (table.max(axis=0) < about.factor_sizes).all()
        if table.shape[1] != len(about.factor_names) or not within or ends[-1] != len(tensors["values"]):
            raise ValueError("the factors do not fit their names")
        named = {
            name: tuple(f"{value:g}" for value in own)
            for name, own in zip(about.factor_names, values, strict=True)
            if name in about.named_factors
        }
        factors = Factors(tuple(about.factor_names), tuple(values), named, table)
    if "labels" in tensors:
        labels = tensors["labels"].numpy()
        if labels.min() < 0 or labels.max() >= len(about.label_names):
            raise ValueError("the labels do not fit their names")
    split, store = tensors["split"].numpy(), None
    images: ImageStore = NoImages(count, about.file)
    if "images" in tensors:
        images = store = ArrayStore(tensors["images"].numpy())
    shape = store.array.shape if store is not None else (count, 0, 0, 0)
    return Dataset(
        name="arrays",
        title=one_line(about.title),
        store=images,
        image_shape=(shape[1], shape[2], shape[3]),
        splits={name: np.flatnonzero(split == number) for number, name in enumerate(about.split_names)},
        source=f"arrays in {one_line(about.file)}",
        labels=labels,
        label_names=tuple(about.label_names),
        factors=factors,
        pixel_digest="" if store is not None else "no images",
    )
