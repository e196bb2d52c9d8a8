"""The commands `traverse`, `sweep` and `latents`."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.options import data_option, find, runs_option, threads_option
from engine.cli.progress import answer, say, shown
from engine.errors import ConfigError, DataError, StudioError
from engine.jobs.control import Control
from engine.jobs.events import Finished
from engine.system.numbers import exact_text, number, rounded_text, whole_number
from engine.system.paths import readable

if TYPE_CHECKING:
    from engine.runs.run import Run
    from engine.runs.trained import TrainedModel
    from engine.traversal import Start


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands."""
    traverse = commands.add_parser(
        "traverse",
        help="draw a latent traversal",
        description="Draw a latent traversal to a file; its extension decides: a grid as in papers (.png, .svg, .pdf), "
        "an animation (.gif) or arrays (.npz).",
    )
    _add_source(traverse)
    which = traverse.add_mutually_exclusive_group()
    which.add_argument("--latents", metavar="1,4,7", help="latents to show (default: all, by KL)")
    which.add_argument("--min-kl", type=number, metavar="X", help="show latents with at least this mean KL, in nats")
    which.add_argument(
        "--figure", type=int, choices=(2, 3, 4, 5), help="like this figure of the report: latents with significant KL"
    )
    traverse.add_argument(
        "--range",
        type=number,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="range of the latents' values (default: -3 to 3, or that of their prior; a category has its own)",
    )
    traverse.add_argument(
        "--steps", type=whole_number, help="number of values (default: 11, or the number of categories)"
    )
    traverse.add_argument(
        "--label", metavar="CLASS", help="name of the class for a conditional model (default: the image's own)"
    )
    traverse.add_argument("--no-labels", action="store_true", help="pictures only, without text and caption")
    traverse.add_argument("--width", type=number, metavar="CM", help="width of the figure in centimetres")
    traverse.add_argument("--dpi", type=whole_number, default=200, help="dots per inch (default 200)")
    traverse.add_argument("--frames", action="store_true", help="with .gif: also write its frames as .png to a folder")
    traverse.set_defaults(do=_traverse)

    sweep = commands.add_parser(
        "sweep",
        help="draw inferred against true factors",
        description="Sweep each ground-truth factor of a run's data set from a few images, and draw the posterior mean "
        "of the latent that moves most along it, to a .png, .svg or .pdf file. A latent that encodes the factor rises "
        "or falls all the way.",
    )
    sweep.add_argument("run", metavar="RUN", help="folder or name of a run")
    sweep.add_argument("--output", type=Path, required=True, metavar="FILE", help="a .png, .svg or .pdf file")
    sweep.set_defaults(do=_sweep)

    latents = commands.add_parser(
        "latents",
        help="save the latents of the complete data set",
        description="Encode all images of a run's data set, and save means, log-variances, labels and factors as .npz.",
    )
    latents.add_argument("run", metavar="RUN", help="folder or name of a run")
    latents.add_argument("--output", type=Path, required=True, metavar="FILE", help="an .npz file")
    latents.set_defaults(do=_latents)
    for command in (traverse, sweep, latents):
        command.add_argument(
            "--checkpoint",
            type=whole_number,
            metavar="STEP",
            help="use the weights kept at a step (default: the newest)",
        )
        data_option(command)
        threads_option(command)
        runs_option(command)


def _add_source(traverse: argparse.ArgumentParser) -> None:
    traverse.add_argument("run", metavar="RUN", help="folder or name of a run")
    traverse.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="a .png, .svg, .pdf, .gif or .npz file"
    )
    source = traverse.add_mutually_exclusive_group()
    source.add_argument(
        "--image", type=whole_number, metavar="INDEX", help="image to start from (default: a test image)"
    )
    source.add_argument("--input", type=Path, metavar="FILE", help="picture to start from")
    source.add_argument("--prior", action="store_true", help="start from the prior's mean; needs no data set")


