"""Making a run longer: its total length grows, and training goes on from where it was."""

from engine.data import ENTRIES, load_dataset
from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.plugins_used import require_plugins
from engine.runs.run import Run


def lengthen(run: Run, epochs: int | None, steps: int | None, *, accept_changes: bool = False) -> None:
    """Set a new total length, in epochs or in steps, not below what is trained already.

    The run's folder changes only when training begins, so that a resume that is refused leaves it as it was; whether
    its data changed is looked at then, too. No images are read for it, unless nothing tells how many there are. Raises
    ConfigError, CheckpointError or PluginMissingError, and DataError where the images have to be counted.
    """
    require_plugins(run.config)
    new = run.config.changed(epochs=epochs if epochs is not None else run.config.epochs, steps=steps)
    total = new.steps if new.steps is not None else new.epochs * _steps_per_epoch(run, accept_changes)
    reached = checkpoint_step(run.checkpoint_folder) or 0
    if reached > total:
        raise ConfigError(f"{run.name} is at step {reached:,} already; a total of {total:,} steps would be shorter.")
    run.lengthen(epochs, steps)


def lengthen_by(run: Run, count: int, *, accept_changes: bool = False) -> None:
    """Make a run longer by `count` steps if its length is set in steps, else by as many epochs.

    Raises as `lengthen` does.
    """
    if run.config.steps is None:
        lengthen(run, run.config.epochs + count, None, accept_changes=accept_changes)
    else:
        lengthen(run, None, run.config.steps + count, accept_changes=accept_changes)


def _steps_per_epoch(run: Run, changed: bool) -> int:
    """Steps in one pass, as the data set is known to have, else as the run's state says, else as its images say.

    What the run's state says is of the data so far: where they may have `changed`, it says nothing.
    """
    images = ENTRIES[run.config.dataset].training_images if run.config.data_folder is None else None
    if images is None:
        epochs, total = run.config.epochs, run.state().total
        if run.config.steps is None and total and total % epochs == 0 and not changed:
            return total // epochs
        images = len(load_dataset(*run.data).training)
    return run.config.steps_per_epoch(images)
