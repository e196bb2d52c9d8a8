"""TensorBoard files, read back with TensorBoard's own reader."""

import csv
import importlib.util
import io
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from engine.errors import RunError
from engine.export.tensorboard import write_events
from engine.jobs.events import Finished, Progress
from engine.runs.previews import list_previews


def write(folder, *runs):
    *_, last = write_events(runs, folder)
    assert isinstance(last, Finished)
    assert str(folder) in last.message


def read(folder):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = module.EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def test_every_point_has_its_value_step_and_time(tmp_path, tiny_run):
    pytest.importorskip("tensorboard")
    write(tmp_path / "events", tiny_run)
    events = read(tmp_path / "events" / "tiny")
    with tiny_run.metrics_file.open() as file:
        rows = list(csv.DictReader(file))
    tags = {"loss": "loss", "reconstruction": "reconstruction", "kl": "kl"}
    tags |= {f"kl_per_latent/z{i}": f"kl_{i}" for i in range(10)}
    assert set(events.Tags()["scalars"]) == set(tags)  # a VAE has no capacity
    begin = datetime.fromisoformat(tiny_run.created).timestamp()
    for tag, column in tags.items():
        found = events.Scalars(tag)
        assert [point.step for point in found] == [int(row["step"]) for row in rows]
        # TensorBoard keeps scalars as float32 and times as float64.
        assert [point.value for point in found] == [float(np.float32(row[column])) for row in rows]
        assert [point.wall_time for point in found] == pytest.approx([begin + float(row["seconds"]) for row in rows])


def test_the_capacity_is_written_if_there_is_one(tmp_path, make_run):
    run = make_run(tmp_path, objective="annealed-relu", latents=1)
    run.metrics_file.write_text(
        "step,epoch,seconds,loss,reconstruction,kl,capacity,kl_0\n10,0.1,1,9,8,1,2.5,1\nnonsense,,,,,,,\n"
    )
    pytest.importorskip("tensorboard")
    write(tmp_path / "events", run)
    [folder] = (tmp_path / "events").iterdir()
    assert [(point.step, point.value) for point in read(folder).Scalars("capacity")] == [(10, 2.5)]


def test_pictures_are_the_previews_of_the_run(tmp_path, tiny_copy):
    pytest.importorskip("tensorboard")
    kept = [path.read_bytes() for path in list_previews(tiny_copy.previews_folder)]
    (tiny_copy.previews_folder / "000000040.png").write_bytes(b"no picture")
    write(tmp_path / "events", tiny_copy)
    found = read(tmp_path / "events" / "tiny").Images("pictures")
    assert [image.step for image in found] == [1, 30, 60]
    assert [image.encoded_image_string for image in found] == kept
    for image in found:
        with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
            assert picture.size == (image.width, image.height)
    begin = datetime.fromisoformat(tiny_copy.created).timestamp()
    with tiny_copy.metrics_file.open() as file:
        last = list(csv.DictReader(file))[-1]
    assert found[-1].wall_time == pytest.approx(begin + float(last["seconds"]))


def test_runs_have_separate_folders_and_nothing_else_is_left(tmp_path, tiny_run):
    pytest.importorskip("tensorboard")
    write(tmp_path / "new" / "events", tiny_run, tiny_run)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["events"]
    assert len(list((tmp_path / "new" / "events").glob("*/events.out.tfevents.*"))) == 2


def test_existing_files_are_not_touched(tmp_path, tiny_run):
    pytest.importorskip("tensorboard")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_bytes(b"mine")
    with pytest.raises(RunError, match="exists already"):
        list(write_events([tiny_run], tmp_path / "mine"))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]


def test_cancelling_leaves_nothing_behind(tmp_path, tiny_run):
    pytest.importorskip("tensorboard")
    job = write_events([tiny_run], tmp_path / "events")
    assert isinstance(next(job), Progress)
    next(job)
    job.close()
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_the_message_says_how_to_install_it(tmp_path, tiny_run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"-m pip install tensorboard$"):
        list(write_events([tiny_run], tmp_path / "events"))
    assert list(tmp_path.iterdir()) == []
