"""The command line: the same jobs as in the window, with a progress bar.

Progress goes to stderr, results to stdout. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted. A failure is
one line on stderr that says what to do.
"""

import argparse
import errno
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from engine import __version__
from engine.cli import cluster, export, gallery, plugins, study, traverse
from engine.cli.options import check_takes_data, data_option, find, machine_options, runs_option, threads_option
from engine.cli.progress import answer, say, shown, stop_on_interrupt
from engine.errors import ChangedError, ConfigError, OutputError, PluginError, RunError, StudioError
from engine.jobs.control import Control
from engine.jobs.events import Evaluated, Finished, Paused, Request
from engine.methods.registry import METHODS, by_supervision
from engine.runs.run import Run
from engine.settings.folders import chosen_folders, data_cache, with_remembered_data
from engine.settings.presets import quick_preset
from engine.settings.run_config import DATASET_TITLES, RunConfig, over
from engine.system.leftovers import clear_leftovers, folders_to_clear
from engine.system.numbers import plain, rounded_text, whole_number
from engine.system.plain_text import one_line
from engine.system.program import COMMAND, NAME
from engine.system.user_code import explained

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
    runs_option(resume)
    resume.set_defaults(do=_resume)

    evaluate = commands.add_parser("evaluate", help="compute metrics", description="Compute the metrics of runs.")
    evaluate.add_argument("runs_given", nargs="+", metavar="RUN", help="folder or name of a run")
    evaluate.add_argument(
        "--metrics",
        metavar="A,B",
        help="metrics to compute (default: all but pipe and those that compare runs: "
        "udr_lasso, udr_spearman, model_centrality)",
    )
    how = evaluate.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON with protocols instead of a table")
    how.add_argument("--format", choices=["markdown", "csv", "latex"], help="format of the table (default markdown)")
    evaluate.add_argument(
        "--by-method", action="store_true", help="one row per method: mean and standard deviation over its runs"
    )
    data_option(evaluate)
    threads_option(evaluate)
    runs_option(evaluate)
    evaluate.set_defaults(do=_evaluate)

    traverse.add_commands(commands)
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
    run = Run.create(arguments.runs, _config(arguments), arguments.name)
    return _train_run(run, fresh=True)


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


def _train_run(run: Run, *, fresh: bool = False, accept_changes: bool = False) -> int:
    from engine.training.apart import training

    status = 0
    with stop_on_interrupt() as control:
        try:
            for event in shown(training(run, fresh=fresh, accept_changes=accept_changes), control):
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
        return _train_run(run, accept_changes=accept)
    except ChangedError as error:
        raise RunError(f"{error} To accept this, add --accept-changes.") from None


def _evaluate(arguments: argparse.Namespace) -> int:
    from engine.evaluation.apart import evaluations
    from engine.evaluation.grouping import METHOD
    from engine.evaluation.rows import row_of
    from engine.evaluation.table import table_of
    from engine.evaluation.table_formats import FORMATS

    metrics = [name.strip() for name in arguments.metrics.split(",")] if arguments.metrics else None
    runs = [find(name, arguments) for name in arguments.runs_given]
    found: dict[Path, dict[str, Any]] = {}
    for _, job in evaluations(runs, metrics):
        for event in shown(job, Control()):
            if isinstance(event, Evaluated):
                before = found.setdefault(event.run, event.result)
                before["metrics"] = before["metrics"] | event.result["metrics"]
    compared = [run for run in runs if run.path in found]  # the others could not be loaded, as was said
    results = [found[run.path] for run in compared]
    if arguments.json:
        answer(json.dumps(results, indent=2, ensure_ascii=False))
    elif metrics and not (arguments.format or arguments.by_method):
        for result in results:
            for name, entry in result["metrics"].items():
                answer(f"{result['name']}  {name}  {_value_of(entry)}")
    else:
        rows = [
            replace(row, metrics=result["metrics"])
            for run, result in zip(compared, results, strict=True)
            if (row := row_of(run))
        ]
        table = table_of(rows, (METHOD,) if arguments.by_method else None).filled()
        answer(FORMATS[arguments.format or "markdown"](table), end="")
        for line in _reasons(results):
            say(line)
    return 0


def _value_of(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return str(entry["reason"])
    interval = entry.get("interval")
    within = f"  (95 %: {rounded_text(interval[0], 6)} to {rounded_text(interval[1], 6)})" if interval else ""
    return f"{rounded_text(entry['value'], 6)} {entry['unit']}".strip() + within


def _reasons(results: list[dict[str, Any]]) -> list[str]:
    """Reasons for missing values, each once, with its metrics."""
    lacking: dict[str, list[str]] = {}
    for result in results:
        for name, entry in result["metrics"].items():
            if entry["value"] is None and name not in lacking.setdefault(entry["reason"], []):
                lacking[entry["reason"]].append(name)
    return [f"No {', '.join(names)}: {reason}." for reason, names in lacking.items()]


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
