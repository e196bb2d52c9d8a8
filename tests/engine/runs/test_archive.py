"""Archives of runs: an imported run equals the archived one, and untrusted archives do no harm."""

import io
import json
import os
import pickle
import re
import shutil
import stat
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import CheckpointError, RunError, StudioError
from engine.jobs.events import CheckpointSaved, Finished, Imported, Progress, Request, StepMetrics, Warned
from engine.runs.archive import read_archive, write_archive
from engine.runs.checkpoints import checkpoint_step, load_trainer, load_weights, read_files, save_checkpoint
from engine.runs.metrics_file import header
from engine.runs.run import Run
from engine.training.trainer import train


def write(path, *runs):
    *progress, last = write_archive(runs, path)
    assert all(isinstance(event, Progress) for event in progress)
    assert last == Finished(message=f"Saved to {path}")
    return path


def read(path, root):
    return [Run.open(event.run) for event in read_archive(path, root) if isinstance(event, Imported)]


def rows(run):
    """metrics.csv without the seconds, which differ from training to training."""
    lines = run.metrics_file.read_text().splitlines()
    return [line.split(",")[:2] + line.split(",")[3:] for line in lines]


def assert_same(first, second):
    assert rows(first) == rows(second)
    one, two = (load_weights(run.checkpoint_folder).tensors for run in (first, second))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_an_imported_run_equals_the_archived_one(tmp_path, tiny_copy):
    tiny_copy.write_marks({"name": "dünne Ziffern", "tags": ["a"]})
    tiny_copy.write_evaluation({"step": 60, "metrics": {}})
    (tiny_copy.path / "lock").touch()
    [back] = read(write(tmp_path / "run.zip", tiny_copy), tmp_path / "other")
    files = {p.relative_to(tiny_copy.path): p.read_bytes() for p in tiny_copy.path.rglob("*") if p.is_file()}
    assert {p.relative_to(back.path): p.read_bytes() for p in back.path.rglob("*") if p.is_file()} == {
        name: content for name, content in files.items() if name != Path("lock")
    }
    assert back.name == "dünne Ziffern"
    assert back.path.parent == tmp_path / "other"
    assert back.state() == tiny_copy.state()


def test_a_run_stopped_and_moved_resumes_as_if_never_stopped(tmp_path, make_run):
    whole, cut = (make_run(tmp_path, steps=60, objective="annealed-relu") for _ in range(2))
    list(train(whole))
    job, answer = train(cut), None
    try:
        while True:
            event = job.send(answer)
            answer = Request.STOP if isinstance(event, Progress) and event.done == 37 else None
    except StopIteration:
        pass
    [back] = read(write(tmp_path / "cut.zip", cut), tmp_path / "elsewhere")
    assert (back.state().state, back.state().step) == ("stopped", 37)
    list(train(back))
    assert_same(back, whole)


def test_a_run_in_training_is_archived_as_of_its_last_checkpoint(tmp_path, make_run):
    run = make_run(tmp_path, steps=60)
    job = train(run)
    seen = []
    while not any(isinstance(event, StepMetrics) and event.step == 40 for event in seen):
        seen.append(next(job))
    assert [event.step for event in seen if isinstance(event, CheckpointSaved)] == [25]
    [back] = read(write(tmp_path / "run.zip", run), tmp_path / "elsewhere")
    assert (back.state().state, back.state().step, back.state().total) == ("stopped", 25, 60)
    assert [row[0] for row in rows(back)] == ["step", "10", "20"]
    assert [path.stem for path in sorted(back.previews_folder.iterdir())] == ["000000001"]
    list(job)
    list(train(back))
    assert_same(back, run)


def test_the_files_of_a_checkpoint_are_consistent_while_it_is_replaced(tmp_path):
    folder, last, over = tmp_path / "checkpoint", 150, threading.Event()

    def save():
        model = nn.Linear(1, 1)
        for step in range(1, last + 1):
            nn.init.constant_(model.weight, step)
            save_checkpoint(folder, step, model, {"step": step})
        over.set()

    thread = threading.Thread(target=save)
    thread.start()
    steps = []
    while not over.is_set():
        found = read_files(folder) if folder.exists() else None
        if found is None:
            continue
        step, files = found
        assert set(files) == {"model.safetensors", f"trainer-{step}.pt"}
        assert torch.load(io.BytesIO(files[f"trainer-{step}.pt"]), weights_only=True) == {"step": step}
        (tmp_path / "model.safetensors").write_bytes(files["model.safetensors"])
        weights = load_weights(tmp_path)
        assert weights.step == step == weights.tensors["weight"].item()
        steps.append(step)
    thread.join()
    assert steps == sorted(steps)
    assert len(set(steps)) > 5


