"""Opening a model of the gallery for traversals: without its data set, and without encoding anything."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.evaluation.factor_links import Targets, links
from engine.gallery.models import CODES, Model, read_model
from engine.gallery.samples import read_codes, read_sample
from engine.jobs.events import Link
from engine.runs.trained import TrainedModel, load_model_on_sample

SAMPLES = "samples"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A model with the images that come with it.

    `means` are the posterior means of these images, float32 (images, latents), `kl` is the mean KL of each latent in
    nats as evaluated (NaN for a method without KL), and `links` are what latents follow among these images.
    """

    model: Model
    trained: TrainedModel
    means: NDArray[np.float32]
    kl: NDArray[np.float64]
    links: tuple[Link, ...]


def sample_path(folder: Path, sample: str) -> Path:
    """Return the file of a sample of images, given the folder of a model that is shown with it."""
    return folder.parent / SAMPLES / f"{sample}.npz"


def open_model(folder: Path, dataset: Dataset | None = None) -> Opened:
    """Open the model in a folder of the gallery; `dataset` is its sample, if that has been read already.

    Raises RunError, CheckpointError or DataError, with a sentence, if a file is damaged.
    """
    model = read_model(folder)
    if dataset is None:
        dataset = read_sample(sample_path(folder, model.sample), model.sample)
    trained = load_model_on_sample(model.run, dataset)
    latents = trained.model.latents
    means = read_codes(folder / CODES, len(dataset), latents)
    kept = model.run.evaluation().get("kl_per_latent", [])
    kl = np.array(kept if len(kept) == latents else [np.nan] * latents, np.float64)
    targets = Targets.of(dataset, np.arange(len(dataset)))
    found = () if targets is None else links(means, targets, kl.tolist(), trained.model.kinds)
    return Opened(model, trained, means, kl, found)
