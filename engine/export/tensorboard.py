"""Runs as TensorBoard event files, for comparison with runs of other programs.

The package `tensorboard` is an optional extra; it is imported when the first run is written.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from engine.errors import RunError
from engine.jobs.events import Finished, Job, Progress
from engine.runs.metrics_file import COLUMNS, MetricsReader
from engine.runs.previews import MAX_BYTES, list_previews
from engine.runs.run import Run, distinct_names, new_folder
from engine.system.files import is_link, place_folder, scratch_folder
from engine.system.installed import check_tensorboard
from engine.system.plain_text import slug
from engine.system.reading import read_limited

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

VALUES = ("loss", "reconstruction", "kl", "capacity")
ROWS = 200
"""Rows between reports of progress."""


def write_events(runs: Sequence[Run], folder: Path) -> Job:
    """Write scalars and previews of runs to a new folder, with a subfolder per run. Yields Progress and Finished.

    Scalars are as in metrics.csv, rounded to TensorBoard's float32; the wall time is the creation time of the run plus
    the seconds trained. Raises RunError if TensorBoard is not installed, or if the folder is not empty or cannot be
    written to.
    """
    check_tensorboard()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already. TensorBoard files need a new folder: choose another name.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as temporary:
            for run, name in zip(runs, distinct_names(runs), strict=True):
                yield from _write_run(run, new_folder(temporary, slug(name)))
            place_folder(temporary, folder)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None
    yield Finished(message=f'Saved to {folder}; to view it: tensorboard --logdir "{folder}"')


def _write_run(run: Run, folder: Path) -> Job:
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    linked = is_link(run.previews_folder)
    pictures = [] if linked else [path for path in list_previews(run.previews_folder) if not is_link(path)]
    rows = np.flatnonzero(np.isfinite(reader.column("step")) & np.isfinite(reader.column("seconds")))
    step, seconds = reader.column("step")[rows], reader.column("seconds")[rows]
    begin = _begin(run)
    total = len(rows) + len(pictures)
    with (folder / f"events.out.tfevents.{int(begin):010d}.{slug(run.path.name)}").open("wb") as file:
        write = _writer(file)
        for number, row in enumerate(rows):
            if number % ROWS == 0:
                yield Progress(number, total, f"Saving {run.name}", "points")
            write(_scalars(reader, row), int(step[number]), begin + seconds[number])
        for number, path in enumerate(pictures, len(rows)):
            yield Progress(number, total, f"Saving {run.name}", "points")
            summary = _picture(path)
            if summary is not None:
                at = int(path.stem)
                when = begin + (float(np.interp(at, step, seconds)) if len(step) else 0.0)
                write(summary, at, when)


def _writer(file: BinaryIO) -> "Callable[[Summary, int, float], None]":
    """Start an event file, and return a function that appends an event with its step and wall time.

    TensorBoard's own writer uses a thread, which reports a full disk by a traceback.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    records = RecordWriter(file)
    records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def write(summary: "Summary", step: int, wall_time: float) -> None:
        records.write(Event(summary=summary, step=step, wall_time=wall_time).SerializeToString())

    return write


def _begin(run: Run) -> float:
    """Creation time of a run, in seconds since 1970."""
    try:
        return datetime.fromisoformat(run.created).timestamp()
    except (ValueError, OverflowError, OSError):  # missing or edited by hand
        return (run.path / "config.json").stat().st_mtime


def _scalars(reader: MetricsReader, row: np.intp) -> "Summary":
    """A row of the curves, without missing values."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = []
    for name in (*VALUES, *reader.names[len(COLUMNS) :]):
        value = float(reader.column(name)[row])
        if not math.isnan(value):
            latent = name.startswith("kl_")
            tag = f"kl_per_latent/{name.replace('kl_', 'z')}" if latent else name
            values.append(Summary.Value(tag=tag, simple_value=value))
    return Summary(value=values)


def _picture(path: Path) -> "Summary | None":
    """A saved preview, unchanged: originals, reconstructions, then a row per latent. None if it is not a picture."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    try:
        content = read_limited(path, MAX_BYTES)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            width, height, channels = image.width, image.height, len(image.getbands())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=content)
    return Summary(value=[Summary.Value(tag="pictures", image=picture)])
