"""Check that a run resumes with the data it was trained on, unless the user accepts changed data."""

from engine.data import Dataset, fingerprint_of
from engine.errors import DataChangedError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run


def check_same_data(run: Run, dataset: Dataset, *, accept_changed: bool) -> str:
    """Compare the data with those that the run's checkpoint was trained on; return a note for the user, or "".

    Raises DataChangedError if they have changed, unless that is accepted. Writes nothing.
    """
    step = checkpoint_step(run.checkpoint_folder)
    if not step:
        return ""  # nothing was learned from other data
    if run.trained_on is None:
        return (
            f"{run.name} was started by version 1.0.0, which stored no fingerprint of its data, so it is not known "
            "whether they have changed since. A fingerprint is stored from now on."
        )
    changes = run.trained_on.changes(fingerprint_of(dataset))
    if changes and not accept_changed:
        raise DataChangedError(
            f"The data have changed since {run.name} was trained up to step {step:,} ({changes}). The run was not "
            "touched: restore the former data, or accept the changed data to resume."
        )
    return f"From step {step + 1:,} on, {run.name} is trained on changed data ({changes})." if changes else ""
