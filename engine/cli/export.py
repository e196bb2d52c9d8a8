"""The commands `export` and `import`."""

import argparse
from pathlib import Path
from typing import Any

from engine.cli.progress import answer, say, shown
from engine.cli.score_figure import check_score, draw_score, score_options
from engine.errors import ConfigError
from engine.jobs.control import Control
from engine.jobs.events import Finished, Imported, Warned
from engine.runs.run import find_run


def add_commands(commands: "argparse._SubParsersAction[Any]") -> list[argparse.ArgumentParser]:
    """Add both commands, and return them so that shared options can be added."""
    export = commands.add_parser(
        "export",
        help="save curves or complete runs to a file",
        description="Save runs to a file; its extension decides: their curves (.png, .svg, .pdf, .csv) or the complete "
        "runs (.zip, for `import` on another machine). With --tensorboard, save event files to a folder; with --onnx, "
        "the networks; with --score, draw a metric of the runs instead of their curves.",
    )
    export.add_argument("runs_given", nargs="+", metavar="RUN", help="folder or name of a run")
    export.add_argument("--output", type=Path, required=True, metavar="FILE", help="file or folder to write")
    folders = export.add_mutually_exclusive_group()
    folders.add_argument("--tensorboard", action="store_true", help="write TensorBoard event files to a new folder")
    folders.add_argument("--onnx", action="store_true", help="write encoder and decoder as ONNX files to a new folder")
    score_options(export, "instead of curves")
    export.set_defaults(do=_export)
    imported = commands.add_parser(
        "import",
        help="import runs from a .zip",
        description="Import runs from a .zip written by `export`, and print their folders.",
    )
    imported.add_argument("file", type=Path, metavar="FILE", help="a .zip file")
    imported.set_defaults(do=_import)
    return [export, imported]


def _export(arguments: argparse.Namespace) -> int:
    from engine.export.onnx import export_onnx
    from engine.export.runs import ENDINGS, export
    from engine.export.tensorboard import write_events
    from engine.figures.drawing import check_format

    output = arguments.output.absolute()
    to_folder = write_events if arguments.tensorboard else export_onnx if arguments.onnx else None
    if to_folder is not None and output.suffix.lower().lstrip(".") in (*ENDINGS, "onnx"):
        option = "--onnx" if arguments.onnx else "--tensorboard"
        raise ConfigError(f"{output.name} is a file name; {option} writes to a folder.")
    if arguments.score is not None:
        return _export_score(arguments, output)
    if to_folder is None:
        check_format(output, ENDINGS)
    runs = [find_run(name, arguments.runs) for name in arguments.runs_given]
    for event in shown(to_folder(runs, output) if to_folder else export(runs, output), Control()):
        if isinstance(event, Finished) and arguments.onnx:
            say(event.message)
        if isinstance(event, Warned):
            say(f"Note: {event.message}")
    answer(output)
    return 0


def _export_score(arguments: argparse.Namespace, output: Path) -> int:
    from engine.evaluation.grouping import METHOD, sorted_rows
    from engine.evaluation.rows import read_row
    from engine.evaluation.table import table_of

    if arguments.tensorboard or arguments.onnx:
        raise ConfigError("--score draws a figure; leave --tensorboard and --onnx out.")
    check_score(arguments.score, output)
    rows = [read_row(find_run(name, arguments.runs)) for name in arguments.runs_given]
    draw_score(table_of(sorted_rows(rows), (METHOD,)), arguments.score, arguments.against, output)
    answer(output)
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from engine.runs.archive import read_archive

    for event in shown(read_archive(arguments.file, arguments.runs), Control()):
        if isinstance(event, Imported):
            answer(event.run)
    return 0
