"""Evaluation as every host starts it: in this process or, if it runs code of a plug-in, in a child process."""

from collections.abc import Sequence

from engine.errors import PluginError
from engine.evaluation.catalogue import METRICS
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


def _evaluate(run: Run, metrics: Sequence[str] | None) -> Job:
    from engine.evaluation.evaluate import evaluate

    return (yield from evaluate(run, metrics))