def test_weights_without_their_trainer_file_are_archived(tmp_path, tiny_copy):
    (tiny_copy.checkpoint_folder / "trainer-60.pt").unlink()
    [back] = read(write(tmp_path / "run.zip", tiny_copy), tmp_path / "other")
    assert [path.name for path in back.checkpoint_folder.iterdir()] == ["model.safetensors"]


def test_a_new_run_can_be_archived(tmp_path, make_run):
    [back] = read(write(tmp_path / "run.zip", make_run(tmp_path)), tmp_path / "other")
    assert checkpoint_step(back.checkpoint_folder) is None
    assert back.state().state == "new"


def test_several_runs_fit_in_one_archive_and_a_taken_name_gets_a_number(tmp_path, make_run):
    runs = [make_run(tmp_path / folder, name="same", seed=seed) for folder, seed in (("a", 1), ("b", 2))]
    path = write(tmp_path / "runs.zip", *runs)
    (tmp_path / "root" / "same").mkdir(parents=True)
    back = read(path, tmp_path / "root")
    assert [run.config.seed for run in back] == [1, 2]
    assert [run.path.name for run in back] == ["same-2", "same-2-2"]


def test_an_archive_made_by_hand_is_read_without_foreign_files(tmp_path, tiny_run):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._config", b"x")
        for file in tiny_run.path.rglob("*"):
            archive.write(file, file.relative_to(tiny_run.path))
        archive.writestr("report/curves.png", b"x")
        archive.writestr("run.sh", b"x")
        archive.writestr("checkpoint/trainer-7.pt", b"not this checkpoint's")
    [back] = read(path, tmp_path / "root")
    assert back.path.name == "mine"
    assert sorted(file.name for file in back.path.iterdir()) == [
        *("checkpoint", "config.json", "held_out.csv", "marks.json", "metrics.csv", "previews", "state.json"),
    ]
    assert_same(back, tiny_run)
    assert sorted(file.name for file in back.checkpoint_folder.iterdir()) == ["model.safetensors", "trainer-60.pt"]


@pytest.mark.parametrize("way", ["write", "read"])
def test_cancelling_leaves_nothing_behind(tmp_path, tiny_run, way):
    path = write(tmp_path / "run.zip", tiny_run)
    (tmp_path / "root").mkdir()
    job = (
        write_archive([tiny_run], tmp_path / "root" / "new.zip")
        if way == "write"
        else read_archive(path, tmp_path / "root")
    )
    for _ in range(3):
        next(job)
    assert list((tmp_path / "root").iterdir())
    job.close()
    assert list((tmp_path / "root").iterdir()) == []


# Archives of strangers


@pytest.fixture
def config(tiny_run):
    return (tiny_run.path / "config.json").read_bytes()


def member(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def refused(path, root, words):
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(RunError, match=words):
        list(read_archive(path, root))
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (member("/etc/cron.d/x"), "path to another folder"),
        (member("C:/Windows/x"), "path to another folder"),
        (member("run\\..\\..\\x"), "path to another folder"),
        (member("../config.json"), "leads out of it"),
        (member("run/checkpoint/../../../x"), "leads out of it"),
        (member("run/metrics.csv", stat.S_IFLNK | 0o777), "link or device"),
        (member("run/checkpoint", stat.S_IFLNK | 0o777), "link or device"),
        (member("run/lock", stat.S_IFIFO | 0o644), "link or device"),
        (member("run/config.json"), "several files of one name"),
    ],
    ids=lambda value: value.filename if isinstance(value, zipfile.ZipInfo) else "",
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_reaches_outside_its_folder_is_rejected_entirely(tmp_path, config, info, words):
    (tmp_path / "root").mkdir()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("run/config.json", config)
        archive.writestr(info, b"/etc/passwd")
    refused(tmp_path / "bad.zip", tmp_path / "root", words)


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("state.json", 1_000_001, "too large"),
        ("previews/000000001.png", 64_000_001, "too large"),
    ],
)
def test_a_small_archive_that_unpacks_to_too_much_is_rejected_before_unpacking(tmp_path, config, name, size, words):
    (tmp_path / "root").mkdir()
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/config.json", config)
        archive.writestr(f"run/{name}", bytes(size))
    assert path.stat().st_size < size / 500
    refused(path, tmp_path / "root", words)


