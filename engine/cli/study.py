"""The command `study`: many runs, one table."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tqdm import tqdm

from engine.cli.cluster import security, tls_options
from engine.cli.options import data_option, machine_options, runs_option
from engine.cli.progress import answer, say, shown, stop_on_interrupt
from engine.cli.score_figure import check_score, draw_score, score_options
from engine.cli.tables import check_output, write_table
from engine.errors import ConfigError
from engine.jobs.control import Control, drive, last_event
from engine.jobs.events import Event, Finished, Job, Progress, Warned
from engine.system.numbers import whole_number
from engine.system.plain_text import one_line, without_invisible
from engine.system.program import COMMAND, NAME

if TYPE_CHECKING:
    from engine.studies import CellState, Study

FAILED, INTERRUPTED = 1, 130


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    study = commands.add_parser(
        "study",
        help="train and evaluate methods over seeds, and print their table",
        description="Run the remaining cells of a study (a TOML file) and print its table. Existing runs with the same "
        "settings are used. If stopped or killed, the same command continues. Without a name, list the studies.",
    )
    study.add_argument("study", nargs="?", metavar="NAME|FILE", help="name or file of a study")
    study.add_argument("--quick", action="store_true", help="use the study's quick settings")
    study.add_argument("--seeds", metavar="N", help="number of seeds, counted from 0, instead of the study's own")
    study.add_argument("--workers", metavar="N", help="number of parallel runs (default: as cores and memory allow)")
    study.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="train on the cluster of this scheduler, e.g. tcp://192.168.1.5:8786 (see `scheduler` and `worker`)",
    )
    study.add_argument("--dry-run", action="store_true", help="only print what remains and how long it will take")
    study.add_argument(
        "--format", choices=["markdown", "latex", "csv", "json"], help="format of the table (default markdown)"
    )
    study.add_argument("--output", type=Path, metavar="FILE", help="file for the table (.md, .tex, .csv, .json)")
    study.add_argument(
        "--methods-text", action="store_true", help="print a paragraph for a paper's methods section instead"
    )
    study.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="also draw a score of all runs (.png, .svg, .pdf); with --dry-run, of those evaluated so far, and nothing "
        "else",
    )
    study.add_argument(
        "--select",
        metavar="METRIC",
        help="print the folder of the best run by a metric, the last line; udr_lasso, udr_spearman and "
        "model_centrality need no factors, and compare the runs first; with --dry-run, of those evaluated so far",
    )
    score_options(study, "default: the FactorVAE score, else the study's last metric")
    data_option(study)
    machine_options(study)
    tls_options(study)
    runs_option(study)
    study.set_defaults(do=_study)


def _study(arguments: argparse.Namespace) -> int:
    from engine.studies import check_selector, load_study

    if arguments.study is None:
        return _list()
    seeds = None if arguments.seeds is None else _whole("--seeds", arguments.seeds)
    study = load_study(arguments.study, arguments.quick, seeds, data_folder=arguments.data)
    check_output(arguments)
    score = arguments.score or ("factor_vae" if "factor_vae" in study.metrics else study.metrics[-1])
    if arguments.figure is not None:
        check_score(score, arguments.figure)
        if score not in study.metrics:
            raise ConfigError(f"--score {score} is not a metric of this study: {', '.join(study.metrics)}.")
    machine = {
        "workers": None if arguments.workers is None else _whole("--workers", arguments.workers),
        "device": arguments.device or "auto",
        "threads": None if arguments.threads is None else _whole("--threads", arguments.threads),
    }
    study.cells[0].config.changed(device=machine["device"], threads=machine["threads"] or 0)  # checks their values
    if arguments.select is not None:
        check_selector(study, arguments.select)
    if arguments.dry_run and arguments.figure is None and arguments.select is None:
        return _dry_run(study, arguments, machine)
    status = 0 if arguments.dry_run else _run(study, arguments, machine)
    if status == INTERRUPTED:
        return status
    if arguments.figure is not None:
        status = _draw(study, arguments, score) or status
    return status if arguments.select is None else _select(study, arguments) or status


def _draw(study: "Study", arguments: argparse.Namespace, score: str) -> int:
    from engine.studies import study_table

    draw_score(study_table(study, arguments.runs), score, arguments.against, arguments.figure)
    answer(arguments.figure.absolute())
    return 0


def _select(study: "Study", arguments: argparse.Namespace) -> int:
    """Print the folder of the best run so far; with several kinds of supervision, the best of each."""
    from engine.evaluation.apart import comparison
    from engine.evaluation.catalogue import COMPARED
    from engine.runs.run import Run
    from engine.studies import best_runs, cell_states, selection_text, study_rows

    states = [state for state in cell_states(study, arguments.runs) if state.state == "evaluated"]
    if arguments.select in COMPARED:
        runs = [Run.open(state.run) for state in states if state.run is not None]
        for _ in shown(comparison(runs, [arguments.select]), Control()):
            pass
    rows = study_rows(study, states)
    say(selection_text(rows, arguments.select))
    chosen = best_runs(rows, arguments.select)
    for row in chosen:
        answer(row.path)
    return 0 if chosen else FAILED


def _list() -> int:
    from engine.studies import own_studies, shipped_studies
    from engine.studies.files import unreadable_studies

    for study in [*shipped_studies(), *own_studies()]:
        answer(f"{study.name:<22} {study.title}. {study.about}\n{'':<22} {study.methods_words}")
    for reason in unreadable_studies().values():
        say(f"Left out: {reason}")
    return 0


def _dry_run(study: "Study", arguments: argparse.Namespace, machine: dict[str, Any]) -> int:
    from engine.studies import StudyEstimated, cell_states, estimate_study, methods_text, state_text

    for warning in study.warnings():
        say(f"Note: {warning}")
    if arguments.methods_text:
        answer(methods_text(study, arguments.runs), end="")
        return 0
    for state in cell_states(study, arguments.runs):
        run = f" ({state.run.name})" if state.run else ""
        answer(f"{state.cell.title:<34} {state.cell.supervision:<18} {state_text(state)}{run}")
    needed = last_event(estimate_study(study, arguments.runs, **machine), StudyEstimated).needed
    if not needed.cells:
        answer("Nothing remains to be done.")
        return 0
    threads = needed.plan.threads
    how = f"{needed.plan.workers} at a time" + (
        f", {threads} thread{'s' if threads > 1 else ''} each" if threads else ""
    )
    time = "an unknown time" if needed.seconds is None else f"about {duration(needed.seconds)}"
    answer(f"{needed.cells} of {len(study.cells)} runs remain: {time}, {needed.disk / 1e6:,.0f} MB on disk; {how}.")
    return 0


def _run(study: "Study", arguments: argparse.Namespace, machine: dict[str, Any]) -> int:
    from engine.studies import (
        CellFinished,
        CellStarted,
        cell_states,
        methods_text,
        missing_cells,
        run_study,
        state_text,
        study_table,
    )

    failed: dict[str, CellState] = {}
    cluster = {"scheduler": arguments.scheduler, "security": security(arguments)}
    with stop_on_interrupt() as control:
        for event in _shown(run_study(study, arguments.runs, **machine, **cluster), control):
            if isinstance(event, Warned):
                _say(f"Note: {event.message}")
            elif isinstance(event, CellStarted):
                verb = {"trained": "evaluating", "training": "resuming" if event.state.step else "training"}
                _say(f"{event.state.cell.title}: {verb[event.state.state]} {event.state.run}")
            elif isinstance(event, CellFinished):
                _say(f"{event.state.cell.title}: {state_text(event.state)}")
                if event.state.state == "failed":
                    failed[event.state.cell.title] = event.state
            elif isinstance(event, Finished):
                _say(event.message)
                if event.stopped:
                    _say(f"Stopped; continue with: {_again(arguments)}")
                    return INTERRUPTED
    states = [failed.get(state.cell.title, state) for state in cell_states(study, arguments.runs)]
    text = methods_text(study, arguments.runs) if arguments.methods_text else None
    write_table(study_table(study, arguments.runs, states), arguments, text)
    missing = missing_cells(states)
    if missing:
        say(f"{NAME}: {' '.join(missing)} The same command tries again.")
    return FAILED if missing else 0


def _shown(job: Job, control: Control) -> Iterator[Event]:
    """Drive the job, showing its progress and the remaining time on stderr."""
    from engine.studies import StudyProgress

    bar: tqdm[NoReturn] = tqdm(
        total=1000,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
        mininterval=0.5,
        miniters=0,
        dynamic_ncols=True,
        leave=False,
        disable=None,
    )
    try:
        for event in drive(job, control):
            if isinstance(event, Progress):
                bar.total = event.total
                bar.n = event.done
                bar.set_description_str(one_line(event.what), refresh=False)
                if isinstance(event, StudyProgress):
                    left = "" if event.seconds_left is None else f", about {duration(event.seconds_left)} left"
                    bar.set_postfix_str(f"{event.cells_done} of {event.cells} runs{left}", refresh=False)
                bar.update(0)
            yield event
    finally:
        bar.close()


def _say(line: str) -> None:
    """Print a line on stderr, above the bar."""
    tqdm.write(without_invisible(line), file=sys.stderr)


def duration(seconds: float) -> str:
    """Return a duration as text, e.g. "2 h 10 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} days"


def _whole(option: str, text: str) -> int:
    try:
        return whole_number(text)
    except ValueError:
        raise ConfigError(f"{option} is {text!r}; it must be a whole number.") from None


def _again(arguments: argparse.Namespace) -> str:
    """The command that continues a study."""
    parts = [f"{COMMAND} study", str(arguments.study)]
    parts += ["--quick"] if arguments.quick else []
    options = ("seeds", "workers", "data", "device", "threads", "scheduler", "figure", "score", "select")
    for option in (*options, "tls-ca", "tls-cert", "tls-key"):
        value = getattr(arguments, option.replace("-", "_"))
        parts += [f"--{option} {value}"] if value is not None else []
    return " ".join([*parts, f"--runs {arguments.runs}"])
