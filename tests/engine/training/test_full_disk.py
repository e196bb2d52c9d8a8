"""A disk that is really full: a small RAM disk, or a limit on file size in a child process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.data import load_dataset, prepare
from engine.errors import DataError, RunError
from engine.export.tensorboard import write_events
from engine.export.traversal import save_animation, write_arrays, write_frames
from engine.figures.drawing import save
from engine.jobs.events import CheckpointSaved, Finished, Paused, Progress
from engine.runs.archive import write_archive
from engine.runs.checkpoints import load_weights
from engine.runs.run import Run
from engine.training.trainer import train

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {"steps": 60, "log_steps": 8, "checkpoint_steps": 20, "preview_steps": 25}
MB = 1_000_000


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MB in memory."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], capture_output=True)
    if not made or made.returncode:
        pytest.skip("a file system in memory cannot be mounted here (it needs Linux and root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Filling:
    """A file that fills a disk except for `free` bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "filling"

    def fill(self, free: int) -> None:
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(self._folder).free - free))

    def remove(self) -> None:
        self._path.unlink()


def until(job, kind):
    while not isinstance(event := next(job), kind):
        pass
    return event


def rows(path):
    return [line.split(",")[:2] + line.split(",")[3:] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("room", ["none", "half of the trainer's file", "the trainer's file and half of the weights"])
def test_training_waits_for_room_and_continues_unchanged(tmp_path, small_disk, make_small_run, room):
    whole, hindered = make_small_run(tmp_path, **SETTINGS), make_small_run(small_disk, **SETTINGS)
    list(train(whole))
    job = train(hindered)
    until(job, CheckpointSaved)
    sizes = {file.suffix: file.stat().st_size for file in hindered.checkpoint_folder.iterdir()}
    trainer, weights = sizes[".pt"], sizes[".safetensors"]
    free = {"none": 0, "half of the trainer's file": trainer // 2}.get(room, trainer + weights // 2)
    before = load_weights(hindered.checkpoint_folder)
    filling = Filling(small_disk)
    filling.fill(free)
    paused = until(job, Paused)
    assert paused.message == (
        f"The disk is full: {hindered.path} cannot be written. The last checkpoint is kept; make room, then resume the "
        "run."
    )
    # A row where not even that fits, else the pictures; or the next checkpoint.
    assert paused.step in ((24, 25) if room == "none" else (40,))
    kept = load_weights(hindered.checkpoint_folder)
    assert kept.step == 20
    assert all(torch.equal(kept.tensors[name], before.tensors[name]) for name in kept.tensors)
    assert next(job) == paused  # still full: it tries, and waits again
    filling.remove()
    assert until(job, Finished | Paused) == Finished(hindered.path, 60, stopped=False)
    for name in ("metrics.csv", "held_out.csv"):
        assert rows(hindered.path / name) == rows(whole.path / name)
    one, two = (load_weights(run.checkpoint_folder).tensors for run in (whole, hindered))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not [file for file in hindered.path.rglob("*") if file.name.endswith(".part")]


def test_a_resume_on_a_full_disk_waits_and_then_continues(small_disk, make_small_run):
    run = make_small_run(small_disk, **SETTINGS)
    list(train(run))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    filling = Filling(small_disk)
    filling.fill(0)
    run.lengthen(None, 70)
    job = train(run)
    assert "The disk is full" in until(job, Paused).message
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    filling.remove()
    assert until(job, Finished | Paused) == Finished(run.path, 70, stopped=False)


def test_the_window_and_the_terminal_pause_when_a_file_cannot_grow(tmp_path, digits_folder):
    """A limit on file size works wherever the tests run; the trainer file has 11 MB."""
    resource = pytest.importorskip("resource")
    done = subprocess.run(
        [
            *(sys.executable, "main.py", "train", "--dataset", "mnist", "--data", str(digits_folder)),
            *("--steps", "30", "--runs", str(tmp_path), "--set", "checkpoint_steps=20", "--set", "log_steps=10"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MB, 2 * MB)),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("main.py: ")]
    assert "cannot be written: File too large. There is no checkpoint yet; resume the run when" in line
    [folder] = tmp_path.iterdir()
    assert Run.open(folder).state().state == "interrupted"
    assert len((folder / "metrics.csv").read_text().splitlines()) == 1 + 2


def test_exporting_to_a_full_disk_gets_a_message_and_leaves_no_partial_file(small_disk, tiny_run, capfd):
    from matplotlib.figure import Figure

    noise = np.random.default_rng(0).integers(0, 256, (2, 300, 300), np.uint8)
    pictures = [Image.fromarray(picture) for picture in noise]
    figure = Figure()
    figure.subplots().imshow(noise[0])
    exports = {
        "png": lambda: save(figure, small_disk / "figure.png"),
        "pdf": lambda: save(figure, small_disk / "figure.pdf"),
        "svg": lambda: save(figure, small_disk / "figure.svg"),
        "gif": lambda: save_animation(pictures, small_disk / "animation.gif", "A caption"),
        "frames": lambda: write_frames(pictures, small_disk / "frames"),
        "npz": lambda: write_arrays(small_disk / "codes.npz", {"codes": noise}, compress=False),
        "zip": lambda: list(write_archive([tiny_run], small_disk / "run.zip")),
        "tensorboard": lambda: list(write_events([tiny_run], small_disk / "events")),
    }
    if not _has_tensorboard():
        del exports["tensorboard"]
    Filling(small_disk).fill(20_000)
    for name, export in exports.items():
        with pytest.raises(RunError, match=r"cannot be written: No space left on device\.$"):
            export()
        assert [path.name for path in small_disk.iterdir()] == ["filling"], name
    assert capfd.readouterr().err == ""  # no thread's traceback either


def _has_tensorboard():
    import importlib.util

    return importlib.util.find_spec("tensorboard") is not None


@pytest.mark.parametrize("kind", ["images", "arrays"])
def test_a_cache_without_room_for_the_data_gets_a_message(tmp_path, small_disk, monkeypatch, kind):
    noise = np.random.default_rng(0).integers(0, 256, (600, 64, 64, 3), np.uint8)
    if kind == "images":
        data = tmp_path / "pictures"
        data.mkdir()
        for number, picture in enumerate(noise):
            Image.fromarray(picture).save(data / f"{number}.png")
    else:
        data = tmp_path / "arrays.npz"
        np.savez(data, images=noise)
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk))
    monkeypatch.setattr("engine.data.cache.SPARE", 0)  # the disk fills only while the data is prepared
    filling = Filling(small_disk)
    job = prepare(kind, data, 64)
    until(job, Progress)
    filling.fill(noise.nbytes * 3 // 4 if kind == "images" else 0)  # room for most of the pictures
    with pytest.raises(DataError, match="cannot be prepared: No space left on device"):
        list(job)
    assert not [path for path in small_disk.rglob("*") if path.is_file() and path.name != "filling"]
    filling.remove()
    list(prepare(kind, data, 64))
    assert len(load_dataset(kind, data, 64)) == 600
