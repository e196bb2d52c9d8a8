"""The report of a run: curves, reconstructions, a traversal and a table as files."""

from collections.abc import Mapping
from pathlib import Path

from engine.data import load_dataset
from engine.errors import RunError
from engine.evaluation.evaluate import WITHOUT_FACTORS, evaluate
from engine.evaluation.rows import row_of
from engine.evaluation.sampling import sample_of
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import comma_separated, markdown
from engine.figures.curves import curves_figure
from engine.figures.drawing import reconstructions_figure, save, traversal_figure
from engine.jobs.events import Finished, Job, Progress
from engine.methods.registry import METHODS
from engine.runs.latent_names import latent_names, latent_title
from engine.runs.previews import list_previews, load_preview
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.system.files import write_bytes
from engine.traversal import Traversal, choose_latents, mean_kl, traverse


def write_report(run: Run, folder: Path) -> Job:
    """Evaluate a run without factors, and write curves.png, reconstructions.png, traversal.png, table.md and table.csv.

    Raises RunError if the folder cannot be written to, and the errors of `evaluate`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be created: {error.strerror or error}.") from None
    yield from evaluate(run, WITHOUT_FACTORS)
    yield Progress(0, 3, "Drawing figures", "figures")
    save(curves_figure(run), folder / "curves.png")
    yield Progress(1, 3, "Drawing figures", "figures")
    previews = [p for p in map(load_preview, reversed(list_previews(run.previews_folder))) if p]
    if previews:
        newest = previews[0]
        save(
            reconstructions_figure(newest.originals, newest.reconstructions, f"{run.name}, step {newest.step:,}"),
            folder / "reconstructions.png",
        )
    yield Progress(2, 3, "Drawing figures", "figures")
    dataset = load_dataset(*run.data)
    trained = load_model(run, dataset)
    kl = mean_kl(trained)
    image = int(sample_of(dataset, dataset.headline_split, 1)[0])
    traversal = traverse(trained, image, choose_latents(kl), kl)
    names = latent_names(run.marks())
    caption = traversal_caption(run, f"image {image:,}", traversal, names)
    save(traversal_figure(traversal, caption, names), folder / "traversal.png", caption=caption)
    row = row_of(run)
    table = table_of([row] if row else []).filled()
    try:
        write_bytes(folder / "table.md", markdown(table).encode())
        write_bytes(folder / "table.csv", comma_separated(table).encode())
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None
    yield Progress(3, 3, "Drawing figures", "figures")
    yield Finished(run.path, traversal.step, message=f"Figures and table are in {folder}")


def traversal_caption(run: Run, start: str, traversal: Traversal, names: Mapping[int, str]) -> str:
    """Return the caption of a traversal: run, start, step, label, latents and their ranges."""
    label = "" if traversal.label is None else f", label {traversal.label_name}"
    ranges: dict[str, list[str]] = {}
    for latent, kind, values in zip(traversal.latents, traversal.kinds, traversal.values, strict=True):
        words = f"over its {kind.range_words}" if kind.integer else f"from {values[0]:+g} to {values[-1]:+g}"
        ranges.setdefault(words, []).append(latent_title(latent, names))
    latents = "; ".join(f"{', '.join(titles)} {words}" for words, titles in ranges.items())
    return f"{run_caption(run, traversal.step, start)}{label}: {latents}"


def run_caption(run: Run, step: int, start: str = "") -> str:
    """Return the caption of a figure of a run: name, method, seed, start, step; without what only a training has."""
    begun = f", {start}" if start else ""
    if METHODS[run.config.objective].untrainable:
        return f"{run.name} ({run.config.method_title}){begun}"
    return f"{run.name} ({run.config.method_title}, seed {run.config.seed}){begun}, step {step:,}"
