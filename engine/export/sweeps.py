"""Inferred against true factors, as a figure."""

from pathlib import Path

from engine.evaluation.sweeps import find_sweeps
from engine.export.summary import run_caption
from engine.figures.drawing import check_format, save
from engine.figures.evaluation import sweeps_figure
from engine.jobs.events import Finished, Job, Warned
from engine.runs.latent_names import latent_names
from engine.runs.run import Run
from engine.runs.trained import load_model, prepared_dataset_of


def save_sweeps(run: Run, path: Path, step: int | None = None) -> Job:
    """Sweep the factors of a run's data set, and draw what its last checkpoint, or that kept at a step, infers.

    Yields Progress in images, Warned of what is missing, then Finished with the rank correlations as its message.
    Raises ConfigError for another extension than .png, .svg and .pdf, and the errors of `find_sweeps`, `load_model` and
    `save`.
    """
    check_format(path)
    trained = load_model(run, (yield from prepared_dataset_of(run)), step)
    found = yield from find_sweeps(trained)
    if note := " ".join(note for note in (trained.notes, found.note) if note):
        yield Warned(note)
    names = latent_names(run.marks())
    caption = run_caption(run, found.step)
    save(sweeps_figure(found.sweeps, names, caption), path, caption=caption)
    words = "; ".join(f"{sweep.heading} ({sweep.axis_title(names)})" for sweep in found.sweeps)
    yield Finished(run.path, found.step, message=words)
