"""Evaluation as every host starts it: in this process or, if it runs code of a plug-in, in a child process."""

from collections.abc import Iterator, Sequence

from engine.errors import PluginError
from engine.evaluation.catalogue import COMPARED, METRICS
from engine.jobs.events import Job
from engine.jobs.workers import apart
from engine.runs.plugins_used import names_of
from engine.runs.run import Run


def evaluation(run: Run, metrics: Sequence[str] | None = None) -> Job:
    """Compute a run's metrics like `engine.evaluation.evaluate.evaluate`.

    If the run or a metric uses a plug-in, this is done in a child process, which ends at once when the job is closed. A
    crash there raises PluginError; the values computed so far are kept.
    """
    own = dict.fromkeys(origin.plugin for name in metrics or METRICS if (origin := METRICS.origin(name)))
    who = names_of(run.config) or " or ".join(own)
    if not who:
        yield from _evaluate(run, metrics)
        return
    try:
        yield from apart(who, _evaluate, run, metrics, saves=False)
    except PluginError as error:
        raise PluginError(f"{error} The values computed so far are kept.") from None


def comparison(runs: Sequence[Run], metrics: Sequence[str]) -> Job:
    """Compare runs like `engine.evaluation.comparing.compare`.

    If any of them uses a plug-in, this is done in a child process, as by `evaluation`.
    """
    who = " or ".join(dict.fromkeys(filter(None, (names_of(run.config) for run in runs))))
    if not who:
        yield from _compare(runs, metrics)
        return
    yield from apart(who, _compare, tuple(runs), metrics, saves=False)


def evaluations(runs: Sequence[Run], metrics: Sequence[str] | None = None) -> Iterator[tuple[Run | None, Job]]:
    """Return the jobs that evaluate several runs: one for each, then one that compares them, without a run."""
    own = None if metrics is None else [name for name in metrics if name not in COMPARED]
    if own is None or own:
        for run in runs:
            yield run, evaluation(run, own)
    if metrics is not None and (compared := [name for name in metrics if name in COMPARED]):
        yield None, comparison(runs, compared)


def _compare(runs: Sequence[Run], metrics: Sequence[str]) -> Job:
    from engine.evaluation.comparing import compare

    return (yield from compare(runs, metrics))


def _evaluate(run: Run, metrics: Sequence[str] | None) -> Job:
    from engine.evaluation.evaluate import evaluate

    return (yield from evaluate(run, metrics))