def test_a_false_size_unpacks_no_further_than_claimed(tmp_path, config):
    (tmp_path / "root").mkdir()
    path = tmp_path / "lie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/config.json", config)
        archive.writestr("run/state.json", bytes(5_000_000))
    content = path.read_bytes()
    path.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    refused(path, tmp_path / "root", "damaged")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": None, "notes.txt": b"x"}, "holds no run"),
        ({"config.json": None, "a/b/config.json": b"{}"}, "holds no run"),
        ({"config.json": b"{"}, "config.json is damaged"),
        ({"config.json": b'{"schema": 1, "latents": -3}'}, "latents is -3"),
        ({"metrics.csv": b"step," + b"x," * 100_000 + b"\n"}, "metrics.csv is damaged"),
        ({"metrics.csv": header(3).encode() + b"\n"}, "metrics.csv does not fit the run.s settings"),
        ({"state.json": b'{"state": "finished", "step": 1, "total": 1' + b"0" * 300 + b"}"}, "state.json"),
        ({"checkpoint/model.safetensors": b"\xff" * 100}, "is damaged"),
        ({"config.json": b'{"schema": 1, "resolved": {"device": "evil"}}'}, "device is 'evil'"),
    ],
    ids=["no run", "deep", "not json", "settings", "long", "columns", "steps", "weights", "device"],
)
def test_an_archive_without_a_valid_run_is_rejected_with_a_message(tmp_path, config, files, words):
    (tmp_path / "root").mkdir()
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in ({"config.json": config} | files).items():
            if content is not None:
                archive.writestr(name, content)
    refused(path, tmp_path / "root", words)


def weights_of(shape):
    """A weights file of a given shape, all zero, which compresses to almost nothing."""
    from safetensors.numpy import save

    return save({"x": np.zeros(shape, np.float32)}, {"step": "60", "trainer": "trainer-60.pt"})


KEPT = weights_of(2_000_000)  # 8 MB; the network of the settings, 28 x 28 with ten latents, has 5.1 MB


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {f"checkpoint/kept-{n}.safetensors": KEPT for n in (1, 2)},
            "kept-1.safetensors .* too large for the run.s",
        ),
        ({"checkpoint/model.safetensors": KEPT}, "model.safetensors .* too large for the run.s settings: 8 MB"),
        (
            {"checkpoint/trainer-60.pt": bytes(20_000_000)},
            "trainer-60.pt .* too large for the run.s settings: 20 MB",
        ),
        ({"metrics.csv": b"0" * 2_000_000}, "metrics.csv .* too large for the run.s settings: 2 MB"),
        ({"previews/000000001.png": bytes(3_000_000)}, "000000001.png .* too large for the run.s settings: 3 MB"),
        ({f"checkpoint/kept-{n}.safetensors": b"" for n in range(300)}, "holds 300 files .* more than the run.s"),
        ({f"previews/{n:09d}.png": b"" for n in range(1000)}, "holds 1,000 files .* more than the run.s settings"),
    ],
    ids=["kept", "weights", "trainer", "curves", "picture", "many kept", "many pictures"],
)
def test_files_larger_or_more_than_the_settings_allow_are_rejected(tmp_path, config, files, words):
    (tmp_path / "root").mkdir()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ({"config.json": config} | files).items():
            archive.writestr(f"run/{name}", content)
    refused(tmp_path / "bomb.zip", tmp_path / "root", words)


def test_a_small_archive_of_many_runs_must_not_unpack_to_many_times_its_size(tmp_path, config):
    (tmp_path / "root").mkdir()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for run in range(11):  # each allowed by itself: nine previews of a million zeros
            archive.writestr(f"run-{run}/config.json", config)
            for number in range(10):
                archive.writestr(f"run-{run}/previews/{number:09d}.png", bytes(1_000_000))
    assert (tmp_path / "bomb.zip").stat().st_size < 500_000
    refused(tmp_path / "bomb.zip", tmp_path / "root", "unpacks to 110 MB, more than is plausible")


