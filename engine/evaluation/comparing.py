"""The comparison of several runs on the same data: metrics whose value for a run depends on the other runs."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import Fingerprint, fingerprint_of
from engine.errors import ConfigError, StudioError
from engine.evaluation import model_centrality, udr
from engine.evaluation.catalogue import COMPARED, METRICS
from engine.evaluation.correlation import vary
from engine.evaluation.evaluate import data_of, keep, load_with_key
from engine.evaluation.forward import require_finite
from engine.evaluation.results import SEED, entry, missing
from engine.evaluation.sampling import sample_of
from engine.jobs.events import Evaluated, Event, Job, Progress, Request, Warned
from engine.networks.tensors import to_images
from engine.runs.plugins_used import require_plugins
from engine.runs.run import Run
from engine.runs.trained import TrainedModel

BATCH = 64
_MADE = ("model_centrality",)
"""Metrics of images that the runs generate."""
INCOMPLETE = "it compares generated images, and one of the compared runs has no encoder or no decoder"
ALONE = "it compares runs, and no other of the evaluated runs is on the same data"


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A model with the key of its weights, its codes of the sample, (n, latents), and which latents are informative."""

    trained: TrainedModel
    key: str
    data: Fingerprint
    codes: NDArray[np.float64]
    informative: NDArray[np.bool_]

    @property
    def name(self) -> str:
        return self.trained.run.name


def compare(runs: Sequence[Run], metrics: Sequence[str]) -> Job:
    """Compute metrics of `COMPARED` for runs, each compared with the others on the same data, and store them.

    A value is stored with the names of the runs and a digest of their weights, since it holds among these only. Yields
    Warned for a run that cannot be loaded and is left out, Progress, and an Evaluated for each other run. Raises
    ConfigError for other metrics.
    """
    wanted = list(dict.fromkeys(metrics))
    if other := [name for name in wanted if name not in COMPARED]:
        raise ConfigError(f"{other[0]!r} does not compare runs. Choose from: {', '.join(COMPARED)}.")
    models: list[_Compared] = []
    for run in {run.path: run for run in runs}.values():
        try:
            models.append((yield from _encoded(run)))
        except StudioError as error:
            yield Warned(f"{run.name} is not compared: {error}")
    for data in dict.fromkeys(model.data for model in models):
        alike = [model for model in models if model.data == data]
        found: dict[str, NDArray[np.float64]] = {}
        complete = all(model.trained.model.decodes and model.trained.model.encodes for model in alike)
        if len(alike) > 1:
            for name in wanted:
                if name not in _MADE:
                    found[name] = yield from _udr(alike, name)
                elif complete:
                    found[name] = yield from _centralities(alike)
        for number, model in enumerate(alike):
            alone = ALONE if complete or len(alike) < 2 else INCOMPLETE
            entries = {name: _entry(alike, number, name, found.get(name), alone) for name in wanted}
            kept = keep(model.trained, model.key, {"metrics": entries})
            config = model.trained.run.config
            about = {"method": config.method_title, "supervision": str(config.supervision)}
            yield Evaluated(model.trained.run.path, kept | about | {"metrics": entries})


def _entry(
    models: Sequence[_Compared], number: int, name: str, values: NDArray[np.float64] | None, alone: str
) -> dict[str, Any]:
    if values is None:
        return missing(alone)
    dataset = models[number].trained.dataset
    split, column = dataset.headline_split, METRICS[name]
    n, of = len(models[number].codes), len(dataset.splits[split])
    if name in _MADE:
        split, n = "generated", model_centrality.POINTS * model_centrality.IMAGES
        of = n
    found = entry(float(values[number]), column.unit, column.protocol, split, n, of, z="mean")
    if "protocol" in found:
        digest = hashlib.sha256("".join(sorted(model.key for model in models)).encode()).hexdigest()[:16]
        found["protocol"] |= {"among": [model.name for model in models], "comparison": digest}
    return found


