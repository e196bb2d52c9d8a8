"""A trained model, ready to look at: weights of one of a run's checkpoints, in eval mode, with its data set."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data import ENTRIES, ArrayStore, Dataset, fingerprint_of, load_if_there
from engine.errors import CheckpointError
from engine.methods.base import Method
from engine.methods.building import build
from engine.methods.registry import make, spec_for
from engine.networks.architectures import SIDES
from engine.runs.checkpoints import Weights, fill, load_weights
from engine.runs.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model at a step, on the CPU and in eval mode.

    `data_note` says what the data set differs in from the one the weights were trained on; empty where it is the same,
    or not known.
    """

    run: Run
    dataset: Dataset
    model: Method
    step: int
    data_note: str = ""

    @property
    def has_data(self) -> bool:
        """Whether the data set is there; without it the model can still encode pictures and decode latents."""
        return len(self.dataset) > 0

    def labels(self, indices: NDArray[np.int64]) -> Tensor | None:
        """Class numbers that the decoder is given for these images; None for a model without labels."""
        if not self.model.classes or self.dataset.labels is None:
            return None
        return torch.from_numpy(self.dataset.labels[indices])


def load_model(run: Run, dataset: Dataset, step: int | None = None) -> TrainedModel:
    """Load a run's last checkpoint, or the one kept at a step. Raises CheckpointError or ConfigError."""
    weights = load_weights(run.checkpoint_folder, step)
    trained = _trained(run, dataset, build(run.config, dataset), weights)
    return replace(trained, data_note=run.data_note(fingerprint_of(dataset), weights.step))


def load_model_without_data(run: Run, step: int | None = None) -> TrainedModel:
    """Load a run's weights alone; the data set is a stand-in with no images, but with its title and classes.

    The shape of images and the number of classes follow from the weights. Raises CheckpointError.
    """
    weights = load_weights(run.checkpoint_folder, step)
    model = _network_of(weights, run)
    return _trained(run, _stand_in(run, model), model, weights)


def load_model_as_possible(run: Run, step: int | None = None) -> tuple[TrainedModel, str]:
    """Load a run's weights with its data set, or without where that is gone; then also a sentence that says why.

    Nothing is drawn or downloaded for it. Raises CheckpointError or ConfigError.
    """
    dataset, missing = load_if_there(*run.data)
    if dataset is None:
        return load_model_without_data(run, step), missing
    return load_model(run, dataset, step), ""


def _trained(run: Run, dataset: Dataset, model: Method, weights: Weights) -> TrainedModel:
    fill(model.networks, weights, run.name)
    return TrainedModel(run, dataset, model.eval().to(torch.device("cpu")), weights.step)


def _network_of(weights: Weights, run: Run) -> Method:
    """The method whose networks' tensors have the shapes of these."""
    shapes = {name: tensor.shape for name, tensor in weights.tensors.items()}
    for image_shape, classes in _candidates(run, shapes):
        with torch.device("meta"):
            model = make(run.config, spec_for(run.config, image_shape, classes))
        if {name: tensor.shape for name, tensor in model.networks.state_dict().items()} == shapes:
            model.networks.to_empty(device="cpu")
            return model
    raise CheckpointError(
        f"The weights of {run.name} do not fit its settings: config.json or the checkpoint was changed."
    )


def _candidates(run: Run, shapes: dict[str, torch.Size]) -> list[tuple[tuple[int, int, int], int]]:
    """Shapes of images and numbers of classes that the run's networks may be for.

    Version 1.0.0 did not write them down; of its network each side of the image has other weights.
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
        names = tuple(f"class {number}" for number in range(model.classes))  # what they are called is not known
    nothing = np.empty(0, np.int64)
    return Dataset(
        name=entry.name,
        title=entry.title,
        store=ArrayStore(np.empty((0, *model.image_shape), np.uint8)),
        image_shape=model.image_shape,
        splits={"all": nothing},
        source="not there",
        labels=nothing if model.classes else None,
        label_names=names,
    )