def test_a_run_of_every_data_set_is_within_the_limits_of_its_settings(tmp_path, make_run):
    from engine.methods.registry import spec_for
    from engine.networks.vae import VAE
    from engine.runs.archive_limits import check_sizes
    from engine.settings.run_config import DATASET_TITLES, RunConfig
    from engine.training.pace import ADAM, ROW_BYTES

    small = {"mnist": 28, "fashion-mnist": 28, "kmnist": 28, "digits": 32}
    grey = {*small, "dsprites", "smallnorb", "smallnorb-instances"}
    for dataset in DATASET_TITLES:
        for conditional in (False, True):
            config = RunConfig(dataset=dataset, conditional=conditional, steps=100_000, latents=20, image_size=128)
            side = (small | {"images": 128, "arrays": 128}).get(dataset, 64)
            shape = (side, side, 1 if dataset in grey else 3)
            weights = sum(t.numel() * 4 for t in VAE(spec_for(config, shape, 10)).state_dict().values())
            sizes = {
                "config.json": 2000,
                "checkpoint/model.safetensors": weights + 5000,
                "checkpoint/trainer-100000.pt": (ADAM - 1) * weights + 20_000,
                "metrics.csv": 2001 * 27 * ROW_BYTES,
                **{f"previews/{n:09d}.png": 12 * 8 * side**2 * shape[2] for n in range(400)},
            }
            check_sizes(sizes, config, "honest.zip")


def test_twenty_thousand_runs_are_checked_in_seconds_and_can_be_cancelled(tmp_path, config):
    (tmp_path / "root").mkdir()
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}/config.json", config)
    job = read_archive(tmp_path / "many.zip", tmp_path / "root")
    start = time.process_time()
    first = next(job)
    # 1.0.0 took more than 25 s before its first event; a linear pass takes under one.
    assert time.process_time() - start < 10
    assert (first.done, first.total) == (0, 20_000)
    next(job)
    job.close()
    assert list((tmp_path / "root").iterdir()) == []


