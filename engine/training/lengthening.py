"""Making a run longer: its total length grows, and training goes on from where it was."""

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run
from engine.training.same_data import check_same_data


def lengthen(run: Run, epochs: int | None, steps: int | None, *, accept_changed_data: bool = False) -> None:
    """Set a new total length, in epochs or in steps, not below what is trained already.

    The run's folder changes only when training begins, so that a resume that is refused leaves it as it was.
    Raises ConfigError, CheckpointError, DataError, or DataChangedError when its data changed and that is not accepted.
    """
    dataset = load_dataset(*run.data)
    check_same_data(run, dataset, accept_changed=accept_changed_data)
    new = run.config.changed(epochs=epochs if epochs is not None else run.config.epochs, steps=steps)
    total = new.total_steps(len(dataset.training))
    reached = checkpoint_step(run.checkpoint_folder) or 0
    if reached > total:
        raise ConfigError(f"{run.name} is at step {reached:,} already; a total of {total:,} steps would be shorter.")
    run.lengthen(epochs, steps)


def lengthen_by(run: Run, count: int, *, accept_changed_data: bool = False) -> None:
    """Make a run longer by `count` steps if its length is set in steps, else by as many epochs.

    Raises as `lengthen` does.
    """
    if run.config.steps is None:
        lengthen(run, run.config.epochs + count, None, accept_changed_data=accept_changed_data)
    else:
        lengthen(run, None, run.config.steps + count, accept_changed_data=accept_changed_data)
