"""The command line: the same jobs as in the window, with a progress bar.

Progress goes to stderr, results to stdout. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted. A failure is
one line on stderr that says what to do.
"""

import argparse
import errno
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from engine import __version__
from engine.cli import cluster, evaluate, export, gallery, import_model, plugins, study, traverse
from engine.cli.options import (
    check_takes_data,
    data_option,
    find,
    gpus_option,
    machine_options,
    processes_of,
    runs_option,
)
from engine.cli.progress import answer, say, shown, stop_on_interrupt
from engine.errors import ChangedError, ConfigError, OutputError, PluginError, RunError, StudioError
from engine.jobs.control import Control
from engine.jobs.events import Finished, Paused, Request
from engine.jobs.processes import termination_signals
from engine.methods.registry import METHODS, by_supervision
from engine.runs.run import Run
from engine.settings.folders import chosen_folders, data_cache, with_remembered_data
from engine.settings.presets import quick_preset
from engine.settings.run_config import DATASET_TITLES, RunConfig, over
from engine.system.leftovers import clear_leftovers, folders_to_clear
from engine.system.numbers import plain, whole_number
from engine.system.plain_text import one_line
from engine.system.program import COMMAND, NAME
from engine.system.user_code import explained
from engine.training.place import Place, place_given

INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line on stderr, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to read more, and exit."""
        words = one_line(message)
        self.exit(2, f"{self.prog}: {words[:1].upper()}{words[1:].rstrip('.')}. See {self.prog} --help.\n")


def parser() -> Parser:
    """Return the parser of the complete command line, including the window's options."""
    main = Parser(
        prog=NAME,
        description="Train models with disentangled latent spaces, watch how factors separate during training, and "
        "measure disentanglement. Without a command, open the window.",
    )
    main.add_argument("--version", action="version", version=f"Disentangle Studio {__version__}")
    main.add_argument("--theme", choices=["light", "dark", "contrast", "system"], help="colours of the window")
    main.add_argument(
        "--selftest",
        action="store_true",
        help="check that everything works on this machine: train, traverse, evaluate and save in a temporary folder",
    )
    runs_option(main)
    commands = main.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    train = commands.add_parser("train", help="train a run", description="Train a run and print its folder.")
    train.add_argument("--dataset", metavar="N", help=f"one of {', '.join(DATASET_TITLES)}")
    train.add_argument("--objective", metavar="N", help=f"the method: {_methods_in_a_line()}")
    train.add_argument(
        "--conditional", action="store_true", default=None, help="give the decoder the class label (supervised)"
    )
    length = train.add_mutually_exclusive_group()
    length.add_argument("--epochs", metavar="N", help="length in epochs (passes over the data)")
    length.add_argument("--steps", metavar="N", help="length in training steps")
    train.add_argument("--seed", metavar="S", help="random seed")
    train.add_argument("--name", help="name of the run (default: method, data set and seed)")
    train.add_argument(
        "--config", type=Path, metavar="FILE", help="start from the settings in a JSON file, e.g. a run's config.json"
    )
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="any other setting, e.g. gamma=1000, beta='0 to 4 over 20 epochs'",
    )
    data_option(train)
    machine_options(train)
    gpus_option(train)
    runs_option(train)
    train.set_defaults(do=_train)

    resume = commands.add_parser("resume", help="resume a run", description="Resume a run from its last checkpoint.")
    resume.add_argument("run", metavar="RUN", help="folder or name of a run")
    longer = resume.add_mutually_exclusive_group()
    longer.add_argument("--epochs", type=whole_number, metavar="N", help="new total length in epochs")
    longer.add_argument("--steps", type=whole_number, metavar="N", help="new total length in steps")
    resume.add_argument(
        "--accept-changes", action="store_true", help="resume even if the data or a plug-in have changed since"
    )
    data_option(resume)
    gpus_option(resume)
    runs_option(resume)
    resume.set_defaults(do=_resume)

    evaluate.add_commands(commands)
    traverse.add_commands(commands)
    import_model.add_command(commands)
    study.add_command(commands)
    cluster.add_commands(commands)
    gallery.add_command(commands)

    datasets = commands.add_parser(
        "datasets", help="list or prepare data sets", description="List data sets, or prepare one."
    )
    datasets.add_argument("action", nargs="?", choices=["prepare"])
    datasets.add_argument("dataset", nargs="?", metavar="NAME")
    data_option(datasets)
    datasets.set_defaults(do=_datasets)

    methods = commands.add_parser(
        "methods",
        help="list the methods",
        description="List the methods by what they learn from in addition to images: unsupervised, weakly supervised, "
        "supervised. Scores are only compared within each kind. A run of any method that is given class labels "
        "(--conditional) is supervised.",
    )
    methods.set_defaults(do=_methods)

    demo = commands.add_parser(
        "demo",
        help="train and evaluate the two-minute preset, without a window",
        description="Train the two-minute preset, and save curves, pictures and a table.",
    )
    demo.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the files (default: report/ in the run's folder)"
    )
    machine_options(demo)
    runs_option(demo)
    demo.set_defaults(do=_demo)
    for added in (*export.add_commands(commands), plugins.add_command(commands)):
        runs_option(added)
    return main


