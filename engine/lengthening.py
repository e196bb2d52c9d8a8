"""Making a run longer: its total length grows, and training goes on from where it was."""

from engine.checkpoints import checkpoint_step
from engine.data import load_dataset
from engine.errors import ConfigError, RunError
from engine.runs import Run, RunState
from engine.same_data import check_same_data


def lengthen(run: Run, epochs: int | None, steps: int | None, *, accept_changed_data: bool = False) -> None:
    """Set a new total length, in epochs or in steps, not below what is trained already.

    Raises ConfigError, DataError, RunError, RunLockedError when the run is being trained, or DataChangedError when its
    data changed and that is not accepted.
    """
    dataset = load_dataset(*run.data)
    check_same_data(run, dataset, accept_changed=accept_changed_data)
    new = run.config.changed(epochs=epochs if epochs is not None else run.config.epochs, steps=steps)
    total = new.total_steps(len(dataset.training))
    reached = checkpoint_step(run.checkpoint_folder) or 0
    if reached > total:
        raise ConfigError(f"{run.name} is at step {reached:,} already; a total of {total:,} steps would be shorter.")
    with run.locked():
        run.lengthen(epochs, steps)
        if reached < total and run.state().state == "finished":
            _write_state(run, RunState("stopped", reached, total, "Lengthened, not yet trained to its new end."))


def lengthen_by(run: Run, count: int, *, accept_changed_data: bool = False) -> None:
    """Make a run longer by `count` steps if its length is set in steps, else by as many epochs.

    Raises as `lengthen` does.
    """
    if run.config.steps is None:
        lengthen(run, run.config.epochs + count, None, accept_changed_data=accept_changed_data)
    else:
        lengthen(run, None, run.config.steps + count, accept_changed_data=accept_changed_data)


def _write_state(run: Run, state: RunState) -> None:
    try:
        run.write_state(state)
    except OSError as error:
        raise RunError(f"{run.path} cannot be written: {error.strerror or error}.") from None
