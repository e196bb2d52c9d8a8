"""The command `gallery`: the trained models that come with the application."""

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import runs_option
from engine.cli.progress import answer, say, shown
from engine.errors import ConfigError
from engine.jobs.control import Control
from engine.jobs.events import Finished
from engine.system.paths import readable

SPEC = "gallery.toml"


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    gallery = commands.add_parser(
        "gallery",
        help="list the gallery's trained models, copy one to your runs, or make the gallery",
        description="List the trained models that come with the application, or copy one to the runs folder, where it "
        "can be resumed. For developers: build makes the models from finished runs, as gallery.toml describes; they "
        "are packed, evaluated with every usual metric, and drawn.",
    )
    gallery.add_argument("action", nargs="?", choices=["list", "copy", "build"], default="list")
    gallery.add_argument("name", nargs="?", metavar="NAME|FILE", help="a model to copy, or the file to build from")
    gallery.add_argument("--only", metavar="RUN", default="", help="build only the model made from this run")
    runs_option(gallery)
    gallery.set_defaults(do=_gallery)


def _gallery(arguments: argparse.Namespace) -> int:
    if arguments.only and arguments.action != "build":
        raise ConfigError(f"gallery {arguments.action} takes no --only.")
    return {"list": _list, "copy": _copy, "build": _build}[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from engine.gallery import read_gallery

    if arguments.name:
        raise ConfigError("gallery list takes no name.")
    models, problems = read_gallery()
    for model in models:
        values = ", ".join(f"{value.title} {value.text}" for value in model.values)
        answer(f"{model.run.path.name:<16} {model.title}. {model.story}\n{'':<16} {values}")
    for problem in problems:
        say(problem)
    return 1 if problems else 0


def _copy(arguments: argparse.Namespace) -> int:
    from engine.gallery.copying import copy_model

    if not arguments.name:
        raise ConfigError("gallery copy needs the name of a model; gallery list shows them.")
    answer(copy_model(arguments.name, arguments.runs).path)
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from engine.gallery import GALLERY
    from engine.gallery.making import build_gallery

    spec = Path(arguments.name) if arguments.name else GALLERY / SPEC
    for event in shown(build_gallery(spec, arguments.runs, spec.parent, arguments.only), Control()):
        if isinstance(event, Finished):
            say(event.message)
    answer(readable(spec.parent))
    return 0
