"""Making a run longer: its total length grows, and training goes on from where it was."""

from engine.checkpoints import checkpoint_step
from engine.data import load_dataset
from engine.errors import ConfigError
from engine.runs import Run


def lengthen(run: Run, epochs: int | None, steps: int | None) -> None:
    """Set a new total length, in epochs or in steps, not below what is trained already.

    The run's folder changes only when training begins, so that a resume that is refused leaves it as it was.
    Raises ConfigError, CheckpointError, or DataError.
    """
    new = run.config.changed(epochs=epochs if epochs is not None else run.config.epochs, steps=steps)
    total = new.total_steps(_images(run))
    reached = checkpoint_step(run.checkpoint_folder) or 0
    if reached > total:
        raise ConfigError(f"{run.name} is at step {reached:,} already; a total of {total:,} steps would be shorter.")
    run.lengthen(epochs, steps)


def lengthen_by(run: Run, count: int) -> None:
    """Make a run longer by `count` steps if its length is set in steps, else by as many epochs.

    Raises as `lengthen` does.
    """
    if run.config.steps is None:
        lengthen(run, run.config.epochs + count, None)
    else:
        lengthen(run, None, run.config.steps + count)


def _images(run: Run) -> int:
    return len(load_dataset(*run.data).training)
