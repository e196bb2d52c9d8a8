"""Making the gallery: from trained runs and a file that says what is shown, to the folders of resources/gallery.

Weights are packed first and then evaluated, so that every number belongs to the weights that are shipped.
"""

import json
import shutil
import tomllib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engine.data import Dataset, load_prepared, prepare
from engine.errors import ConfigError, RunError, StudioError
from engine.evaluation.evaluate import evaluate
from engine.evaluation.factor_links import Targets, correlation_ratio, errors_avoided
from engine.evaluation.posterior_means import PosteriorMeans
from engine.gallery.models import CODES, STRIP, Model, read_model
from engine.gallery.opening import sample_path
from engine.gallery.samples import Chosen, choose_images, choose_values, read_sample, write_codes, write_sample
from engine.jobs.events import Event, Finished, Job, Progress, Request
from engine.methods.latents import Kind, Latent
from engine.runs.checkpoints import checkpoint_step, load_weights, weights_bytes
from engine.runs.divergence import is_active, latents_by_kl
from engine.runs.kept_weights import WEIGHTS
from engine.runs.packed_weights import pack
from engine.runs.previews import list_previews
from engine.runs.run import COLOURS, Run, RunState
from engine.runs.shipped import GALLERY_FILE
from engine.runs.trained import TrainedModel, load_model
from engine.system.files import place_folder, scratch_folder, write_bytes, write_json
from engine.system.reading import DamagedError, checked
from engine.traversal import decode, start_from_image
from engine.traversal.start import Start

FRAMES = 25
"""Pictures of a traversal that a card plays."""

CELLS = 4
"""Traversals on a card."""

SPANS = {Kind.GAUSSIAN: (-2.5, 2.5), Kind.UNIFORM: (-1.0, 1.0)}
"""Values of a latent that a card plays, by its kind; others take all of theirs."""

TOLD = 0.15
"""Share of a latent's variance from which a factor is named on a card."""

COMPARED = 16
"""Images from which traversals are decoded to compare packed weights with the original ones."""


