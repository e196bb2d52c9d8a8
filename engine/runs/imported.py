"""Networks from elsewhere, kept as runs: their files lie in the run's folder, and how they are read in its settings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.data import check_data, load_prepared, prepare
from engine.data.dataset import Dataset
from engine.errors import ConfigError, RunError
from engine.jobs.events import Finished, Imported, Job, Progress, Warned
from engine.methods.imported import DECODER, ENCODER, file_in, name_of
from engine.networks.foreign import Detected, detect, open_network
from engine.networks.foreign_files import ANYTHING, Known, is_program, read_network
from engine.networks.tensors import to_tensor
from engine.runs.checkpoints import weights_bytes
from engine.runs.kept_weights import WEIGHTS
from engine.runs.run import Run, RunState
from engine.settings.run_config import DATASET_TITLES, RunConfig
from engine.system.consent import Consent
from engine.system.files import write_bytes
from engine.system.paths import plugins_file, readable
from engine.system.plain_text import one_line

IMAGES = 16
"""Images of a forward pass that shows what networks give."""


@dataclass(frozen=True, slots=True)
class GivenNetworks:
    """Files of networks, and the data set that they take images of.

    What is not `known` about how the outputs are read is found by a forward pass.
    """

    encoder: Path
    decoder: Path | None
    dataset: str
    data_folder: Path | None = None
    known: Known = ANYTHING

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, the encoder first."""
        return (self.encoder,) if self.decoder is None else (self.encoder, self.decoder)

    @property
    def programs(self) -> list[Path]:
        """The files that are executed when they are loaded. Raises ConfigError for other kinds of files."""
        return [path for path in self.files if is_program(path.name)]


def programs_to_allow(files: Sequence[Path]) -> list[Path]:
    """Return those of the files that would be executed and are not allowed yet. Raises ConfigError."""
    answers = Consent(plugins_file()).read()
    programs = [path for path in files if is_program(path.name)]
    return [path for path in programs if answers.answer(_digest(read_network(path))) != "allowed"]


def allow_programs(files: Sequence[Path]) -> None:
    """Allow files to be executed, in their present version. Raises ConfigError or PluginError."""
    for path in files:
        Consent(plugins_file()).give(_digest(read_network(path)), path.name, "allowed")


def programs_of(run: Run) -> list[Path]:
    """Return the files of a run's networks that would be executed and are not allowed yet; empty for other runs."""
    own = run.config.method
    if not hasattr(own, "encoder_digest"):
        return []
    named = ((ENCODER, own.encoder), (DECODER, own.decoder))
    files = [file_in(run.checkpoint_folder, part, name) for part, name in named if name]
    return programs_to_allow([path for path in files if path.is_file()])


def detected(given: GivenNetworks, dataset: Dataset) -> Detected:
    """Find or check how the outputs of networks are read. Raises ConfigError, PluginError or RunError."""
    if refused := programs_to_allow(given.files):
        raise ConfigError(
            f"{refused[0].name} is a program, which would be executed when it is loaded: a TorchScript file can do all "
            "that you can do on this machine. Allow it first (--allow on the command line)."
        )
    networks: list[nn.Module] = [open_network(read_network(path), path.name) for path in given.files]
    chosen = np.unique(np.linspace(0, len(dataset) - 1, IMAGES).astype(np.int64))
    names = (given.encoder.name, "" if given.decoder is None else given.decoder.name)
    decoder = networks[1] if given.decoder is not None else None
    return detect(networks[0], decoder, names, to_tensor(dataset.images(chosen)).contiguous(), given.known)


def import_networks(given: GivenNetworks, root: Path, name: str | None = None) -> Job:
    """Keep networks as a run below `root`. Yields Progress, Warned of assumptions, Imported, and Finished.

    Raises ConfigError, DataError, PluginError or RunError if the files do not fit the images or each other.
    """
    if given.dataset not in DATASET_TITLES:
        raise ConfigError(f"There is no data set {given.dataset!r}. Choose one of: {', '.join(DATASET_TITLES)}.")
    check_data(given.dataset, given.data_folder)
    config = RunConfig(dataset=given.dataset, data_folder=given.data_folder)
    for event in prepare(*config.data):
        if isinstance(event, Progress):
            yield event
    dataset = load_prepared(*config.data)
    yield Progress(0, 1, f"Trying {readable(given.encoder.name)}", "networks")
    found = detected(given, dataset)
    contents = [read_network(path) for path in given.files]
    for note in found.notes:
        yield Warned(note)
    reading = found.reading
    own = {
        "encoder": one_line(readable(given.encoder.name), 300),
        "encoder_digest": _digest(contents[0]),
        "layout": reading.layout,
        "decoded": reading.decoded,
        "values": reading.values,
    }
    if given.decoder is not None:
        decoder = one_line(readable(given.decoder.name), 300)
        own |= {"decoder": decoder, "decoder_digest": _digest(contents[1])}
    objective = name_of(decodes=given.decoder is not None, variance=reading.gives_variance)
    config = RunConfig.parse(
        {"objective": objective, "dataset": given.dataset, "data_folder": given.data_folder, "latents": found.latents}
        | own
    )
    run = Run.create(root, config, name or given.encoder.stem)
    try:
        run.checkpoint_folder.mkdir(exist_ok=True)
        for part, path, content in zip((ENCODER, DECODER), given.files, contents, strict=False):
            write_bytes(file_in(run.checkpoint_folder, part, path.name), content)
        # This file takes the place of weights: metrics belong to its digest.
        digests = torch.tensor([list(hashlib.sha256(content).digest()) for content in contents], dtype=torch.uint8)
        step = {"step": "0", "trainer": "trainer-0.pt"}
        write_bytes(run.checkpoint_folder / WEIGHTS, weights_bytes({"files": digests}, step))
        run.record_shape(dataset.image_shape, 0)
        run.write_state(RunState("finished", message=f"Imported from {own['encoder']}; it was not trained here."))
    except OSError as error:
        run.discard()
        raise RunError(f"{run.path} cannot be written: {error.strerror or error}.") from None
    yield Imported(run.path)
    yield Finished(run.path, message=f"Imported {run.name}: {config.method_title}, {found.latents} latents")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
