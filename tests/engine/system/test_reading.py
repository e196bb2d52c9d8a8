"""Untrusted files cost no more than themselves, and bounded time and memory."""

import io
import json
import math
import os
import re
import shutil
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from engine.data import prepare
from engine.data.input_pictures import read_picture
from engine.data.npz import open_npz
from engine.errors import ConfigError, DataError, StudioError
from engine.evaluation.catalogue import METRICS
from engine.evaluation.evaluate import evaluate
from engine.evaluation.protocols import protocol_text
from engine.evaluation.rows import read_row
from engine.evaluation.table import table_of
from engine.export.tensorboard import write_events
from engine.jobs.events import Evaluated, Finished, Imported
from engine.runs import metrics_file
from engine.runs.archive import read_archive, write_archive
from engine.runs.checkpoints import checkpoint_step
from engine.runs.health import CurveData, health
from engine.runs.kept_weights import WEIGHTS, weights_step
from engine.runs.latent_names import latent_names
from engine.runs.metrics_file import LONGEST_LINE, MetricsReader, complete_lines, cut_back, header
from engine.runs.previews import TEXT, is_preview, list_previews, load_preview
from engine.runs.queue import RunQueue
from engine.runs.run import Run, list_runs
from engine.runs.small_files import SMALL_FILES
from engine.settings.folders import chosen_folders
from engine.settings.presets import load_preset, own_presets, unreadable_presets
from engine.studies import load_study, own_studies
from engine.studies.files import unreadable_studies
from engine.system.paths import folders_file, presets_folder, studies_folder
from engine.system.reading import MAX_DEPTH, DamagedError, open_regular, parse_json, read_limited

DIGITS = "9" * 5000
DEEP = "[" * 50_000 + "]" * 50_000

VALUES = {
    "5,000 digits": DIGITS,
    "10^400": "1" + "0" * 400,
    "beyond 2^53": str(2**60),
    "negative": "-1",
    "infinite": "1e999",
    "Infinity": "-Infinity",
    "NaN": "NaN",
    "float": "1.5",
    "true": "true",
    "null": "null",
    "text": '"x"',
    "digits as text": f'"{DIGITS}"',
    "long text": '"' + "a" * 900_000 + '"',
    "surrogate": r'"\ud800"',
    "NUL": r'"\u0000"',
    "list": "[1]",
    "mixed list": '[null, {}, 1e5, "x"]',
    "object": '{"a": 1}',
    "number as key": f'{{"{DIGITS}": "x"}}',
    "another list": "[[[]]]",
    "deep": "[" * 400 + "]" * 400,
    "deeper": DEEP,
}
"""JSON values that none of the application's files contains."""

CONTENTS = {
    "empty": b"",
    "binary": bytes(range(256)) * 20,
    "cut": b'{"a": ',
    "list": b"[1, 2]",
    "number": b"7",
    "null": b"null",
    "deep": DEEP.encode(),
    "deep objects": b'{"a":' * 50_000,
    "large": b'{"a": "' + b"x" * 20_000_000 + b'"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "zeros": bytes(1_000_000),
}

KEYS = {
    "config.json": ("schema", "created", "versions", "resolved", "seed", "latents", "keep_steps", "data_folder", "zz"),
    "state.json": ("state", "step", "total", "message", "zz"),
    "marks.json": ("name", "tags", "colour", "notes", "hidden", "latents", "zz"),
    "evaluation.json": ("run", "name", "step", "checkpoint", "kl_per_latent", "metrics", "zz"),
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_run):
    """A trained and evaluated run."""
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("evaluated") / "tiny"))
    for _ in evaluate(run, ["kl", "mig"]):
        pass
    run.write_marks({"name": "mine", "tags": ["a"], "colour": 3, "latents": {"1": "slant"}})
    return run


@pytest.fixture
def run(tmp_path, evaluated):
    """A copy of it, for one test to change."""
    return Run.open(shutil.copytree(evaluated.path, tmp_path / "tiny"))


