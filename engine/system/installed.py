"""Whether the packages are installed that some files need. Loads none of them, nor torch."""

import importlib.util
import sys
from contextlib import suppress

from engine.errors import RunError


def check_installed(what: str, *packages: str) -> None:
    """Raise RunError, saying what to do, if the first of the packages is not installed."""
    with suppress(ValueError):  # as if it were not there
        if importlib.util.find_spec(packages[0]) is not None:
            return
    several = len(packages) > 1
    need = f"{what} need the package{'s' if several else ''} {' and '.join(packages)}"
    if getattr(sys, "frozen", False):
        raise RunError(f"{what} need Python and the package {packages[0]}; this is the standalone program.")
    raise RunError(
        f"{need}, which {'are' if several else 'is'} not installed. Install {'them' if several else 'it'} with: "
        f'"{sys.executable}" -m pip install {" ".join(packages)}'
    )


def check_tensorboard() -> None:
    """Raise RunError unless TensorBoard event files can be written."""
    check_installed("TensorBoard files", "tensorboard")


def check_onnx() -> None:
    """Raise RunError unless ONNX files can be written."""
    check_installed("ONNX files", "onnx", "onnxruntime")
