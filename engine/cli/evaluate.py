"""The commands `evaluate` and `score`: metrics of runs, and of representations from elsewhere."""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.cli.options import data_option, find, runs_option, threads_option, use_threads
from engine.cli.progress import answer, say, shown
from engine.cli.tables import check_output, write_table
from engine.jobs.control import Control
from engine.jobs.events import Evaluated, Imported
from engine.runs.run import Run
from engine.system.numbers import rounded_text


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add both commands."""
    evaluate = commands.add_parser("evaluate", help="compute metrics", description="Compute the metrics of runs.")
    evaluate.add_argument("runs_given", nargs="+", metavar="RUN", help="folder or name of a run")
    which = evaluate.add_mutually_exclusive_group()
    which.add_argument(
        "--metrics",
        metavar="A,B",
        help="metrics to compute (default: all but pipe and those that compare runs: "
        "udr_lasso, udr_spearman, model_centrality)",
    )
    which.add_argument(
        "--quick", action="store_true", help="a quick look: what takes seconds, with scores from a sample of images"
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

    score = commands.add_parser(
        "score",
        help="compute metrics of representations from any program",
        description="Compute metrics of the codes in .npz files: 'codes' (n, latents) with 'factors' (n, factors) or "
        "'labels' (n), and optionally factor_names, named_factors, latent_names, images and split. Files written by "
        "`latents` are read, too. Metrics that need a network have no value.",
    )
    score.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an .npz file")
    score.add_argument("--metrics", metavar="A,B", help="metrics to compute (default: all that need codes only)")
    score.add_argument("--keep", action="store_true", help="also add them to the runs, and print their folders")
    printed = score.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print JSON with protocols instead of a table")
    printed.add_argument(
        "--format", choices=["markdown", "csv", "latex", "json"], help="format of the table (default markdown)"
    )
    score.add_argument("--output", type=Path, metavar="FILE", help="file for the table (.md, .tex, .csv, .json)")
    threads_option(score)
    runs_option(score)
    score.set_defaults(do=_score)


def _evaluate(arguments: argparse.Namespace) -> int:
    from engine.evaluation.catalogue import quick_metrics
    from engine.evaluation.grouping import METHOD
    from engine.evaluation.rows import row_of
    from engine.evaluation.table import table_of
    from engine.evaluation.table_formats import FORMATS

    metrics = quick_metrics() if arguments.quick else _chosen(arguments)
    runs = [find(name, arguments) for name in arguments.runs_given]
    results = _computed(runs, metrics)
    compared = [run for run in runs if str(run.path) in {result["run"] for result in results}]
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


def _chosen(arguments: argparse.Namespace) -> list[str] | None:
    """The metrics of --metrics; None without it."""
    return [name.strip() for name in arguments.metrics.split(",")] if arguments.metrics else None


def _computed(runs: Sequence[Run], metrics: Sequence[str] | None) -> list[dict[str, Any]]:
    """Evaluate runs, and return the results of those that could be loaded, in their order."""
    from engine.evaluation.apart import evaluations

    found: dict[Path, dict[str, Any]] = {}
    for _, job in evaluations(runs, metrics):
        for event in shown(job, Control()):
            if isinstance(event, Evaluated):
                before = found.setdefault(event.run, event.result)
                before["metrics"] = before["metrics"] | event.result["metrics"]
    return [found[run.path] for run in runs if run.path in found]


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


def _score(arguments: argparse.Namespace) -> int:
    from engine.evaluation.catalogue import usual_metrics
    from engine.evaluation.reasons import method_reason
    from engine.evaluation.rows import read_row
    from engine.evaluation.table import table_of
    from engine.runs.stored_codes import import_representation

    check_output(arguments)
    use_threads(arguments)
    given = _chosen(arguments)
    with tempfile.TemporaryDirectory(prefix="disentangle-score-") as temporary:
        root = arguments.runs if arguments.keep else Path(temporary)
        runs: list[Run] = []
        for file in arguments.files:
            for event in shown(import_representation(file, root), Control()):
                if isinstance(event, Imported):
                    runs.append(Run.open(event.run))
        metrics = given or [name for name in usual_metrics() if not method_reason(runs[0].config, name)]
        results = _computed(runs, metrics)
        if arguments.json:
            named = zip(results, arguments.files, strict=True)
            answer(json.dumps([r | {"run": str(file.absolute())} for r, file in named], indent=2, ensure_ascii=False))
        else:
            rows = [replace(read_row(run), metrics=r["metrics"]) for run, r in zip(runs, results, strict=True)]
            write_table(table_of(rows).filled(), arguments)
            for line in _reasons(results):
                say(line)
        if arguments.keep:
            for run in runs:
                say(str(run.path))
    return 0