def commands_of(main: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands, by name."""
    for action in main._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def run_command(arguments: argparse.Namespace) -> int:
    """Execute a parsed command and return the exit status."""
    if problem := chosen_folders().problem:
        say(f"{NAME}: {problem}")
    clear_leftovers(folders_to_clear(data_cache(), arguments.runs))
    if arguments.command != "plugins":
        plugins.note_waiting()
    try:
        status = int(arguments.do(arguments))
        sys.stdout.flush()
    except ConfigError as error:
        return _fail(error, 2)
    except OutputError as error:
        return 1 if error.errno == errno.EPIPE else _fail(error, 1)  # the reader of a pipe, e.g. `head`, has finished
    except StudioError as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        return _fail(
            StudioError("There is not enough memory for this. Close other programs or take smaller batches."), 1
        )
    except Exception as error:
        if isinstance(found := explained(error), PluginError):
            return _fail(found, 1)
        raise
    return status


def _fail(error: Exception, status: int) -> int:
    say(f"{NAME}: {one_line(str(error))}")
    return status


def _train(arguments: argparse.Namespace) -> int:
    processes = processes_of(arguments)
    if (place := place_given()) is not None and place.rank:
        return _follow(place)
    run = Run.create(arguments.runs, _config(arguments), arguments.name)
    return _train_run(run, fresh=True, processes=processes, place=place)


def _follow(place: Place) -> int:
    """Take the steps of the first process that torchrun has started; that one is asked to stop, and this one ends."""
    from engine.training.following import follow
    from engine.training.team import Team

    for number in termination_signals():
        signal.signal(number, signal.SIG_IGN)
    follow(Team(place))
    return 0


def _config(arguments: argparse.Namespace) -> RunConfig:
    """Settings from --config, then the options, then --set, validated together.

    If none of them names a data folder, the remembered one of the data set is used.
    """
    values: dict[str, Any] = RunConfig.load(arguments.config).flat() if arguments.config else {}
    for field in ("dataset", "objective", "conditional", "epochs", "steps", "seed", "device", "threads"):
        given = getattr(arguments, field, None)
        if given is not None:
            values[field] = given
    if arguments.epochs is not None:
        values["steps"] = None
    if arguments.data is not None:
        values["data_folder"] = arguments.data
    for pair in arguments.set:
        field, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair} has no value; write --set {pair}=VALUE.")
        values = over(values, {field.strip(): value.strip()})
    config = RunConfig.parse(values)
    if arguments.data is not None:
        check_takes_data(config.dataset)
    return config if values.get("data_folder") == "" else with_remembered_data(config)


def _train_run(
    run: Run, *, fresh: bool = False, accept_changes: bool = False, processes: int = 1, place: Place | None = None
) -> int:
    """Train a run in this process, in several that it starts, or as the first of those that torchrun has started."""
    from engine.training.apart import leading, training

    status = 0
    if place is None:
        job = training(run, fresh=fresh, accept_changes=accept_changes, processes=processes)
    else:
        job = leading(run, place, fresh, 0, accept_changes)
    with stop_on_interrupt(once=place is None) as control:
        try:
            for event in shown(job, control):
                if isinstance(event, Paused) and event.message:
                    raise RunError(event.message)  # a command does not wait for room on the disk
                if isinstance(event, Finished) and event.stopped:
                    say(f"Stopped; resume with: {COMMAND} resume {run.path}")
                    status = INTERRUPTED
        except PluginError as error:
            if control.request is not Request.STOP:
                raise
            say(str(error))  # the second Ctrl-C ended a step that does not end
            status = INTERRUPTED
    answer(run.path)
    return status


def _resume(arguments: argparse.Namespace) -> int:
    processes = processes_of(arguments)
    if (place := place_given()) is not None and place.rank:
        return _follow(place)
    run = find(arguments.run, arguments)
    accept = arguments.accept_changes
    try:
        if arguments.epochs is not None or arguments.steps is not None:
            from engine.training.lengthening import lengthen

            lengthen(run, arguments.epochs, arguments.steps, accept_changes=accept)
        elif run.state().state == "finished":
            say(f"{run.name} has reached its full length; give a longer one with --epochs or --steps.")
            answer(run.path)
            return 0
        return _train_run(run, accept_changes=accept, processes=processes, place=place)
    except ChangedError as error:
        raise RunError(f"{error} To accept this, add --accept-changes.") from None


def _datasets(arguments: argparse.Namespace) -> int:
    from engine.data import ENTRIES, disk_used, load_prepared, prepare

    if arguments.data is not None and not arguments.action:
        raise ConfigError("--data can only be used with datasets prepare NAME.")
    if arguments.action:
        if not arguments.dataset:
            raise ConfigError("datasets prepare needs a name, e.g. datasets prepare dsprites.")
        if arguments.dataset not in ENTRIES:
            raise ConfigError(f"There is no data set {arguments.dataset!r}. Choose one of: {', '.join(ENTRIES)}.")
        if arguments.data is not None:
            check_takes_data(arguments.dataset)
        finished = [e for e in shown(prepare(arguments.dataset, arguments.data), Control()) if isinstance(e, Finished)]
        for note in load_prepared(arguments.dataset, arguments.data).notes:  # check that it can be loaded
            say(f"Note: {note}")
        for event in finished:
            answer(event.message)
        return 0
    for entry in ENTRIES.values():
        size = f"{entry.images:,} images, {' x '.join(map(str, entry.shape[:2]))}" if entry.images else "your own"
        used = disk_used(entry.name)
        state = entry.state() + (f", {used / 1e6:,.0f} MB on disk" if used else "")
        answer(f"{entry.name:<14} {size:<26} {state}\n{'':<14} {entry.description} {entry.licence}.")
    return 0


def _methods_in_a_line() -> str:
    return "; ".join(f"{label}: {', '.join(names)}" for label, names in by_supervision().items())


def _methods(arguments: argparse.Namespace) -> int:
    for label, names in by_supervision().items():
        answer(f"{label}: {label.about}")
        for name in names:
            method, origin = METHODS[name], METHODS.origin(name)
            words = method.about or method.formula
            answer(f"  {name:<18} {method.title}: {words}{f' (from {origin.words})' if origin else ''}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from engine.export.summary import write_report

    preset = quick_preset()
    changes = {name: value for name in ("device", "threads") if (value := getattr(arguments, name)) is not None}
    say(f"{preset.title}. {preset.description}")
    run = Run.create(arguments.runs, with_remembered_data(preset.config.changed(**changes)), "demo")
    status = _train_run(run, fresh=True)
    if status:
        return status
    folder = (arguments.output or run.path / "report").absolute()
    for event in shown(write_report(run, folder), Control()):
        if isinstance(event, Finished):
            say((folder / "table.md").read_text(encoding="utf-8"))
            say(event.message)
    answer(folder)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line, which may name what plug-ins provide.

    Exits with status 2 and one line on stderr if it is wrong.
    """
    made = parser()
    if commands_of(made).keys() & set(arguments) and plugins.load_plugins():  # the window loads them itself
        made = parser()  # its help lists what they provide
    parsed, unknown = made.parse_known_args([_signed(argument) for argument in arguments])
    if unknown:
        commands_of(made).get(parsed.command, made).error(f"unrecognized arguments: {' '.join(unknown)}")
    return parsed


def _signed(argument: str) -> str:
    """An argument, in which a decimal comma of a negative number becomes a point: to argparse, "-1,5" is an option."""
    return plain(argument) if re.fullmatch(r"-\d*,\d+", argument) else argument
