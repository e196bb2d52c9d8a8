"""Training as every host starts it: in this process, or, where code of a plug-in runs in it, in a child process.

In a child a step that never ends, a crash or an exit costs the run and nothing else. The run folder and its numbers
are the same.
"""

from contextlib import closing, suppress
from dataclasses import replace

from engine.errors import CheckpointError, PluginError
from engine.jobs.events import Job, Request, Unanswered
from engine.jobs.workers import apart
from engine.runs.origins import names_of
from engine.runs.run import Run


def training(run: Run, *, fresh: bool = False, more: int = 0, accept_changed_data: bool = False) -> Job:
    """Train a run as `engine.training.trainer.train` does; first make it longer by `more` steps or epochs, if any.

    A run that uses plug-ins is trained in a child process: then Idle and Unanswered come, too, and `Request.END` ends
    it. A crash or such an end leaves the run failed, with its last checkpoint, and raises PluginError.
    """
    names = names_of(run.config)
    if not names:
        yield from _training(run, fresh, more, accept_changed_data)
        return
    job = apart(names, _training, run, fresh, more, accept_changed_data)
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


def _training(run: Run, fresh: bool, more: int, accept_changed_data: bool) -> Job:
    from engine.training.lengthening import lengthen_by
    from engine.training.trainer import train

    if more:
        lengthen_by(run, more, accept_changed_data=accept_changed_data)
    return (yield from train(run, fresh=fresh, accept_changed_data=accept_changed_data))


def note_end(run: Run, reason: str) -> str:
    """Record that a run failed whose process is gone, unless the process did; return why, and what is kept."""
    state = run.state()
    if state.state not in ("interrupted", "new"):
        return reason
    step = _checkpoint(run)
    reason = f"{reason} {_kept(step)}"
    with suppress(OSError):  # the folder cannot be written; the error on its way to the user says so
        # state.json is written less often than checkpoints may be.
        run.write_state(replace(state, state="failed", step=max(state.step, step or 0), message=reason))
    return reason


def kept_words(run: Run) -> str:
    """Say which checkpoint a run has."""
    return _kept(_checkpoint(run))


def _kept(step: int | None) -> str:
    return "No checkpoint was due yet." if step is None else f"The run keeps its checkpoint at step {step:,}."


def _checkpoint(run: Run) -> int | None:
    from engine.runs.checkpoints import checkpoint_step

    try:
        return checkpoint_step(run.checkpoint_folder)
    except CheckpointError:
        return None
