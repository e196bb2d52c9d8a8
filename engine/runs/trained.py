"""A trained model: the weights of a run's checkpoint, in eval mode, with its data set."""

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data import (
    ENTRIES,
    ArrayStore,
    Dataset,
    fingerprint_of,
    load_dataset,
    load_if_available,
    load_prepared,
    prepare,
)
from engine.errors import CheckpointError
from engine.jobs.events import Event, Progress, Request
from engine.methods.base import Method, Posterior
from engine.methods.building import build
from engine.methods.registry import METHODS, make, spec_for
from engine.networks.network import SIDES
from engine.networks.tensors import choose_device, is_available, to_tensor
from engine.runs.checkpoints import Weights, fill, load_weights
from engine.runs.run import Run
from engine.runs.stored_codes import holds_codes, load_codes
from engine.settings.run_config import DEVICE_TITLES


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model at a step, in eval mode, on the device that the run trains on; its outputs are on the CPU.

    `data_note` says how the data set differs from the one the weights were trained on; empty if it does not, or if that
    is not known. `plugin_note` says if a plug-in has changed since. `device_note` says if the CPU is used because this
    machine lacks the run's device.
    """

    run: Run
    dataset: Dataset
    model: Method
    step: int
    data_note: str = ""
    device_note: str = ""
    plugin_note: str = ""

    @property
    def device(self) -> torch.device:
        """Device of the weights; the CPU if there are none."""
        first = next(self.model.networks.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def notes(self) -> str:
        """All notes in one text."""
        return " ".join(note for note in (self.data_note, self.plugin_note, self.device_note) if note)

    def fused(self) -> "TrainedModel":
        """Return a copy for encoding many images, with batch normalisation folded into convolutions."""
        return replace(self, model=self.model.fused())

    def encode(self, images: NDArray[np.uint8]) -> Posterior:
        """Return the posteriors of images, uint8 (n, height, width, channels)."""
        found = self.model.encode(to_tensor(images, self.device))
        return (found if isinstance(found, Posterior) else Posterior(*found)).to("cpu")  # a plug-in's may be a pair

    def posterior_of(self, positions: NDArray[np.int64]) -> Posterior:
        """Return the posteriors of images of the data set."""
        return self.encode(self.dataset.images(positions))

    def logits(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode latents (n, latents), with class numbers (n,) if conditional: logits (n, channels, height, width)."""
        given = None if labels is None else labels.to(self.device)
        return self.model.logits(z.to(self.device), given).cpu()

    @property
    def has_data(self) -> bool:
        """Whether the data set is available; without it, the model can still encode pictures and decode latents."""
        return len(self.dataset) > 0

    def labels(self, indices: NDArray[np.int64]) -> Tensor | None:
        """Return the class numbers that the decoder receives for these images; None for an unconditional model."""
        if not self.model.classes or self.dataset.labels is None:
            return None
        return torch.from_numpy(self.dataset.labels[indices])


@dataclass(frozen=True, slots=True, eq=False)
class CodedImages(TrainedModel):
    """The codes of a run that holds those of a file, (images, latents), in place of a model."""

    codes: Tensor = field(default_factory=lambda: torch.empty(0, 0))

    def fused(self) -> "CodedImages":
        """Return itself."""
        return self

    def posterior_of(self, positions: NDArray[np.int64]) -> Posterior:
        """Return the codes of images; their variances are not known, and 0."""
        codes = self.codes[torch.from_numpy(np.asarray(positions, np.int64))]
        return Posterior(codes, torch.zeros_like(codes))


def load_dataset_of(run: Run) -> Dataset:
    """Load a run's data set, which a run of codes brings with it. Raises DataError or CheckpointError."""
    return load_codes(run)[1] if holds_codes(run.config) else load_dataset(*run.data)


def prepared_dataset_of(run: Run) -> Generator[Event, Request | None, Dataset]:
    """Prepare a run's data set, with Progress, and return it. Raises as `load_dataset_of` does."""
    if holds_codes(run.config):
        return load_codes(run)[1]
    for event in prepare(*run.config.data):
        if isinstance(event, Progress):
            yield event
    return load_prepared(*run.data)


def require_decoder(run: Run) -> None:
    """Raise CheckpointError if a run has no decoder, so that nothing of it can be traversed."""
    method = METHODS[run.config.objective]
    if not method.decodes:
        raise CheckpointError(f"{run.name} cannot be traversed: {method.lacks['reconstruction']}.")


