"""Whether a run may go on: only with the data that it was trained on, unless its user accepts others."""

from engine.data import Dataset, fingerprint_of
from engine.errors import DataChangedError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run


def check_same_data(run: Run, dataset: Dataset, *, accept_changed: bool) -> str:
    """Compare the data with those the run's checkpoint was trained on; return what its user should know, or "".

    Raises DataChangedError where they changed, unless that is accepted. Writes nothing.
    """
    step = checkpoint_step(run.checkpoint_folder)
    if not step:
        return ""  # nothing was learnt from other data
    if run.trained_on is None:
        return (
            f"{run.name} was begun by version 1.0.0, which kept no fingerprint of its data: whether they changed since "
            "then cannot be known. From now on it has one."
        )
    changes = run.trained_on.changes(fingerprint_of(dataset))
    if changes and not accept_changed:
        raise DataChangedError(
            f"The data changed since {run.name} was trained up to step {step:,} ({changes}). The run is left as it "
            "was: put the former data back, or accept the changed data to go on."
        )
    return f"From step {step + 1:,} on {run.name} is trained on changed data ({changes})." if changes else ""