def curves_of(reader):
    """The data of the line below the curves."""
    columns = [reader.column(name) for name in ("step", "epoch", "loss", "reconstruction")]
    newest = [math.nan if (value := reader.newest(name)) is None else value for name in ("kl", "capacity")]
    each = reader.kl_per_latent[-1] if len(reader) else reader.column("kl_0")
    return CurveData(*columns, *newest, kl_per_latent=each, steps=50)


def use(path):
    """Use a run folder as the window, the tables and the exports do, and return the problems reported."""
    try:
        run = Run.open(path)
    except StudioError as error:
        return [str(error)]
    state, marks = run.state(), run.marks()
    assert 0 <= state.step <= 10**12
    assert f"{state.step:,} {state.total:,} {state.message}".encode()
    assert f"{run.name_in(marks)} {run.colour_in(marks)} {latent_names(marks)}".encode()
    assert run.name_in(marks)[:1000]
    row = read_row(run)
    table_of([row]).filled()
    for column in METRICS.values():
        if row.value(column.metric) is not None:
            assert protocol_text(row.metrics[column.metric], column).encode()
        assert row.reason(column.metric)
    for file in (run.metrics_file, run.held_out_file):
        reader = MetricsReader(file)
        reader.refresh(200_000)
        while reader.behind:
            reader.refresh(200_000)
        if file == run.metrics_file:
            assert all(sentence.encode() for sentence in health(curves_of(reader)))
        if reader.problem:
            run.problems[file.name] = reader.problem
    for picture in list_previews(run.previews_folder):
        load_preview(picture)
    weights_step(run.checkpoint_folder)
    with suppress(StudioError):
        checkpoint_step(run.checkpoint_folder)
    return list(run.problems.values())


def exported(run, target):
    """Write an archive of a run and return the message, or the error's."""
    try:
        return next(event.message for event in write_archive([run], target) if isinstance(event, Finished))
    except StudioError as error:
        return str(error)


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("name", KEYS)
def test_an_invalid_file_costs_only_itself_and_is_reported(run, name, content):
    (run.path / name).write_bytes(content)
    said = use(run.path)
    assert len(said) == 1
    assert re.search(rf"{name} (is damaged|cannot be read|is not valid): ", said[0])
    assert len(said[0]) < 1000


@pytest.mark.parametrize("name", KEYS)
def test_no_value_anywhere_in_a_small_file_affects_more_than_the_file(run, name):
    file = run.path / name
    before = json.loads(file.read_text())
    for key in KEYS[name]:
        for value in VALUES.values():
            rest = json.dumps({k: v for k, v in before.items() if k != key})[1:-1]
            file.write_text(f'{{"{key}": {value}{", " if rest else ""}{rest}}}')
            said = use(run.path)
            assert len(said) <= 1
            assert all(name in words and len(words) < 1000 for words in said)


def test_an_invalid_metric_is_left_out_and_computed_again(run):
    kept = run.evaluation()
    good = json.dumps(kept["metrics"]["kl"])
    entries = [f'"{key}": {value}' for value in VALUES.values() for key in ("value", "interval", "unit", "protocol")]
    entries += [
        f'"protocol": {{"{key}": {value}}}' for value in VALUES.values() for key in ("n", "factors", "versions")
    ]
    for entry in ["", *(f", {entry}" for entry in entries)]:
        (run.path / "evaluation.json").write_text(
            f'{{"checkpoint": "{kept["checkpoint"]}", "metrics": {{"kl": {good}, "mig": {{"value": 1{entry}}}}}}}'
        )
        assert all("evaluation.json" in words for words in use(run.path))
    [event] = [event for event in evaluate(run, ["kl"]) if isinstance(event, Evaluated)]
    assert event.result["metrics"]["kl"]["value"] == kept["metrics"]["kl"]["value"]


