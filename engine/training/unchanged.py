"""Check that a run resumes with its data and plug-ins unchanged, unless the user accepts the changes."""

from engine.data import Dataset, fingerprint_of
from engine.errors import ChangedError
from engine.runs.checkpoints import checkpoint_step
from engine.runs.plugins_used import plugin_changes, plugins_used
from engine.runs.run import Run


def check_unchanged(run: Run, dataset: Dataset, *, accept_changes: bool) -> str:
    """Compare data and plug-ins with those of the run's checkpoint; return a note for the user, or "".

    Raises ChangedError if they have changed, unless that is accepted. Writes nothing.
    """
    step = checkpoint_step(run.checkpoint_folder)
    if not step:
        return ""  # nothing was learned with others
    plugins = plugin_changes(run.plugins, plugins_used(run.config))
    changes = run.trained_on.changes(fingerprint_of(dataset)) if run.trained_on else ""
    if (changes or plugins) and not accept_changes:
        raise ChangedError(_refusal(run, step, changes, plugins))
    notes = []
    if run.trained_on is None:
        notes.append(
            f"{run.name} was started by version 1.0.0, which stored no fingerprint of its data, so it is not known "
            "whether they have changed since. A fingerprint is stored from now on."
        )
    if changes:
        notes.append(f"From step {step + 1:,} on, {run.name} is trained on changed data ({changes}).")
    if plugins:
        notes.append(f"From step {step + 1:,} on, {run.name} is trained with a changed plug-in: {plugins}.")
    return " ".join(notes)


def _refusal(run: Run, step: int, data: str, plugins: str) -> str:
    since = f"changed since {run.name} was trained up to step {step:,}"
    left = "The run was not touched: restore the former"
    if not plugins:
        return f"The data have {since} ({data}). {left} data, or accept the changed data to resume."
    what = f"the data ({data}) and {plugins}" if data else plugins
    former = "data and version, or accept the changes" if data else "version, or accept the changed one"
    return f"{what[:1].upper()}{what[1:]} {since}. {left} {former} to resume."
