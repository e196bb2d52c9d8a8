"""Training as every host starts it: in this process, in a child process if it runs code of a plug-in, or in several.

In a child process, a step that never ends, a crash or an exit costs the run and nothing else. The run folder and its
numbers are the same.
"""

import tempfile
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import PluginError, RunError
from engine.jobs.events import Idle, Job, Request, Unanswered
from engine.jobs.workers import apart
from engine.runs.kept_weights import weights_step
from engine.runs.plugins_used import names_of
from engine.runs.run import Run
from engine.system.files import scratch_folder
from engine.training.place import Place

if TYPE_CHECKING:
    from engine.training.team import Team


def training(run: Run, *, fresh: bool = False, more: int = 0, accept_changes: bool = False, processes: int = 1) -> Job:
    """Train a run like `engine.training.trainer.train`, first lengthening it by `more` steps or epochs, if any.

    With several `processes`, they take each step together, each on a GPU of its own unless the run's device is the CPU.

    A run that uses plug-ins, or several processes, is trained in child processes; it then also yields Idle and
    Unanswered; `Request.END` ends it. After a crash or such an end the run has failed and keeps its last checkpoint;
    PluginError is raised, or RunError without plug-ins.
    """
    names = names_of(run.config)
    if processes > 1:
        yield from _together(run, names, fresh, more, accept_changes, processes)
    elif names:
        yield from _with_what_is_kept(apart(names, _training, run, fresh, more, accept_changes), run)
    else:
        yield from _training(run, fresh, more, accept_changes)


def _together(run: Run, names: str, fresh: bool, more: int, accept_changes: bool, processes: int) -> Job:
    """Train in several child processes, the first of which holds the run."""
    from engine.training.team import check_processes

    check_processes(processes, str(run.resolved.get("device", run.config.device)))
    with scratch_folder(Path(tempfile.gettempdir()) / "studio-meeting") as folder:
        first, *others = (Place(number, processes, number, folder / "meeting") for number in range(processes))
        who, beside = names or f"One of the {processes} processes", [(_following, place) for place in others]
        job = apart(who, leading, run, first, fresh, more, accept_changes, beside=beside)
        try:
            yield from _with_what_is_kept(job, run)
        except PluginError as error:
            if names:
                raise
            words, kept = str(error), kept_words(run)
            raise RunError(words if kept in words else f"{words} {kept}") from None


def _with_what_is_kept(job: Job, run: Run) -> Job:
    """Pass a job in child processes through; add which checkpoint is kept to what is said about their end."""
    request: Request | None = None
    try:
        with closing(job):
            while True:
                event = job.send(request)
                if isinstance(event, Unanswered) and event.message:
                    event = Unanswered(f"{event.message} {kept_words(run)}")
                request = yield event
    except StopIteration:
        return
    except PluginError as error:
        raise PluginError(note_end(run, str(error))) from None


def _training(run: Run, fresh: bool, more: int, accept_changes: bool, team: "Team | None" = None) -> Job:
    from engine.training.lengthening import lengthen_by
    from engine.training.trainer import train

    if more:
        lengthen_by(run, more, accept_changes=accept_changes)
    return (yield from train(run, fresh=fresh, accept_changes=accept_changes, team=team))


def leading(run: Run, place: Place, fresh: bool = False, more: int = 0, accept_changes: bool = False) -> Job:
    """Train a run in the first of several processes; the others `follow` it."""
    from engine.training.team import Team

    return (yield from _training(run, fresh, more, accept_changes, Team(place)))


def _following(place: Place) -> Job:
    """Take the steps of the first process in another one."""
    from engine.training.following import follow
    from engine.training.team import Team

    yield Idle()
    follow(Team(place))


def note_end(run: Run, reason: str) -> str:
    """Record that a run failed whose process is gone, unless the process did; return the reason and what is kept."""
    state = run.state()
    if state.state not in ("interrupted", "new"):
        return reason
    step = weights_step(run.checkpoint_folder)
    reason = f"{reason} {_kept(step)}"
    with suppress(OSError):  # the folder cannot be written to; the user gets the reason anyway
        # state.json is written less often than checkpoints may be.
        run.write_state(replace(state, state="failed", step=max(state.step, step or 0), message=reason))
    return reason


def kept_words(run: Run) -> str:
    """Say which checkpoint a run keeps."""
    return _kept(weights_step(run.checkpoint_folder))


def _kept(step: int | None) -> str:
    return "There is no checkpoint yet." if step is None else f"The run keeps its checkpoint at step {step:,}."