ROW = "10,0.1,1,100,90,2,,1,1"
CURVES = {
    "inf as step": ("inf,0.1,1,100,90,2,,1,1", 1),
    "inf as time": ("10,0.1,inf,100,90,2,,1,1", 1),
    "10^400 as epoch": (f"10,1{'0' * 400},1,100,90,2,,1,1", 1),
    "5,000 digits as step": (f"{DIGITS},0.1,1,100,90,2,,1,1", 1),
    "negative step": ("-10,0.1,1,100,90,2,,1,1", 1),
    "no step": (",0.1,1,100,90,2,,1,1", 1),
    "few columns": ("10,0.1", 1),
    "many columns": (ROW + ",1" * 3000, 1),
    "endless line": ("9" * 3_000_000, 1),
    "binary": ("\x00\x01\xff", 1),
    "infinite values": ("10,0.1,1,inf,-inf,nan,inf,1e300,-1e300", 0),
}


@pytest.mark.parametrize(("line", "left_out"), CURVES.values(), ids=CURVES)
def test_a_line_that_is_not_a_row_is_left_out_and_reported(run, tmp_path, line, left_out):
    first = header(run.config.latents)
    rows = [line if line.count(",") != 8 else line + ",1" * (run.config.latents - 2)]
    good = "20,0.2,2,110,95,2,," + ",".join(["1"] * run.config.latents)
    run.metrics_file.write_text("\n".join([first, *rows, good, ""]), encoding="latin-1")
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    assert reader.column("step").tolist() == [20] if left_out else [10, 20]
    assert all(np.isfinite(values[~np.isnan(values)]).all() for values in map(reader.column, reader.names))
    assert bool(reader.problem) == bool(left_out)
    assert len(use(run.path)) == left_out
    assert ("metrics.csv" in exported(run, tmp_path / "a.zip")) == bool(left_out)
    cut_back(run.metrics_file, lambda step: True)
    assert all(len(text) <= LONGEST_LINE for text in complete_lines(run.metrics_file, 10**12))


@pytest.mark.parametrize(
    "first", ["", "step", "step,epoch,seconds,foo", "9" * 3_000_000, header(2000), header(1) + ",kl_0"]
)
def test_a_file_without_curve_names_is_not_read_further(tmp_path, first):
    path = tmp_path / "metrics.csv"
    path.write_text(f"{first}\n{ROW}\n")
    reader = MetricsReader(path)
    reader.refresh()
    assert (len(reader), reader.behind) == (0, False)
    assert reader.problem == "metrics.csv is damaged: its first line does not name the curves. They are not shown."


def test_an_endless_line_is_read_once_and_each_poll_reads_a_bounded_part(tmp_path, monkeypatch):
    # 1.0.0 read all of it in every poll: 1.8 s for a file of 250 MB.
    path, read = tmp_path / "metrics.csv", []

    class Counted:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def read(self, *size):
            read.append(self.file.read(*size))
            return read[-1]

        def readline(self, *size):
            read.append(self.file.readline(*size))
            return read[-1]

    monkeypatch.setattr(metrics_file, "open_regular", lambda file: Counted(open_regular(file)))
    path.write_text(header(2) + "\n" + "7" * 5_000_000)
    reader = MetricsReader(path)
    total = 0
    for _ in range(100):
        read.clear()
        reader.refresh(200_000)
        assert sum(map(len, read)) <= 200_000 + 2 * LONGEST_LINE
        total += sum(map(len, read))
    assert total <= 5_000_000 + 30 * 2 * LONGEST_LINE
    with path.open("a") as file:
        file.write(f"\n{ROW}\n")
    reader.refresh()
    assert reader.column("step").tolist() == [10]


def png(path, about, size=(224, 84)):
    text = PngImagePlugin.PngInfo()
    text.add_text(TEXT, about)
    path.parent.mkdir(exist_ok=True)
    Image.new("L", size).save(path, "png", pnginfo=text)