def _encoded(run: Run) -> Generator[Event, Request | None, _Compared]:
    """Load a run and encode the images on which runs are compared."""
    require_plugins(run.config)
    dataset, _ = yield from data_of(run, needed=True)
    assert dataset is not None
    key, trained = load_with_key(run, dataset)
    chosen = sample_of(dataset, dataset.headline_split)
    codes, kl = [], []
    with torch.inference_mode():
        for start in range(0, len(chosen), BATCH):
            posterior = trained.posterior_of(chosen[start : start + BATCH])
            codes.append(posterior.mean.double().numpy())
            if trained.model.has("kl"):
                kl.append(trained.model.kl(posterior).double().numpy())
            yield Progress(min(start + BATCH, len(chosen)), len(chosen), f"Encoding with {run.name}", "images")
    means = np.concatenate(codes)
    require_finite(trained, means)
    # The number of a category is not a quantity that could be regressed.
    informative = vary(means) & np.array([kind.quantity for kind in trained.model.kinds])
    if kl:
        informative &= np.concatenate(kl).mean(axis=0) > udr.INFORMATIVE_NATS
    return _Compared(trained, key, fingerprint_of(dataset), means, informative)


def _udr(models: Sequence[_Compared], name: str) -> Generator[Event, Request | None, NDArray[np.float64]]:
    latents = [udr.standardised(model.codes, model.informative) for model in models]
    number, pairs = len(models), np.zeros((len(models), len(models)))
    done, total = 0, number * (number - 1)
    for i, source in enumerate(latents):
        for j, target in enumerate(latents):
            if i != j:
                related = source.shape[1] and target.shape[1]
                pairs[i, j] = udr.correspondence(udr.STRENGTHS[name](source, target)) if related else 0.0
                done += 1
                yield Progress(done, total, METRICS[name].title, "pairs of runs")
    return udr.scores(pairs)


def _centralities(models: Sequence[_Compared]) -> Generator[Event, Request | None, NDArray[np.float64]]:
    number, images = len(models), model_centrality.POINTS * model_centrality.IMAGES + model_centrality.REFERENCE
    agreements, fused = np.zeros((number, number)), [model.trained.fused() for model in models]
    total = number * number * images  # the images of each run, generated once and encoded by the others
    done = 0
    for i, generator in enumerate(models):
        rng = np.random.default_rng((SEED, *generator.key.encode()))  # whatever the order of the runs
        points, reference, fixed = model_centrality.draw(generator.trained.model.kinds, rng)
        z = np.concatenate([points.reshape(-1, points.shape[2]), reference])
        codes: list[list[NDArray[np.float64]]] = [[] for _ in models]
        for start in range(0, len(z), BATCH):
            part = _generated(generator.trained, z[start : start + BATCH], rng)
            for j, other in enumerate(fused):
                if j != i:
                    with torch.inference_mode():
                        codes[j].append(other.encode(part).mean.double().numpy())
                done += len(part)
                yield Progress(done, total, f"ModelCentrality, images of {generator.name}", "images")
        for j in range(number):
            if j != i:
                found = np.concatenate(codes[j])
                require_finite(models[j].trained, found)
                of_points = found[: model_centrality.POINTS * model_centrality.IMAGES]
                shaped = of_points.reshape(model_centrality.POINTS, model_centrality.IMAGES, -1)
                agreements[i, j] = model_centrality.agreement(shaped, found[len(of_points) :], fixed)
    return model_centrality.centrality(agreements)


@torch.inference_mode()
def _generated(trained: TrainedModel, z: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Decode z, (n, latents), with random labels if the model is conditional: uint8 (n, height, width, channels)."""
    classes = trained.model.classes
    labels = torch.from_numpy(rng.integers(0, classes, len(z))) if classes else None
    return to_images(trained.logits(torch.from_numpy(z.astype(np.float32)), labels).sigmoid())
