"""The engine of Disentangle Studio: everything that is not a window. Imports no Qt."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("disentangle-studio")
except PackageNotFoundError:  # run from a bare checkout
    __version__ = "1.0.0"