def load_model(run: Run, dataset: Dataset, step: int | None = None) -> TrainedModel:
    """Load a run's last checkpoint or the weights kept at a step. Raises CheckpointError or ConfigError."""
    if holds_codes(run.config):
        codes, _ = load_codes(run)
        model = make(run.config, spec_for(run.config, dataset.image_shape, 0))
        return CodedImages(run, dataset, model, 0, codes=codes)
    weights = load_weights(run.checkpoint_folder, step)
    trained = _trained(run, dataset, build(run.config, dataset), weights)
    return replace(trained, data_note=run.data_note(fingerprint_of(dataset), weights.step))


def load_model_on_sample(run: Run, dataset: Dataset) -> TrainedModel:
    """Load a run's last checkpoint with some images of its data set, which differ from the data it was trained on.

    Raises CheckpointError or ConfigError.
    """
    return _trained(run, dataset, build(run.config, dataset), load_weights(run.checkpoint_folder))


def load_model_without_data(run: Run, step: int | None = None) -> TrainedModel:
    """Load only a run's weights; the data set is a placeholder without images, but with title and classes.

    The image shape and the number of classes follow from the weights. Raises CheckpointError.
    """
    require_decoder(run)
    weights = load_weights(run.checkpoint_folder, step)
    model = _network_of(weights, run)
    return _trained(run, _stand_in(run, model), model, weights)


def load_model_with_data_if_present(run: Run, step: int | None = None) -> tuple[TrainedModel, str]:
    """Load a run's weights, with its data set if that is available; else also return a sentence that says why not.

    No data are drawn or downloaded. Raises CheckpointError or ConfigError.
    """
    dataset, missing = (None, "") if holds_codes(run.config) else load_if_available(*run.data)
    if dataset is None:
        return load_model_without_data(run, step), missing
    return load_model(run, dataset, step), ""


def _trained(run: Run, dataset: Dataset, model: Method, weights: Weights) -> TrainedModel:
    if model.untrainable:
        model.open_files(run.checkpoint_folder)
    else:
        fill(model.networks, weights, run.name)
    device, note = _device_of(run)
    model = model.eval().to(device)
    return TrainedModel(run, dataset, model, weights.step, device_note=note, plugin_note=run.plugin_note(weights.step))


def _device_of(run: Run) -> tuple[torch.device, str]:
    """The device of a run; the CPU and a sentence if this machine lacks it."""
    name = str(run.resolved.get("device", run.config.device))
    if name == "auto" or is_available(name):
        return choose_device(name), ""
    title = DEVICE_TITLES.get(name, "another device")
    return (
        torch.device("cpu"),
        f"{run.name} was trained with {title}, which PyTorch does not find on this machine. "
        "Its results are computed on the CPU and may differ in the last digits.",
    )


def _network_of(weights: Weights, run: Run) -> Method:
    """The method whose networks fit the shapes of these weights."""
    if METHODS[run.config.objective].untrainable and run.image_shape is not None:
        return make(run.config, spec_for(run.config, run.image_shape, 0))
    shapes = {name: tensor.shape for name, tensor in weights.tensors.items()}
    for image_shape, classes in _candidates(run, shapes):
        model = make(run.config, spec_for(run.config, image_shape, classes))
        own = {name: tensor.shape for name, tensor in model.networks.state_dict().items()}
        if {name: shape for name, shape in own.items() if name not in weights.left_out} == shapes:
            return model
    raise CheckpointError(
        f"The weights of {run.name} do not fit its settings: config.json or the checkpoint has changed."
    )


def _candidates(run: Run, shapes: dict[str, torch.Size]) -> list[tuple[tuple[int, int, int], int]]:
    """Image shapes and numbers of classes that the run's networks may have been built for.

    Version 1.0.0 did not record them; the weights of its network depend on the side of the image.
    """
    if run.image_shape is not None:
        return [(run.image_shape, run.classes)]
    try:
        channels = shapes["encoder.features.0.weight"][1]
        classes = shapes["decoder.hidden.0.weight"][1] - run.config.latents
    except (KeyError, IndexError):
        return []
    return [((side, side, channels), classes) for side in SIDES] if channels in (1, 3) and classes >= 0 else []


def _stand_in(run: Run, model: Method) -> Dataset:
    entry = ENTRIES[run.config.dataset]
    names = tuple(entry.classes.split(", "))
    if len(names) != model.classes:
        names = tuple(f"class {number}" for number in range(model.classes))  # their names are not known
    nothing = np.empty(0, np.int64)
    return Dataset(
        name=entry.name,
        title=entry.title,
        store=ArrayStore(np.empty((0, *model.image_shape), np.uint8)),
        image_shape=model.image_shape,
        splits={"all": nothing},
        source="not available",
        labels=nothing if model.classes else None,
        label_names=names,
    )
