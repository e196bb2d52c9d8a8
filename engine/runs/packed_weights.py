"""Packed weights: rounded and compressed, for models that come with the application and must be small.

Each row of a matrix or convolution, i.e. the weights of one output, is rounded to whole multiples of a step: its root
mean square divided by `FINE`. The multiples are compressed by zlib in two parts, low bytes and high bytes, since high
bytes are nearly all 0. A weight takes a little under one byte. Vectors (biases, normalisation) are not rounded.

In the safetensors file, a packed tensor is one of bytes under its name, beside the steps of its rows (half precision)
under its name and `STEPS`; the metadata name the shapes.
"""

import json
import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engine.runs.kept_weights import MAX_WEIGHTS_BYTES

FINE = 32
"""Steps in the root mean square of a row: rounding errors are then about 1 % of it."""

PACKED, LEFT_OUT = "packed", "left_out"
"""Keys of the metadata: shapes of the packed tensors by name, and names of tensors that are not stored; both as JSON.

A file may leave tensors out without packing the others.
"""

STEPS = "/steps"
LOW = 256


def pack(tensors: Mapping[str, Tensor], left_out: list[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return what is stored of these tensors, and the metadata to read it; `left_out` are not stored."""
    stored: dict[str, Tensor] = {}
    shapes: dict[str, list[int]] = {}
    for name, tensor in tensors.items():
        if name in left_out:
            continue
        if tensor.ndim < 2 or not tensor.is_floating_point():
            stored[name] = tensor.contiguous()
            continue
        shapes[name] = list(tensor.shape)
        rows = tensor.detach().float().flatten(1)
        steps = (rows.pow(2).mean(1).sqrt() / FINE).clamp(min=2**-14).half()
        multiples = (rows / steps.float()[:, None]).round().clamp(-(2**15), 2**15 - 1).to(torch.int16).numpy()
        low = multiples.astype(np.int8)
        high = ((multiples.astype(np.int32) - low) // LOW).astype(np.int8)
        content = zlib.compress(low.tobytes() + high.tobytes(), 9)
        stored[name] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        stored[name + STEPS] = steps
    return stored, {PACKED: json.dumps(shapes), LEFT_OUT: json.dumps(left_out)}


def unpack(stored: dict[str, Tensor], metadata: Mapping[str, str]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors of a file, and the names of those that it leaves out; a file that is not packed, unchanged.

    Raises ValueError if they are damaged.
    """
    if LEFT_OUT not in metadata:
        return stored, ()
    shapes, left_out = json.loads(metadata.get(PACKED, "{}")), json.loads(metadata[LEFT_OUT])
    if not isinstance(shapes, dict) or not isinstance(left_out, list):
        raise ValueError("the shapes of the packed tensors are missing")
    tensors = {name: t for name, t in stored.items() if name not in shapes and not name.endswith(STEPS)}
    for name, shape in shapes.items():
        tensors[name] = _unpacked(stored.get(name), stored.get(name + STEPS), shape)
    return tensors, tuple(str(name) for name in left_out)


def _unpacked(content: Tensor | None, steps: Tensor | None, shape: object) -> Tensor:
    if not (isinstance(shape, list) and len(shape) > 1 and all(type(n) is int and n > 0 for n in shape)):
        raise ValueError("a packed tensor has no shape")
    size = math.prod(shape)
    if content is None or steps is None or tuple(steps.shape) != (shape[0],) or 4 * size > MAX_WEIGHTS_BYTES:
        raise ValueError("a packed tensor is incomplete")
    reader = zlib.decompressobj()
    try:
        bytes_ = reader.decompress(content.numpy().tobytes(), 2 * size)  # no more than the shape needs
    except zlib.error:
        raise ValueError("a packed tensor cannot be read") from None
    if len(bytes_) != 2 * size or not reader.eof:
        raise ValueError("a packed tensor is incomplete")
    low, high = np.frombuffer(bytes_, np.int8).reshape(2, shape[0], -1).astype(np.float32)
    return (torch.from_numpy(low + LOW * high) * steps.float()[:, None]).reshape(shape)