def test_an_archive_that_lists_too_many_files_is_rejected_before_its_directory_is_read(tmp_path):
    from engine.runs.archive_members import DIRECTORY_ENTRY, MAX_FILES

    size = MAX_FILES * DIRECTORY_ENTRY + 1
    content = bytearray(b"PK\x05\x06" + bytes(18))
    content[12:16] = size.to_bytes(4, "little")
    with (tmp_path / "many.zip").open("wb") as file:
        file.truncate(size)
        file.seek(0, io.SEEK_END)
        file.write(content)
    with pytest.raises(RunError, match="more than 100,000 files"):
        list(read_archive(tmp_path / "many.zip", tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_importing_does_not_wait_for_a_pipe_or_device(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    for path in (tmp_path / "pipe.zip", Path("/dev/zero"), tmp_path):
        with pytest.raises(RunError, match="is not a file, so no runs can be imported"):
            list(read_archive(path, tmp_path))


def test_cancelling_after_some_runs_leaves_none_of_them(tmp_path, make_run):
    path = write(tmp_path / "runs.zip", *(make_run(tmp_path / "a", name=f"run {n}") for n in range(4)))
    whole = list(read_archive(path, tmp_path / "whole"))
    assert len(list((tmp_path / "whole").iterdir())) == 4
    for number in range(1, len([event for event in whole if isinstance(event, Progress)]) + 1):
        root = tmp_path / f"root-{number}"
        root.mkdir()
        job = read_archive(path, root)
        for _ in range(number):
            assert isinstance(next(job), Progress)
        job.close()
        assert list(root.iterdir()) == []


def test_complete_runs_before_a_faulty_one_are_imported(tmp_path, config):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("good/config.json", config)
        archive.writestr("bad/config.json", config)
        archive.writestr("bad/checkpoint/model.safetensors", b"\xff" * 100)
        archive.writestr("later/config.json", config)
    (tmp_path / "root").mkdir()
    with pytest.raises(RunError, match="damaged"):
        list(read_archive(tmp_path / "some.zip", tmp_path / "root"))
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["good"]


# Links


def test_targets_of_links_are_not_exported(tmp_path, tiny_copy):
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "000000007.png").write_bytes(b"another picture")
    for name in ("marks.json", "evaluation.json", "held_out.csv"):
        (tiny_copy.path / name).unlink(missing_ok=True)
        (tiny_copy.path / name).symlink_to(secret)
    (tiny_copy.checkpoint_folder / "kept-5.safetensors").symlink_to(secret)
    (tiny_copy.previews_folder / "000000005.png").symlink_to(secret)
    *events, last = write_archive([tiny_copy], tmp_path / "run.zip")
    assert last == Finished(message=f"Saved to {tmp_path / 'run.zip'}")
    [note] = [event.message for event in events if isinstance(event, Warned)]
    for name in ("marks.json", "evaluation.json", "held_out.csv", "checkpoint/kept-5.safetensors",
                 "previews/000000005.png"):  # fmt: skip
        assert name in note
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert all(b"root:x" not in archive.read(name) for name in archive.namelist())
        assert "tiny/checkpoint/model.safetensors" in archive.namelist()
    shutil.rmtree(tiny_copy.previews_folder)
    tiny_copy.previews_folder.symlink_to(elsewhere)
    list(write_archive([tiny_copy], tmp_path / "again.zip"))
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        assert not any("previews" in name for name in archive.namelist())


# Damaged files


def saved(run, path):
    """Archive a damaged run; return the message and the imported run."""
    *_, last = write_archive([run], path)
    [back] = read(path, path.with_suffix(""))
    return last.message, back


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[1]", b'{"state": "wild"}', b'{"step": 1e999}', None])
def test_a_run_with_a_damaged_state_keeps_everything_else_and_a_state_that_says_so(tmp_path, tiny_copy, content):
    # It came back as "new", step 0, with nothing said; before that, its archive was refused.
    file = tiny_copy.path / "state.json"
    file.unlink()
    file.mkdir() if content is None else file.write_bytes(content)
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message == f"Saved to {tmp_path / 'run.zip'}, without the damaged parts of 1 file: tiny: state.json"
    assert_same(back, tiny_copy)
    state = back.state()
    assert state == tiny_copy.state()
    assert state.state == "failed"
    assert re.match(
        r"state\.json (is damaged|cannot be read): .* Resume continues from its last checkpoint\.", state.message
    )
    back.lengthen(None, 65)
    list(train(back))
    assert (back.state().state, back.state().step) == ("finished", 65)


def test_the_valid_parts_of_damaged_marks_and_metrics_are_exported(tmp_path, tiny_copy):
    (tiny_copy.path / "marks.json").write_text('{"name": "thin", "tags": 4, "notes": "mine"}')
    entry = {"value": 1.5, "unit": "nats"}
    (tiny_copy.path / "evaluation.json").write_text(json.dumps({"metrics": {"kl": entry, "mig": {"value": "high"}}}))
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message.endswith(", without the damaged parts of 2 files: thin: evaluation.json, thin: marks.json")
    assert json.loads((back.path / "marks.json").read_text()) == {"name": "thin", "notes": "mine"}
    assert json.loads((back.path / "evaluation.json").read_text()) == {"metrics": {"kl": entry}}


@pytest.mark.parametrize("name", ["marks.json", "evaluation.json"])
@pytest.mark.parametrize("content", [b"\xff", b"", b"[1]", b"[" * 50_000, b" " * 17_000_000], ids=range(5))
def test_small_files_without_any_valid_part_are_left_out(tmp_path, tiny_copy, name, content):
    (tiny_copy.path / name).write_bytes(content)
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message.endswith(f", without the damaged parts of 1 file: {tiny_copy.name}: {name}")
    assert not (back.path / name).exists()
    assert_same(back, tiny_copy)
    assert back.state() == tiny_copy.state()


@pytest.mark.parametrize("line", [b"7,0.5\n", b"inf" + b",inf" * 16 + b"\n", b"7," * 30_000 + b"\n"], ids=range(3))
@pytest.mark.parametrize("name", ["metrics.csv", "held_out.csv"])
def test_the_valid_rows_of_damaged_curves_are_exported(tmp_path, tiny_copy, name, line):
    file = tiny_copy.path / name
    first, second, *rest = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([first, second, line, *rest]))
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message.endswith(f", without the damaged parts of 1 file: tiny: {name}")
    assert (back.path / name).read_bytes() == b"".join([first, second, *rest])


@pytest.mark.parametrize("content", [b"no whole line", header(3).encode() + b"\n", b"a,b\n1,2\n", None], ids=range(4))
@pytest.mark.parametrize("name", ["metrics.csv", "held_out.csv"])
def test_curves_that_do_not_fit_the_run_are_left_out_and_the_rest_is_imported(tmp_path, tiny_copy, name, content):
    file = tiny_copy.path / name
    file.unlink()
    file.mkdir() if content is None else file.write_bytes(content)
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message.endswith(f", without the damaged parts of 1 file: tiny: {name}")
    assert not (back.path / name).exists()
    assert checkpoint_step(back.checkpoint_folder) == 60


def test_damaged_pictures_and_folders_are_named_and_the_rest_is_exported(tmp_path, tiny_copy):
    first, second, *rest = sorted(path.name for path in tiny_copy.previews_folder.iterdir())
    (tiny_copy.previews_folder / first).write_bytes(b"no picture")
    (tiny_copy.previews_folder / second).unlink()
    (tiny_copy.previews_folder / second).mkdir()
    (tiny_copy.checkpoint_folder / "kept-30.safetensors").mkdir()
    (tiny_copy.path / "lock").write_bytes(b"\xff")
    message, back = saved(tiny_copy, tmp_path / "run.zip")
    assert message.endswith(
        f"of 3 files: tiny: checkpoint/kept-30.safetensors, tiny: previews/{first}, tiny: previews/{second}"
    )
    assert sorted(path.name for path in back.previews_folder.iterdir()) == rest
    assert_same(back, tiny_copy)
    for folder in (tiny_copy.previews_folder, tiny_copy.checkpoint_folder):
        shutil.rmtree(folder)
        folder.write_bytes(b"a file")
    message, back = saved(tiny_copy, tmp_path / "again.zip")
    assert message.endswith(", without the damaged parts of 2 files: tiny: checkpoint, tiny: previews")
    assert rows(back) == rows(tiny_copy)


def test_curves_that_are_a_link_are_not_exported(tmp_path, tiny_copy):
    from engine.export.runs import export

    (tmp_path / "secret").write_text("root:x:0:0\nnobody:x\n")
    tiny_copy.metrics_file.unlink()
    tiny_copy.metrics_file.symlink_to(tmp_path / "secret")
    with pytest.raises(RunError, match="is a link"):
        list(export([tiny_copy], tmp_path / "curves.csv"))


def test_an_archive_of_a_folder_with_an_odd_name_can_be_read_again(tmp_path, make_run):
    run = make_run(tmp_path / "a")
    odd = run.path.rename(run.path.with_name("a:b\\c\nd"))
    [back] = read(write(tmp_path / "odd.zip", Run.open(odd)), tmp_path / "root")
    assert back.path.name == "a-b-c-d"


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18])
def test_a_file_that_is_not_an_archive_is_rejected_with_a_message(tmp_path, content):
    (tmp_path / "root").mkdir()
    (tmp_path / "bad.zip").write_bytes(content)
    refused(tmp_path / "bad.zip", tmp_path / "root", "not a .zip file|damaged")