@pytest.mark.parametrize("key", ["step", "tile", "images", "latents", "kl"])
def test_a_picture_with_a_hostile_description_is_not_loaded(tmp_path, key):
    good = {"step": 1, "tile": [28, 28, 1], "images": 8, "latents": [1], "kl": [0.5, 1.5]}
    png(tmp_path / "1.png", json.dumps(good))
    assert load_preview(tmp_path / "1.png").latents == (1,)
    for name, value in VALUES.items():
        if name in ("float", "5,000 digits", "long text") or (key, name) == ("latents", "list"):
            continue
        rest = json.dumps({k: v for k, v in good.items() if k != key})[1:-1]
        png(tmp_path / "2.png", f'{{"{key}": {value}, {rest}}}')
        assert load_preview(tmp_path / "2.png") is None
        assert not is_preview(tmp_path / "2.png")


def black_png(side):
    """A valid picture, without the memory and the time that drawing it takes: the compressed zeros repeat."""
    length, part = side * (side + 1), 1_000_000  # each row begins with the number of its filter
    packer = zlib.compressobj(9)
    first, again = (packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    end = packer.compress(bytes(length % part)) + packer.flush()
    checksum = struct.pack(">I", length % 65521 << 16 | 1)  # Adler-32 of zeros
    pixels = first + again * (length // part - 1) + end[:-4] + checksum
    chunks = {b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"IDAT": pixels, b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )


def test_a_black_picture_made_without_drawing_it_is_what_a_drawn_one_is():
    with Image.open(io.BytesIO(black_png(1500))) as picture:
        assert (picture.mode, picture.size, picture.tobytes()) == ("L", (1500, 1500), bytes(1500**2))


def test_junk_in_the_previews_folder_does_not_hide_the_other_previews(run, tmp_path):
    folder = run.previews_folder
    pictures = len(list_previews(folder))
    (folder / f"{'9' * 200}.png").write_bytes(b"x")
    (folder / "٣.png").write_bytes(b"x")
    (folder / "000000007.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    (folder / "000000008.png").mkdir()
    (folder / "000000009.png").write_bytes(black_png(30_000))
    assert len(list_previews(folder)) == pictures + 3
    assert use(run.path) == []
    assert "previews/000000007.png" in exported(run, tmp_path / "a.zip")


HEADS = {
    "empty": b"",
    "huge length": struct.pack("<Q", 2**63),
    "longer than the file": struct.pack("<Q", 500) + b"{}",
    "deep": struct.pack("<Q", len(DEEP)) + DEEP.encode(),
    "no object": struct.pack("<Q", 2) + b"[]",
    "binary": bytes(range(256)),
    **{
        name: struct.pack("<Q", len(text)) + text
        for name, value in VALUES.items()
        if len(value) < 500_000
        for text in [f'{{"__metadata__": {{"step": {value}, "trainer": "trainer-1.pt"}}}}'.encode()]
    },
}


@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_weights_with_a_hostile_header_are_rejected(run, tmp_path, content):
    (run.checkpoint_folder / WEIGHTS).write_bytes(content)
    assert weights_step(run.checkpoint_folder) is None
    with pytest.raises(StudioError, match="is damaged"):
        checkpoint_step(run.checkpoint_folder)
    with pytest.raises(StudioError, match="is damaged"):
        list(evaluate(run))
    assert "is damaged" in exported(run, tmp_path / "a.zip")


QUEUES = {
    "infinite": '[{"run": "a", "more": 1e999}]',
    "digits": f'[{{"run": "a", "more": {DIGITS}}}]',
    "negative": '[{"run": "a", "more": -5}]',
    "above": '[{"run": ".."}]',
    "elsewhere": '[{"run": "/etc"}]',
    "NUL": r'[{"run": "a\u0000"}]',
    "long": f'[{{"run": "{"a" * 5000}"}}]',
    "types": '[{"run": 5}, null, []]',
    "object": '{"run": "a"}',
}


@pytest.mark.parametrize(
    "content", [*(text.encode() for text in QUEUES.values()), *CONTENTS.values()], ids=[*QUEUES, *CONTENTS]
)
def test_a_damaged_queue_is_empty_and_reported(tmp_path, content):
    if content == b"[1, 2]":
        content = b"[3]"
    (tmp_path / "queue.json").write_bytes(content)
    queue = RunQueue(tmp_path)
    assert (queue.waiting, queue.take()) == ((), None)
    assert "queue.json is damaged: " in queue.problem
    assert len(queue.problem) < 1000


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_damaged_choice_of_folders_counts_as_none_and_is_reported(content):
    file = folders_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_bytes(content)
        folders = chosen_folders()
        assert (folders.runs, folders.data_cache) == (None, None)
        assert "is damaged: " in folders.problem
        for value in ("5", '"here"', r'"/\u0000"', f'"/{"a" * 5000}"'):
            file.write_text(f'{{"runs": {value}}}')
            assert chosen_folders().problem.endswith("choose yours again in the settings.")
    finally:
        file.unlink()


TOML = {
    "empty": "",
    "deep": f"a = {DEEP}",
    "deep tables": "a = " + "{b = " * 50_000,
    "digits": f"a = {DIGITS}",
    "infinite": "title = 'x'\ndescription = 'x'\n[settings]\nbeta = inf",
    "dotted": "a" + ".a" * 100_000 + " = 1",
    "types": "title = 5\ndescription = [1]\nsettings = 3",
    "dates": "title = 1979-05-27\ndescription = 07:32:00\n[settings]\nseed = 1979-05-27T07:32:00Z",
    "large": "# " + "x" * 20_000_000,
    "tables": "title = 'x'\nabout = 'x'\nseeds = [[1]]\nmetrics = [['kl']]\nmethods = [[1]]",
    "metrics": "title = 'x'\nabout = 'x'\nseeds = [1]\nmetrics = [{}]\nmethods = [{title = 'x'}]",
    "runs": f"title = 'x'\nabout = 'x'\nseeds = {[*range(1000)]}\nmetrics = ['kl']\n"
    + "".join(f"[[methods]]\ntitle = '{i}'\nbeta = {i / 10}\nobjective = 'beta-vae'\n" for i in range(11)),
}


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_a_hostile_preset_or_study_gets_a_message_and_does_not_hide_others(tmp_path, text):
    for folder, load, own, unreadable in (
        (presets_folder(), load_preset, own_presets, unreadable_presets),
        (studies_folder(), load_study, own_studies, unreadable_studies),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "hostile.toml"
        file.write_text(text)
        try:
            with pytest.raises(ConfigError) as error:
                load(file)
            assert len(str(error.value)) < 5000
            assert own() == []
            assert list(unreadable()) == ["hostile.toml"]
        finally:
            file.unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only Unix has FIFOs")
@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")], ids=["FIFO", "folder", "zeros"]
)
def test_reading_does_not_wait_for_anything_but_regular_files(run, tmp_path, make):
    names = [*KEYS, "metrics.csv", "held_out.csv", f"checkpoint/{WEIGHTS}", "previews/000000030.png"]
    for name in names:
        kept = run.path / name
        kept.rename(run.path / "aside")
        make(kept)
        use(run.path)
        assert exported(run, tmp_path / "a.zip")
        with suppress(StudioError):
            list(evaluate(run, ["kl"]))
        kept.rmdir() if kept.is_dir() else kept.unlink()
        (run.path / "aside").rename(kept)
    assert use(run.path) == []
    for read in (RunQueue, lambda root: load_preset(root / "queue.json"), lambda root: load_study(root / "queue.json")):
        with suppress(StudioError):
            make(tmp_path / "queue.json")
            read(tmp_path)
        path = tmp_path / "queue.json"
        path.rmdir() if path.is_dir() else path.unlink()
    make(tmp_path / "data.npz")
    for read in (lambda path: open_npz(path).__enter__(), read_picture):
        with pytest.raises(DataError, match=r"not a regular file"):
            read(tmp_path / "data.npz")


def archive_of(path, folder):
    """Zip a folder as it is, damaged or not."""
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, f"run/{file.relative_to(folder)}")
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "marks.json",
            f'{{"latents": {{"{DIGITS}": "x"}}}}',
            f"marks.json is damaged: latents: '{'9' * 20}' is",
        ),
        ("marks.json", DEEP, "marks.json is damaged"),
        ("state.json", f'{{"state": "finished", "step": 1{"0" * 400}}}', "state.json is damaged"),
        ("evaluation.json", '{"metrics": {"kl": 5}}', "evaluation.json is damaged"),
        ("metrics.csv", header(10) + "\n" + "9" * 100_000 + "\n", "metrics.csv is damaged"),
        ("metrics.csv", header(10) + "\n" + ",".join(["inf"] * 17) + "\n", "metrics.csv is damaged"),
        ("held_out.csv", "step,what\n", "held_out.csv is damaged"),
        ("previews/000000031.png", "x", "previews/000000031.png is damaged"),
        ("config.json", f'{{"data_folder": "/{"a" * 5000}"}}', "data_folder is"),
    ],
)
def test_an_archive_with_a_damaged_file_is_rejected_with_a_message(run, tmp_path, name, content, words):
    (run.path / name).write_text(content)
    with pytest.raises(StudioError, match=f"holds no readable run: .*{re.escape(words)}") as error:
        list(read_archive(archive_of(tmp_path / "a.zip", run.path), tmp_path / "runs"))
    assert len(str(error.value)) < 1000
    assert list_runs(tmp_path / "runs") == []


