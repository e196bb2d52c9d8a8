"""Tables on stdout or in a file, as --format and --output of several commands say."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.progress import answer
from engine.errors import ConfigError, RunError
from engine.system.files import write_bytes

if TYPE_CHECKING:
    from engine.evaluation.table import Table


def check_output(arguments: argparse.Namespace) -> None:
    """Raise ConfigError if --output has an extension that names no format, and --format is not given."""
    if not getattr(arguments, "methods_text", False):
        _format(arguments)


def write_table(table: "Table", arguments: argparse.Namespace, text: str | None = None) -> None:
    """Print a table, or a text instead, or write it to the file of --output and print its path. Raises RunError."""
    content = _format(arguments)(table) if text is None else text
    output: Path | None = arguments.output
    if output is None:
        answer(content, end="")
        return
    try:
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        write_bytes(output, content.encode())
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror or error}.") from None
    answer(output.absolute())


def _format(arguments: argparse.Namespace) -> "Callable[[Table], str]":
    """The function that renders the table."""
    from engine.evaluation.table_formats import ENDINGS, FORMATS

    output: Path | None = arguments.output
    if output is None or arguments.format:
        return FORMATS[arguments.format or "markdown"]
    ending = output.suffix.lower().lstrip(".")
    if ending not in ENDINGS:
        raise ConfigError(f"--output ends in {output.suffix or 'nothing'!r}; use .{', .'.join(ENDINGS)} or --format.")
    return ENDINGS[ending]