def test_a_missing_archive_gets_a_message(tmp_path):
    with pytest.raises(RunError, match=r"none\.zip cannot be read: No such file"):
        list(read_archive(tmp_path / "none.zip", tmp_path))


class Exploit:
    """An object whose pickle creates a file when loaded."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_code_in_a_trainer_file_is_not_executed(tmp_path, tiny_copy):
    target = tmp_path / "executed"
    for content in (pickle.dumps(Exploit(target)), _torch_pickle(Exploit(target))):
        (tiny_copy.checkpoint_folder / "trainer-60.pt").write_bytes(content)
        [back] = read(write(tmp_path / "run.zip", tiny_copy), tmp_path / "root")
        back.lengthen(None, 80)
        with pytest.raises(CheckpointError, match="damaged"):
            load_trainer(back.checkpoint_folder, load_weights(back.checkpoint_folder))
        with pytest.raises(CheckpointError):
            list(train(back))
        assert not target.exists()


def _torch_pickle(value):
    content = io.BytesIO()
    torch.save({"step": value}, content)
    return content.getvalue()


def test_damaged_archives_are_read_or_rejected_with_a_message_and_leave_nothing_behind(tmp_path, tiny_run):
    # 300 copies with a few bytes changed, cut or inserted; most in the directory at the end, where names and sizes are.
    content = write(tmp_path / "run.zip", tiny_run).read_bytes()
    rng, count = np.random.default_rng(0), 0
    directory = content.rindex(b"PK\x05\x06") - 900
    for number in range(300):
        data = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            where = int(rng.integers(directory if number % 3 else 0, len(data)))
            kind = rng.integers(0, 3)
            if kind == 0:
                data[where] = int(rng.integers(0, 256))
            elif kind == 1:
                del data[where : where + int(rng.integers(1, 20))]
            else:
                data[where:where] = bytes(rng.integers(0, 256, 4, dtype=np.uint8))
            data = data or bytearray(b"PK")
        folder = tmp_path / str(number)
        folder.mkdir()
        (tmp_path / "damaged.zip").write_bytes(data)
        try:
            for run in read(tmp_path / "damaged.zip", folder):
                json.loads((run.path / "config.json").read_text())
        except StudioError:
            count += 1
        assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    assert count > 100