def test_an_archive_leaves_damaged_files_out_and_can_be_imported(run, tmp_path):
    (run.path / "marks.json").write_text(DEEP)
    (run.path / "metrics.csv").write_text("x\n")
    damaged = "without the damaged parts of 2 files: tiny: marks.json, tiny: metrics.csv"
    assert exported(run, tmp_path / "a.zip").endswith(damaged)
    [event] = [event for event in read_archive(tmp_path / "a.zip", tmp_path / "runs") if isinstance(event, Imported)]
    assert use(event.run) == []


def test_tensorboard_export_uses_whatever_can_be_read(run, tmp_path):
    run.metrics_file.write_text(f"{header(2)}\n{DIGITS},0,0,1,1,1,,1,1\n10,0.1,inf,1,1,1,,1,1\n20,0.1,2,inf,1,1,,1,1\n")
    (run.previews_folder / "000000007.png").write_bytes(b"junk")
    assert [event for event in write_events([run], tmp_path / "events") if isinstance(event, Finished)]


@pytest.mark.parametrize("name", ["/" + "a" * 5000, "/" + "/a" * 5000, "/a\0b", "/" + "a" * 300])
def test_an_impossible_data_folder_gets_a_message(run, tmp_path, name):
    (run.path / "config.json").write_text(
        json.dumps(json.loads((run.path / "config.json").read_text()) | {"data_folder": name})
    )
    with pytest.raises(StudioError) as error:
        list(evaluate(Run.open(run.path), ["reconstruction_train_mean"]))
    assert len(str(error.value)) < 1500
    for dataset in ("dsprites", "mnist", "images", "arrays"):
        with pytest.raises(DataError):
            list(prepare(dataset, type(tmp_path)(name)))


def test_damaged_marks_are_kept_beside_the_new_ones(run):
    (run.path / "marks.json").write_text('{"notes": "long thoughts')
    run.marks()
    run.write_marks({"colour": 2})
    assert (run.path / "marks-damaged.json").read_text() == '{"notes": "long thoughts'
    assert run.marks() == {"colour": 2}


def test_settings_damaged_while_a_run_is_open_are_not_overwritten(run):
    (run.path / "config.json").write_text("{")
    run.lengthen(None, 500)
    with pytest.raises(StudioError, match=r"config\.json is damaged"):
        run.keep_length()
    assert (run.path / "config.json").read_text() == "{"


def test_reading_stops_at_its_limit(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**40)  # a sparse file of a terabyte
    for name, most in SMALL_FILES.items():
        with pytest.raises(DamagedError, match=f"more than {most:,} bytes"):
            read_limited(path, most)
        assert name


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_counted_in_levels(depth):
    text = "[" * depth + "]" * depth
    if depth <= MAX_DEPTH:
        assert parse_json(text)
    else:
        with pytest.raises(DamagedError, match="32 levels"):
            parse_json(text)
