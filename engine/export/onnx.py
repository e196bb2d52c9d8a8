"""Networks of runs as ONNX files, for any program: the encoder, from images to posteriors, and the decoder.

`encoder.onnx` takes images, float32 (n, channels, side, side) in 0..1, and gives mean and log_variance, each (n,
latents). `decoder.onnx` takes z, float32 (n, latents), and for a conditional model label, int64 (n,), and gives pixel
probabilities of the same shape as images. A category or code is its number, as everywhere in this application.
"""

import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ConfigError, RunError
from engine.jobs.events import Finished, Job, Progress, Warned
from engine.methods.base import Method
from engine.methods.registry import METHODS
from engine.runs.run import Run, distinct_names, new_folder
from engine.runs.trained import TrainedModel, load_model_with_data_if_present
from engine.system.files import place_folder, scratch_folder, write_bytes
from engine.system.installed import check_onnx
from engine.system.plain_text import one_line, slug

OPSET = 18
"""Version of the operators in the files."""

BATCH = 3
"""Images of the forward pass that is recorded; another number is checked."""

TOLERANCE = 1e-4
"""Largest difference between PyTorch's and ONNX Runtime's outputs, relative to the largest of them or to 1."""


def export_onnx(runs: Sequence[Run], folder: Path, step: int | None = None) -> Job:
    """Write the networks of runs to a new folder; if there are several runs, to a folder in it for each.

    Each file is computed by ONNX Runtime, where it is installed, and compared with PyTorch. Yields Progress, Warned of
    what is not checked, and Finished. Raises ConfigError if a run comes from elsewhere, CheckpointError, and RunError
    if a package is missing, or a network cannot be written or differs.
    """
    check_onnx()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already. ONNX files need a new folder: choose another name.")
    if foreign := [run.name for run in runs if METHODS[run.config.objective].untrainable]:
        raise ConfigError(f"{foreign[0]} comes from elsewhere; only networks that were trained here are exported.")
    differences: list[float | None] = []
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as temporary:
            for run, name in zip(runs, distinct_names(runs), strict=True):
                where = temporary if len(runs) == 1 else new_folder(temporary, slug(name))
                trained, _ = load_model_with_data_if_present(run, step)
                for file, network in zip(("encoder.onnx", "decoder.onnx"), _networks(trained), strict=True):
                    done = len(differences)
                    yield Progress(done, 2 * len(runs), f"Exporting {run.name}", "networks")
                    content, difference = network()
                    write_bytes(where / file, content)
                    differences.append(difference)
            place_folder(temporary, folder)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None
    known = [each for each in differences if each is not None]
    checked = len(known) == len(differences)
    if not checked:
        yield Warned("The files were not checked, since the package onnxruntime is not installed.")
    close = f", equal to PyTorch within {max(known):.0e}" if checked else ""
    yield Finished(message=f"The networks are in {folder} (ONNX, opset {OPSET}{close})")


class _Encoder(nn.Module):
    """A method's encoder, as a module."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method, self.networks = method, method.networks

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images to mean and log-variance."""
        posterior = self.method.encode(images)
        return posterior.mean, posterior.log_variance


class _Decoder(nn.Module):
    """A method's decoder, as a module."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method, self.networks = method, method.networks

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents, and class numbers if conditional, to pixel probabilities."""
        return self.method.logits(z, label).sigmoid()


Written: TypeAlias = Callable[[], tuple[bytes, float | None]]
"""Content of a file, and its difference from PyTorch; None if that cannot be computed here."""


def _networks(trained: TrainedModel) -> tuple[Written, Written]:
    """Functions that write encoder and decoder."""
    model = trained.model.to(torch.device("cpu")).eval()
    height, width, channels = model.image_shape
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((BATCH + 2, channels, height, width), generator=generator)
    rng = np.random.default_rng(0)
    drawn = np.array([[kind.draw(rng) for kind in model.kinds] for _ in range(BATCH + 2)], np.float32)
    latents: tuple[Tensor, ...] = (torch.from_numpy(drawn),)
    if model.classes:
        latents += (torch.arange(BATCH + 2) % model.classes,)
    about = {
        "run": trained.run.name,
        "method": trained.run.config.method_title,
        "step": str(trained.step),
        "latents": ", ".join(kind.prior for kind in model.kinds),
    }
    encoder, decoder = _Encoder(model).eval(), _Decoder(model).eval()
    return (
        partial(_exported, encoder, (images,), ("images",), ("mean", "log_variance"), about),
        partial(_exported, decoder, latents, ("z", "label")[: len(latents)], ("images",), about),
    )


@torch.inference_mode()
def _exported(
    network: nn.Module, inputs: tuple[Tensor, ...], names: Sequence[str], outputs: Sequence[str], about: dict[str, str]
) -> tuple[bytes, float | None]:
    import onnx

    # The exporter that records a forward pass: the newer one needs half a minute for each network and fixes the number
    # of images of some.
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            file = Path(folder) / "network.onnx"
            torch.onnx.export(
                network,
                tuple(each[:BATCH].clone() for each in inputs),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(names),
                output_names=list(outputs),
                dynamic_axes={name: {0: "n"} for name in (*names, *outputs)},
            )
            model = onnx.load(file)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        what = "encoder" if "mean" in outputs else "decoder"
        raise RunError(f"The {what} of {about['run']} cannot be written as ONNX: {one_line(lines[-1], 200)}.") from None
    for key, value in about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    written = model.SerializeToString()
    return written, _difference(written, network, inputs, about["run"])


def _difference(content: bytes, network: nn.Module, inputs: tuple[Tensor, ...], run: str) -> float | None:
    """Largest relative difference of outputs; None without ONNX Runtime. Raises RunError if it is too large."""
    try:
        import onnxruntime
    except ImportError:
        return None
    try:
        session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        given = {each.name: tensor.numpy() for each, tensor in zip(session.get_inputs(), inputs, strict=True)}
        found = session.run(None, given)
    except Exception as error:
        raise RunError(f"The exported network of {run} does not run: {one_line(str(error), 200)}.") from None
    expected = network(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    differences = [
        float(np.abs(ours - theirs.numpy()).max() / max(1.0, np.abs(theirs.numpy()).max()))
        for ours, theirs in zip(found, expected, strict=True)
    ]
    if not max(differences) <= TOLERANCE:
        raise RunError(
            f"The exported network of {run} differs from PyTorch's by {max(differences):.1e}, so it was not written."
        )
    return max(differences)
