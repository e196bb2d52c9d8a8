"""Whether a run may resume: only with the data and plug-ins it was trained with, unless the user accepts changes."""

from engine.data import Dataset, fingerprint_of
from engine.errors import ChangedError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.plugins_used import plugin_changes, plugins_used
from engine.runs.run import Run


def check_unchanged(run: Run, dataset: Dataset, *, accept_changes: bool) -> str:
    """Compare data and plug-ins with those of the run's checkpoint; return what its user should know, or "".

    Raises ChangedError where they changed, unless that is accepted. Writes nothing.
    """
    step = checkpoint_step(run.checkpoint_folder)
    if not step:
        return ""  # nothing was learnt from others
    plugins = plugin_changes(run.plugins, plugins_used(run.config))
    changes = run.trained_on.changes(fingerprint_of(dataset)) if run.trained_on else ""
    if (changes or plugins) and not accept_changes:
        raise ChangedError(_refusal(run, step, changes, plugins))
    notes = []
    if run.trained_on is None:
        notes.append(
            f"{run.name} was begun by version 1.0.0, which kept no fingerprint of its data: whether they changed since "
            "then cannot be known. From now on it has one."
        )
    if changes:
        notes.append(f"From step {step + 1:,} on {run.name} is trained on changed data ({changes}).")
    if plugins:
        notes.append(f"From step {step + 1:,} on {run.name} is trained with a changed plug-in: {plugins}.")
    return " ".join(notes)


def _refusal(run: Run, step: int, data: str, plugins: str) -> str:
    since = f"changed since {run.name} was trained up to step {step:,}"
    left = "The run is left as it was: put the former"
    if not plugins:
        return f"The data {since} ({data}). {left} data back, or accept the changed data to go on."
    what = f"the data ({data}) and {plugins}" if data else plugins
    former = "data and version back, or accept what changed" if data else "version back, or accept the changed one"
    return f"{what[:1].upper()}{what[1:]} {since}. {left} {former} to go on."