def _traverse(arguments: argparse.Namespace) -> int:
    _check(arguments)
    from engine.export.summary import traversal_caption
    from engine.export.traversal import ENDINGS, Look, save_frames, save_traversal
    from engine.figures.drawing import check_format
    from engine.figures.report_figures import MIN_KL, REPORT_FIGURES
    from engine.runs.latent_names import latent_names
    from engine.traversal import choose_latents, mean_kl, traverse_from

    kind = check_format(arguments.output, ENDINGS)
    if arguments.frames and kind != "gif":
        raise ConfigError(f"--frames needs a .gif file; {arguments.output.name} is not one.")
    Look(arguments.width, arguments.dpi).check()
    latents = _numbers(arguments.latents) if arguments.latents else None
    run = find(arguments.run, arguments)
    if arguments.figure:
        REPORT_FIGURES[arguments.figure].check(run)
    least = MIN_KL if arguments.figure else arguments.min_kl
    trained, start = _start(run, arguments)
    if trained.notes:
        say(f"Note: {trained.notes}")
    if least is not None and not trained.model.has("kl"):
        raise ConfigError(f"{trained.model.lacks['kl']}; leave --min-kl out.")
    kl = mean_kl(trained)
    chosen = choose_latents(kl, latents, least)
    if not chosen:
        least_words, largest = exact_text(least), rounded_text(kl.max())
        raise StudioError(f"No latent of {run.name} has a mean KL of {least_words} nats; the largest is {largest}.")
    label = _label(trained, arguments)
    span = None if arguments.range is None else tuple(arguments.range)
    result = traverse_from(trained, start, chosen, kl, span, arguments.steps, label)
    names = latent_names(run.marks())
    caption = traversal_caption(run, start.words, result, names)
    look = Look(arguments.width, arguments.dpi, not arguments.no_labels, caption, names)
    if arguments.frames:
        save_frames(result, arguments.output.with_suffix(""), look)
    save_traversal(result, arguments.output, look)
    answer(arguments.output)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    low, high = arguments.range or (0, 1)
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        raise ConfigError(f"--range is {exact_text(low)} {exact_text(high)}; it must be two different numbers.")
    if arguments.steps is not None and not 2 <= arguments.steps <= 101:
        raise ConfigError(f"--steps is {arguments.steps}; it must be from 2 to 101.")


def _start(run: "Run", arguments: argparse.Namespace) -> "tuple[TrainedModel, Start]":
    """Load the model and the start; a picture or the prior needs no data set."""
    from engine.data import load_dataset
    from engine.data.input_pictures import fit_picture, read_picture, style_of
    from engine.evaluation.sampling import sample_of
    from engine.runs.trained import load_model, load_model_with_data_if_present, require_decoder
    from engine.traversal import start_from_image, start_from_picture, start_from_prior

    require_decoder(run)
    if arguments.prior or arguments.input is not None:
        picture = None if arguments.prior else read_picture(arguments.input)
        trained, missing = load_model_with_data_if_present(run, arguments.checkpoint)
        if missing:
            say(f"Note: without the data set, KL is as logged during training. {missing}")
        if picture is None:
            return trained, start_from_prior(trained, label=_label(trained, arguments))
        fitted = fit_picture(picture, trained.model.image_shape, style_of(run.config.dataset))
        words = f"file {readable(arguments.input.name)}"
        return trained, start_from_picture(trained, fitted, words, _label(trained, arguments))
    try:
        dataset = load_dataset(*run.data)
    except DataError as error:
        raise DataError(f"{error} With --prior or --input, the data set is not needed.") from None
    trained = load_model(run, dataset, arguments.checkpoint)
    index = arguments.image
    if index is None:
        index = int(sample_of(dataset, dataset.headline_split, 1)[0])
    return trained, start_from_image(trained, index)


def _label(trained: "TrainedModel", arguments: argparse.Namespace) -> int | None:
    """The class given by --label; None without it."""
    from engine.traversal import label_named

    return None if arguments.label is None else label_named(trained, arguments.label)


def _numbers(text: str) -> list[int]:
    try:
        return [whole_number(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--latents is {text!r}; separate the numbers by commas, e.g. 1,4,7.") from None


def _sweep(arguments: argparse.Namespace) -> int:
    from engine.export.sweeps import save_sweeps

    run = find(arguments.run, arguments)
    for event in shown(save_sweeps(run, arguments.output, arguments.checkpoint), Control()):
        if isinstance(event, Finished):
            say(event.message)
    answer(arguments.output)
    return 0


def _latents(arguments: argparse.Namespace) -> int:
    from engine.export.traversal import save_latents

    run = find(arguments.run, arguments)
    for _ in shown(save_latents(run, arguments.output, arguments.checkpoint), Control()):
        pass
    answer(arguments.output)
    return 0
