"""Training as every host starts it: in this process or, if it runs code of a plug-in, in a child process.

In a child process, a step that never ends, a crash or an exit costs the run and nothing else. The run folder and its
numbers are the same.
"""

from contextlib import closing, suppress
from dataclasses import replace

from engine.errors import PluginError
from engine.jobs.events import Job, Request, Unanswered
from engine.jobs.workers import apart
from engine.runs.kept_weights import weights_step
from engine.runs.plugins_used import names_of
from engine.runs.run import Run


def training(run: Run, *, fresh: bool = False, more: int = 0, accept_changes: bool = False) -> Job:
    """Train a run like `engine.training.trainer.train`, first lengthening it by `more` steps or epochs, if any.

    A run that uses plug-ins is trained in a child process, which also yields Idle and Unanswered; `Request.END` ends
    it. After a crash or such an end the run has failed and keeps its last checkpoint; PluginError is raised.
    """
    names = names_of(run.config)
    if not names:
        yield from _training(run, fresh, more, accept_changes)
        return
    job = apart(names, _training, run, fresh, more, accept_changes)
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


def _training(run: Run, fresh: bool, more: int, accept_changes: bool) -> Job:
    from engine.training.lengthening import lengthen_by
    from engine.training.trainer import train

    if more:
        lengthen_by(run, more, accept_changes=accept_changes)
    return (yield from train(run, fresh=fresh, accept_changes=accept_changes))


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
