"""Trained networks from other programs: TorchScript, torch.export and ONNX files, and what their outputs mean.

An encoder takes images, float32 (n, channels, height, width) in a range of values, and gives mean and log-variance of
each latent in one of `LAYOUTS`; a decoder takes latents, float32 (n, latents), and gives images in the same range, or
logits.

TorchScript and torch.export files are programs, executed when they are loaded: only what the user has allowed is.
ONNX files are data; those that keep weights in other files are refused.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ConfigError, RunError
from engine.networks.foreign_files import (
    INTERLEAVED,
    JOINED,
    LOGITS,
    MEAN,
    PAIR,
    PIXELS,
    RANGES,
    Known,
    is_program,
)
from engine.system.installed import check_installed
from engine.system.plain_text import one_line

POINT = -20.0
"""Log-variance of an encoder that gives a mean only, whose posterior is a point."""

NEAR = 1e-6
"""Distance of a decoder's pixels from black and white, where their logits would be infinite."""


def open_network(content: bytes, name: str) -> nn.Module:
    """Load a network, which executes a program. Raises ConfigError with the file's name if that fails."""
    if not is_program(name):
        return OnnxNetwork(content, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, but many networks are kept in it
            if Path(name).suffix.lower() == ".pt2":
                exported: nn.Module = torch.export.load(io.BytesIO(content)).module()
                return _Guarded(exported, name)
            return _Guarded(torch.jit.load(io.BytesIO(content), map_location="cpu").eval(), name)
    except Exception as error:
        if content[:2] == b"PK" and b"data.pkl" in content and b"code/" not in content:
            raise ConfigError(
                f"{name} holds weights or a pickled model, not a TorchScript program. Save it with "
                "torch.jit.trace(model.eval(), images).save(FILE), or export it as ONNX."
            ) from None
        raise ConfigError(f"{name} cannot be loaded: {_reason(error)}.") from None


class _Guarded(nn.Module):
    """A network whose errors name its file."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, given: Tensor) -> Any:
        """Return what the network gives. Raises RunError if it cannot take the input."""
        try:
            return self.network(given)
        except Exception as error:
            raise _failed(self.name, given, error) from None


class OnnxNetwork(nn.Module):
    """A network in an ONNX file, computed by onnxruntime on the CPU."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__()
        self.name = name
        check_installed(f"{name} is an ONNX file; networks in ONNX files", "onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            # From memory, so that it cannot name other files.
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            words = _reason(error)
            if "external" in words.lower():
                words = "it keeps its weights in another file; save it as a single file"
            raise ConfigError(f"{name} cannot be loaded: {words}.") from None
        self._input = self._session.get_inputs()[0]
        self.least = 1
        """The number of images that it takes at a time, if that is fixed; else 1."""
        first = self._input.shape[0] if self._input.shape else None
        self.fixed = first if isinstance(first, int) and first > 0 else None

    def __deepcopy__(self, memo: dict[int, Any]) -> "OnnxNetwork":
        """Return itself: a session keeps no state."""
        return self

    def forward(self, given: Tensor) -> Any:
        """Return its outputs, on the device of the input. Raises RunError if it cannot take the input."""
        kinds = {"tensor(double)": np.float64, "tensor(float16)": np.float16}
        values = given.detach().cpu().contiguous().numpy().astype(kinds.get(self._input.type, np.float32))
        try:
            parts = [self._run(part) for part in self._parts(values)]
        except Exception as error:
            raise _failed(self.name, given, error) from None
        found = [np.concatenate(each)[: len(values)] for each in zip(*parts, strict=True)]
        outputs = tuple(torch.from_numpy(np.asarray(each, np.float32)).to(given.device) for each in found)
        return outputs[0] if len(outputs) == 1 else outputs

    def _parts(self, values: np.ndarray) -> list[np.ndarray]:
        """Batches of the size that the network takes, the last one filled up with copies of its last image."""
        if self.fixed is None or len(values) == self.fixed:
            return [values]
        filled = np.concatenate([values, np.repeat(values[-1:], -len(values) % self.fixed, axis=0)])
        return list(filled.reshape(-1, self.fixed, *values.shape[1:]))

    def _run(self, part: np.ndarray) -> list[np.ndarray]:
        found: list[np.ndarray] = self._session.run(None, {self._input.name: part})
        return found


def _failed(name: str, given: Tensor, error: Exception) -> RunError:
    return RunError(f"{name} cannot take an input of shape {tuple(given.shape)}: {_reason(error)}.")


def _reason(error: Exception) -> str:
    """The last line of an error message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line((lines or [type(error).__name__])[-1], 200).rstrip(".")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the outputs of networks are read: layout of the encoder's, kind of the decoder's, range of pixel values."""

    layout: str = PAIR
    decoded: str = PIXELS
    values: str = "0..1"

    @property
    def gives_variance(self) -> bool:
        """Whether the encoder gives log-variances."""
        return self.layout != MEAN

    def scaled(self, images: Tensor) -> Tensor:
        """Return images in 0..1 in the range of the networks."""
        low, high = RANGES[self.values]
        return images if (low, high) == (0, 1) else images * (high - low) + low

    def posterior(self, output: Any, name: str) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (n, latents), from an encoder's output. Raises RunError."""
        tensors = tensors_in(output)
        if not tensors:
            raise RunError(f"{name} gives nothing that could be a mean.")
        first = tensors[0].float()
        if self.layout == MEAN:
            mean = _flat(first)
            return mean, torch.full_like(mean, POINT)
        if self.layout == PAIR:
            if len(tensors) < 2 or _flat(first).shape != _flat(tensors[1]).shape:
                raise RunError(
                    f"{name} gives {shapes_words(tensors)}, not a mean and a log-variance of the same shape."
                )
            return _flat(first), _flat(tensors[1].float())
        flat = _flat(first)
        if flat.shape[1] % 2:
            raise RunError(f"{name} gives {flat.shape[1]} numbers, which cannot be as many means as log-variances.")
        if self.layout == JOINED:
            mean, log_variance = flat.chunk(2, dim=1)
        else:
            mean, log_variance = flat.view(len(flat), -1, 2).unbind(-1)
        return mean.contiguous(), log_variance.contiguous()

    def logits(self, output: Any, name: str, image_shape: tuple[int, int, int]) -> Tensor:
        """Return logits (n, channels, height, width) from a decoder's output. Raises RunError."""
        height, width, channels = image_shape
        tensors = tensors_in(output)
        if not tensors or tensors[0].numel() != len(tensors[0]) * height * width * channels:
            found = shapes_words(tensors)
            raise RunError(f"{name} gives {found}, not images of {height} × {width} with {channels} channels.")
        images = tensors[0].float().reshape(-1, channels, height, width)
        if self.decoded == LOGITS:
            return images
        low, high = RANGES[self.values]
        return ((images - low) / (high - low)).clamp(NEAR, 1 - NEAR).logit()


def _flat(tensor: Tensor) -> Tensor:
    return tensor.reshape(len(tensor), -1)


def tensors_in(output: Any) -> list[Tensor]:
    """Return the tensors of a network's output, in order, from whatever tuples, lists and dicts they are in."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        output = list(output.values())
    return [each for part in output for each in tensors_in(part)] if isinstance(output, list | tuple) else []


def shapes_words(tensors: Sequence[Tensor]) -> str:
    """Return the shapes of tensors in words, e.g. "(2, 10) and (2, 10)"."""
    return " and ".join(str(tuple(each.shape)) for each in tensors) or "nothing"


@dataclass(frozen=True, slots=True)
class Detected:
    """What a forward pass has shown: number of latents, how to read the outputs, and how that was decided."""

    latents: int
    reading: Reading
    notes: tuple[str, ...]


@torch.inference_mode()
def detect(
    encoder: nn.Module, decoder: nn.Module | None, names: tuple[str, str], images: Tensor, known: Known
) -> Detected:
    """Find how to read the outputs of networks, from those for some images, float32 (n, channels, h, w) in 0..1.

    Of several possible readings, that with the smallest error of reconstructions is chosen, or the most usual one. What
    is `known` is only checked. Raises RunError if the networks do not fit the images or each other.
    """
    shape = (images.shape[2], images.shape[3], images.shape[1])
    best: tuple[float, Detected] | None = None
    problem: RunError | None = None
    for values in [known.values] if known.values else ["0..1", "-1..1"]:
        try:
            output = encoder(Reading(values=values).scaled(images))
        except RunError as error:
            problem = problem or error
            continue
        found = tensors_in(output)
        for layout in [known.layout] if known.layout else _layouts(found):
            reading = Reading(layout, known.decoded or PIXELS, values)
            try:
                mean, log_variance = reading.posterior(output, names[0])
                if len(mean) != len(images):
                    raise RunError(f"{names[0]} gives {len(mean)} codes of {len(images)} images.")
                if not (mean.isfinite().all() and log_variance.isfinite().all()):
                    raise RunError(f"{names[0]} gives values that are not finite numbers.")
                error_of, reading = 0.0, reading
                if decoder is not None:
                    error_of, reading = _decoded(decoder, names[1], mean, images, reading, shape, known)
            except RunError as error:
                problem = problem or error
                continue
            if best is None or error_of < best[0] - 1e-9:
                notes = _notes(found, reading, known, decodes=decoder is not None)
                best = error_of, Detected(mean.shape[1], reading, notes)
    if best is None:
        raise problem or RunError(f"{names[0]} gives nothing that could be a mean.")
    return best[1]


def _layouts(found: Sequence[Tensor]) -> list[str]:
    """The layouts that an encoder's output may have, the most usual first."""
    if len(found) > 1 and found[0].shape == found[1].shape and found[0].ndim >= 2:
        return [PAIR]
    if found and found[0].ndim == 3 and found[0].shape[-1] == 2:
        return [INTERLEAVED, MEAN]
    return [MEAN, JOINED, INTERLEAVED]


def _decoded(
    decoder: nn.Module,
    name: str,
    mean: Tensor,
    images: Tensor,
    reading: Reading,
    shape: tuple[int, int, int],
    known: Known,
) -> tuple[float, Reading]:
    """Squared error of reconstructions, and the reading with what the decoder gives."""
    output = decoder(mean)
    if not known.decoded:
        pixels = torch.cat([each.float().reshape(-1) for each in tensors_in(output)[:1]] or [torch.zeros(1)])
        low, high = RANGES[reading.values]
        within = bool(pixels.min() >= low - 1e-3) and bool(pixels.max() <= high + 1e-3)
        reading = Reading(reading.layout, PIXELS if within else LOGITS, reading.values)
    logits = reading.logits(output, name, shape)
    return float(((logits.sigmoid() - images) ** 2).mean()), reading


def _notes(found: Sequence[Tensor], reading: Reading, known: Known, *, decodes: bool) -> tuple[str, ...]:
    """Sentences on what was assumed, not seen."""
    if known.layout or len(found) != 1:
        return ()
    if decodes and reading.gives_variance:
        return ("How the encoder's output is read was chosen by the error of reconstructions.",)
    if not decodes and reading.layout == MEAN:
        return ("The encoder's output is taken as the mean: nothing tells whether it also holds log-variances.",)
    return ()