LARGEST_PREVIEW = 100_000
"""Bytes up to which the last preview of a run comes with its model."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _SampleWanted(_Strict):
    """Values of each factor, or a number of images; `start` is the first image shown, by its values or position."""

    values: list[Annotated[int, Field(ge=1)]] = []
    images: Annotated[int, Field(ge=0)] = 0
    start: list[int]


class _ModelWanted(_Strict):
    run: str
    folder: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    title: str
    story: str
    numbers: list[str]
    names: dict[str, str] = {}
    """Names of latents, by number, where factors give none, and of what is given to a conditional model, by "class"."""


class _Wanted(_Strict):
    metrics: list[str] = []
    """Metrics to compute; by default all the usual ones."""
    samples: dict[str, _SampleWanted]
    models: list[_ModelWanted]


_WANTED = TypeAdapter(_Wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    dataset: Dataset
    """The data set that models are evaluated on."""

    chosen: Chosen
    images: Dataset
    """The sample as it is shipped."""

    start: int


def build_gallery(spec: Path, runs: Path, output: Path, only: str = "") -> Job:
    """Make the gallery that a file describes from runs below `runs`, or only the model made from the run `only`.

    A model whose packed weights are those already in `output` keeps what was computed of them. Yields Progress and
    Finished, whose message says the size and the largest difference of pixels. Raises ConfigError for the file,
    RunError for a run that is not there or not finished, OSError.
    """
    wanted = _read_spec(spec)
    output.mkdir(parents=True, exist_ok=True)
    known: dict[str, _Sample] = {}
    made: list[Model] = []
    for order, each in enumerate(wanted.models):
        if only and each.run != only:
            continue
        source = Run.open(runs / each.run)
        name = source.config.dataset
        if name not in wanted.samples:
            raise ConfigError(f"{spec.name} has no sample of {name}, which {each.run} needs.")
        if name not in known:
            known[name] = yield from _sample(name, wanted.samples[name], source, output)
        made.append((yield from _make(each, order, source, known[name], output, wanted.metrics)))
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    largest = max((model.largest_difference for model in made), default=0)
    yield Finished(
        message=f"Made {len(made)} models in {output}: {size / 1e6:.1f} MB. Pixels differ from those of the original "
        f"weights by at most {largest} of 255 grey levels."
    )


def _read_spec(spec: Path) -> _Wanted:
    try:
        return checked(_WANTED, tomllib.loads(spec.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, DamagedError) as error:
        raise ConfigError(f"{spec} does not describe a gallery: {error}.") from None


def _sample(name: str, wanted: _SampleWanted, run: Run, output: Path) -> Generator[Event, Request | None, _Sample]:
    for event in prepare(*run.config.data):
        if isinstance(event, Progress):
            yield event
    dataset = load_prepared(*run.data)
    chosen = choose_values(dataset, wanted.values) if wanted.values else choose_images(dataset, wanted.images)
    path = sample_path(output / name, name)
    path.parent.mkdir(exist_ok=True)
    write_sample(path, dataset, chosen)
    images = read_sample(path, name)
    start = wanted.start[0] if images.factors is None else images.factors.nearest(np.array(wanted.start))
    return _Sample(dataset, chosen, images, start)


def _make(
    wanted: _ModelWanted, order: int, source: Run, sample: _Sample, output: Path, metrics: list[str]
) -> Generator[Event, Request | None, Model]:
    """Make a model in a folder beside its place, and put it there."""
    place = output / wanted.folder
    with scratch_folder(place) as temporary:
        folder = temporary / wanted.folder
        _write_run(source, folder, wanted, order)
        original = load_model(source, sample.dataset)
        left_out = unused(original)
        _write_weights(source, folder, left_out)
        run = Run.open(folder)
        run.config = source.config  # with the folder of the data
        packed = load_model(run, sample.dataset)
        same = _same_weights(place, folder)
        if same is not None:
            shutil.copyfile(place / "evaluation.json", folder / "evaluation.json")
        yield from evaluate(run, metrics)
        _tidy_evaluation(folder, wanted.folder)
        posterior = PosteriorMeans(replace(packed, dataset=sample.images))
        yield from posterior.encode(np.arange(len(sample.images)), f"Encoding the images of {wanted.folder}")
        write_codes(folder / CODES, posterior.means)
        if same is None:
            largest, mean = yield from differences(original, packed, sample)
        else:
            largest, mean = same.largest_difference, same.mean_difference
        kl = np.array(run.evaluation().get("kl_per_latent", []) or [np.nan] * packed.model.latents)
        rows = _rows(packed, sample, kl, posterior.means, wanted.names)
        pictures = [_frames(packed, start_from_image(packed, _position(sample)), latent) for latent, _ in rows]
        _write_strip(folder / STRIP, pictures)
        _take_last_preview(folder, source)
        write_json(
            folder / GALLERY_FILE,
            {
                "order": order,
                "title": wanted.title,
                "story": wanted.story,
                "numbers": wanted.numbers,
                "sample": sample.dataset.name,
                "start": sample.start,
                "frames": FRAMES,
                "cells": [{"latent": latent, "words": words} for latent, words in rows],
                "largest_difference": largest,
                "mean_difference": round(mean, 4),
            },
        )
        read_model(folder)  # it opens
        if place.exists():
            shutil.rmtree(place)
        place.mkdir()
        place_folder(folder, place)
    return read_model(place)


def _position(sample: _Sample) -> int:
    return int(sample.chosen.positions[sample.start])


# The run


def _write_run(source: Run, folder: Path, wanted: _ModelWanted, order: int) -> None:
    """Write settings, state and marks; what belongs to the machine it was trained on is left out. Raises RunError."""
    step = checkpoint_step(source.checkpoint_folder)
    if source.state().state != "finished" or step is None:
        raise RunError(f"{source.name} is not finished, so it cannot become a model of the gallery.")
    (folder / "checkpoint").mkdir(parents=True)
    config = json.loads((source.path / "config.json").read_text(encoding="utf-8"))
    write_json(folder / "config.json", config | {"data_folder": None, "steps": step, "keep_steps": []})
    write_json(folder / "state.json", RunState("finished", step, step).values())
    names = {latent: name for latent, name in wanted.names.items() if latent.isdecimal()}
    marks = {"name": wanted.title, "colour": order % COLOURS}
    write_json(folder / "marks.json", marks | ({"latents": names} if names else {}))
    for name in ("metrics.csv", "held_out.csv", "scores.csv"):
        if (source.path / name).exists():
            shutil.copyfile(source.path / name, folder / name)


def _write_weights(source: Run, folder: Path, left_out: list[str]) -> None:
    weights = load_weights(source.checkpoint_folder)
    stored, more = pack(weights.tensors, left_out)
    metadata = {"step": str(weights.step), "trainer": weights.trainer} | more
    write_bytes(folder / "checkpoint" / WEIGHTS, weights_bytes(stored, metadata))


def unused(trained: TrainedModel) -> list[str]:
    """Return the names of the weights that neither encoding nor decoding uses, such as those of a discriminator.

    They are those without a gradient of everything that a model encodes and decodes. Buffers are kept.
    """
    model = trained.model
    image = torch.rand(2, trained.model.image_shape[2], *trained.model.image_shape[:2])
    labels = torch.zeros(2, dtype=torch.int64) if model.classes else None
    with torch.enable_grad():
        z = torch.zeros(2, model.latents)
        results = [model.logits(z, labels)]
        results += [part for part in model.encode(image) if part.requires_grad]
        total = sum((result.double().pow(2).sum() for result in results), torch.zeros(()).double())
        named = [(name, each) for name, each in model.networks.named_parameters() if each.requires_grad]
        gradients = torch.autograd.grad(total, [each for _, each in named], allow_unused=True)
    return [name for (name, _), gradient in zip(named, gradients, strict=True) if gradient is None]


def _same_weights(place: Path, folder: Path) -> Model | None:
    """Return the model that is there already if its weights are the same; None if they are not or it is damaged."""
    old, new = place / "checkpoint" / WEIGHTS, folder / "checkpoint" / WEIGHTS
    if not old.exists() or old.read_bytes() != new.read_bytes():
        return None
    try:
        return read_model(place)
    except StudioError:
        return None


def _tidy_evaluation(folder: Path, name: str) -> None:
    """Leave out where it was evaluated."""
    file = folder / "evaluation.json"
    write_json(file, json.loads(file.read_text(encoding="utf-8")) | {"run": name})


def _take_last_preview(folder: Path, source: Run) -> None:
    """Keep the last of the previews, unless it is large, and nothing that belongs to a run in training."""
    previews = list_previews(source.previews_folder)
    if previews and previews[-1].stat().st_size <= LARGEST_PREVIEW:
        (folder / "previews").mkdir()
        shutil.copyfile(previews[-1], folder / "previews" / previews[-1].name)
    for rest in (folder / "lock", folder / "heartbeat"):
        rest.unlink(missing_ok=True)


# The pictures


def _rows(
    trained: TrainedModel,
    sample: _Sample,
    kl: NDArray[np.float64],
    means: NDArray[np.float32],
    names: Mapping[str, str],
) -> list[tuple[int | None, str]]:
    """Return what a card plays: the class of a conditional model, then latents by KL, each with what it changes."""
    active = [i for i in latents_by_kl(kl) if np.isnan(kl[i]) or is_active(float(kl[i]))]
    rows: list[tuple[int | None, str]] = []
    if trained.model.classes:
        rows.append((None, names.get("class", "class")))
    for latent in map(int, active):
        factors = _factors_of(sample.images, means[:, latent], trained.model.kinds[latent])
        rows.append((latent, names.get(str(latent)) or " + ".join(factors) or f"z{latent}"))
    return rows[:CELLS]


def _factors_of(images: Dataset, codes: NDArray[np.float32], kind: Latent) -> list[str]:
    """Return the one or two factors, or the class, that explain most of a latent."""
    targets = Targets.of(images, np.arange(len(images)))
    if targets is None:
        return []
    if kind.quantity:
        shares = [correlation_ratio(codes, column) for column in targets.columns.T]
    else:
        shares = [errors_avoided(codes.astype(np.int64), column) for column in targets.columns.T]
    order = np.argsort(shares)[::-1][:2]
    return [targets.names[k] for k in order if shares[k] >= TOLD]


def _frames(trained: TrainedModel, start: Start, latent: int | None) -> NDArray[np.uint8]:
    """Return the traversal of a latent, or of the class, as so many pictures."""
    if latent is None:
        labels = np.arange(FRAMES) * trained.model.classes // FRAMES
        return decode(trained, np.tile(start.mean, (FRAMES, 1)), labels)
    kind, z = trained.model.kinds[latent], np.tile(start.mean, (FRAMES, 1))
    values = np.array(kind.values(SPANS.get(kind.kind), FRAMES))
    z[:, latent] = values[np.arange(FRAMES) * len(values) // FRAMES]
    return decode(trained, z, None if start.label is None else np.full(FRAMES, start.label))


def _write_strip(path: Path, rows: list[NDArray[np.uint8]]) -> None:
    joined = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    picture = Image.fromarray(joined[..., 0] if joined.shape[-1] == 1 else joined)
    if picture.mode == "RGB":  # in 256 colours it takes a third of the room, and looks the same at its size
        picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def differences(
    original: TrainedModel, packed: TrainedModel, sample: _Sample
) -> Generator[Event, Request | None, tuple[int, float]]:
    """Return the largest and the mean difference of pixels between traversals with both weights, in grey levels.

    Of every latent, from the codes that the original weights give to images of the sample.
    """
    chosen = np.random.default_rng(0).choice(sample.chosen.positions, min(COMPARED, len(sample.images)), replace=False)
    largest, sums = 0, []
    for number, position in enumerate(map(int, chosen)):
        start = start_from_image(original, position)
        for latent in range(original.model.latents):
            before, after = (_frames(trained, start, latent).astype(np.int16) for trained in (original, packed))
            largest = max(largest, int(np.abs(before - after).max()))
            sums.append(float(np.abs(before - after).mean()))
        yield Progress(number + 1, len(chosen), "Comparing pictures", "images")
    return largest, float(np.mean(sums))
