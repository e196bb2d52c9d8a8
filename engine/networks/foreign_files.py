"""Files of trained networks from other programs: their kinds, and words for how their outputs are read. Loads no torch.

TorchScript and torch.export files are programs, executed when they are loaded; ONNX files are data.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.system.plain_text import one_line
from engine.system.reading import MB, DamagedError, read_limited, reason_of

PROGRAMS, DATA = (".pt", ".ts", ".pth", ".pt2"), (".onnx",)
"""Endings of files that are executed when loaded, and of those that are not."""

MOST_BYTES = 1000 * MB

MEAN, PAIR, JOINED, INTERLEAVED = "mean", "pair", "joined", "interleaved"
LAYOUTS = {
    MEAN: "mean",
    PAIR: "mean and log-variance, two outputs",
    JOINED: "means, then log-variances",
    INTERLEAVED: "mean, log-variance, mean, …",
}
"""How an encoder's output holds mean and log-variance."""

PIXELS, LOGITS = "pixels", "logits"
DECODED = {PIXELS: "pixels", LOGITS: "logits of pixels"}
"""What a decoder gives."""

RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}
"""Ranges of the values of pixels, black to white."""


@dataclass(frozen=True, slots=True)
class Known:
    """How outputs are read, as far as it is known; None for what is to be found by a forward pass."""

    layout: str | None = None
    decoded: str | None = None
    values: str | None = None


ANYTHING = Known()


def is_program(name: str) -> bool:
    """Return whether a file of this name is executed when loaded. Raises ConfigError for a file of another kind."""
    ending = Path(name).suffix.lower()
    if ending not in (*PROGRAMS, *DATA):
        raise ConfigError(f"{one_line(name)} is no network: use a TorchScript file (.pt, .ts), .pt2 or an ONNX file.")
    return ending in PROGRAMS


def read_network(path: Path) -> bytes:
    """Return the content of a network's file. Raises ConfigError if it cannot be read or is of another kind."""
    is_program(path.name)
    try:
        return read_limited(path, MOST_BYTES)
    except (OSError, DamagedError) as error:
        raise ConfigError(f"{path} {reason_of(error)}.") from None
