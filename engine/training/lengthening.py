"""Lengthening a run: its total length grows, and training continues from its last checkpoint.

A schedule in per cent of the run stays as it has been: from then on its length is given in steps. So config.json says
what was done, and differs from that of a run which was as long from the start.
"""

from dataclasses import replace

from engine.data import load_dataset
from engine.data.subsets import training_count, training_positions
from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.plugins_used import require_trainable
from engine.runs.run import Run
from engine.system.schedule import Schedule


def lengthen(run: Run, epochs: int | None, steps: int | None, *, accept_changes: bool = False) -> None:
    """Set a new total length, in epochs or steps, not below the step already reached.

    The run's folder changes only when training starts, so that a refused resume leaves it unchanged; whether its data
    have changed is checked then, too. Images are read only if their number is not known otherwise. Raises ConfigError,
    CheckpointError or PluginMissingError, and DataError if images must be counted.
    """
    require_trainable(run)
    new = run.config.changed(epochs=epochs if epochs is not None else run.config.epochs, steps=steps)
    total = new.steps if new.steps is not None else new.epochs * _steps_per_epoch(run, accept_changes)
    reached = checkpoint_step(run.checkpoint_folder) or 0
    if reached > total:
        raise ConfigError(f"{run.name} is already at step {reached:,}; a total of {total:,} steps would be shorter.")
    run.lengthen(epochs, steps, **(_in_steps(run, accept_changes) if reached else {}))


def lengthen_by(run: Run, count: int, *, accept_changes: bool = False) -> None:
    """Lengthen a run by `count` steps if its length is set in steps, else by `count` epochs. Raises like `lengthen`."""
    if run.config.steps is None:
        lengthen(run, run.config.epochs + count, None, accept_changes=accept_changes)
    else:
        lengthen(run, None, run.config.steps + count, accept_changes=accept_changes)


def _in_steps(run: Run, changed: bool) -> dict[str, Schedule]:
    """The schedules in per cent of a run, by the names of the weights, with their present lengths in steps."""
    shares = {name: schedule for name, schedule in run.config.method.schedules.items() if schedule.unit == "%"}
    if not shares:
        return {}
    total = run.config.steps or run.state().total or run.config.epochs * _steps_per_epoch(run, changed)
    return {name: replace(each, length=each.steps(1, total), unit="steps") for name, each in shares.items()}


def _steps_per_epoch(run: Run, changed: bool) -> int:
    """Steps in an epoch: from what is known of the data set, else from the run's state, else by counting images.

    The run's state is not used if the data may have `changed`.
    """
    images = training_count(run.config) if run.config.data_folder is None else None
    if images is None:
        epochs, total = run.config.epochs, run.state().total
        if run.config.steps is None and total and total % epochs == 0 and not changed:
            return total // epochs
        images = len(training_positions(load_dataset(*run.data), run.config))
    return run.config.steps_per_epoch(images)
