"""The command line, as scripts use it: names, files, exit codes, and one line on stderr when something is wrong."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import main
from engine.cli import main as cli
from engine.evaluation import evaluate as evaluating
from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run
from engine.settings.folders import remember_data
from engine.system.schedule import Schedule

ROOT = Path(__file__).resolve().parents[2]


SETTINGS = ("network=burgess", "batch_size=8", "log_steps=10", "checkpoint_steps=20", "preview_steps=20")
SMALL = tuple(word for setting in SETTINGS for word in ("--set", setting))


def test_train_evaluate_traverse_and_resume(run_main, digits_folder, tmp_path):
    status, out, _ = run_main(
        "train",
        "--dataset",
        "mnist",
        "--data",
        digits_folder,
        "--objective",
        "beta-vae",
        "--steps",
        40,
        "--seed",
        3,
        *SMALL,
    )
    assert status == 0
    folder = Path(out.splitlines()[-1])
    assert folder == tmp_path / "runs" / "beta-vae-mnist-3"
    config = json.loads((folder / "config.json").read_text())
    assert (config["schema"], config["seed"], config["batch_size"]) == (2, 3, 8)
    assert config["data_folder"] == str(digits_folder)
    assert config["resolved"]["threads"] >= 1

    status, out, _ = run_main("evaluate", "beta-vae-mnist-3", "--json")
    [result] = json.loads(out)
    assert status == 0
    assert (result["step"], result["method"], result["supervision"]) == (40, "β-VAE", "unsupervised")
    headline = result["metrics"]["reconstruction"]
    assert headline["protocol"]["split"] == "test"
    assert headline["protocol"]["n"] == 297
    low, high = headline["interval"]
    assert low < headline["value"] < high

    status, out, err = run_main("evaluate", folder, "--format", "csv", "--by-method")
    assert status == 0
    assert out.splitlines()[1].startswith("β-VAE,unsupervised,MNIST,1,")
    assert "No mig, " not in out
    assert err.count("MNIST has no ground-truth factors") == 1
    status, out, _ = run_main("evaluate", folder, "--metrics", "kl, mig")
    first, second = out.splitlines()
    assert re.fullmatch(r"β-VAE · 3  kl  [\d.]+ nats  \(95 %: [\d.]+ to [\d.]+\)", first)
    assert second == "β-VAE · 3  mig  MNIST has no ground-truth factors"

    picture = tmp_path / "out" / "grid.png"
    status, out, _ = run_main("traverse", folder, "--output", picture, "--steps", 5, "--latents", "1,2")
    assert status == 0
    assert out.strip() == str(picture)
    with Image.open(picture) as image:
        assert image.width > image.height > 100

    arrays = tmp_path / "grid.npz"
    assert run_main("traverse", folder, "--output", arrays, "--steps", 5, "--range", -2, 2)[0] == 0
    with np.load(arrays, allow_pickle=False) as saved:
        assert saved["images"].shape == (10, 5, 28, 28, 1)
        assert saved["values"].tolist() == [-2, -1, 0, 1, 2]

    status, out, _ = run_main("resume", "beta-vae-mnist-3", "--steps", 55)
    assert status == 0
    assert checkpoint_step(folder / "checkpoint") == 55
    assert Run.open(folder).state().state == "finished"


def test_a_taken_name_gets_a_suffix(run_main, digits_folder):
    arguments = ("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 1, "--name", "mine")
    names = [Path(run_main(*arguments)[1].splitlines()[-1]).name for _ in range(2)]
    assert names == ["mine", "mine-2"]


def test_settings_can_come_from_another_run(run_main, digits_folder, tmp_path):
    run_main("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 1, "--name", "a", "--set", "gamma=7")
    run_main("train", "--config", tmp_path / "runs" / "a" / "config.json", "--name", "b", "--seed", 9)
    config = Run.open(tmp_path / "runs" / "b").config
    assert (config.value("gamma"), config.seed, config.steps) == (7, 9, 1)


def test_a_weight_may_rise_and_fall_and_the_last_word_on_the_capacity_counts(run_main, digits_folder, tmp_path):
    train = ("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 4, "--set", "log_steps=1")
    former = ("--set", "capacity_epochs=2", "--set", "capacity_max=5")
    run_main(*train, *former, "--set", "gamma=9 to 1 over 4 steps", "--name", "a")
    run = Run.open(tmp_path / "runs" / "a")
    assert run.config.value("capacity") == Schedule(0, 5, 2)
    with run.metrics_file.open() as file:
        assert [row["gamma"] for row in csv.DictReader(file)] == ["7", "5", "3", "1"]
    config = ("--config", run.path / "config.json")
    for name, given, expected in (
        ("b", ["capacity_max=7"], Schedule(0, 7, 2)),
        ("c", ["capacity=0 to 9 over 50 % cosine", "capacity_max=7"], Schedule(0, 7, 50, "%", "cosine")),
        ("d", ["capacity_max=7", "capacity=3"], 3),
        ("e", ["capacity_max=7", "capacity=3", "capacity_max=8"], 8),
    ):
        run_main("train", *config, "--steps", 1, "--name", name, *(part for each in given for part in ("--set", each)))
        assert Run.open(tmp_path / "runs" / name).config.value("capacity") == expected
    status, _, err = run_main(*train, "--set", "gamma=0 to 4 in 3 epochs")
    assert (status, err.count("\n")) == (2, 1)
    assert "gamma is '0 to 4 in 3 epochs'; it must be a number from 0 to 100,000, or a schedule" in err


def test_the_ramp_that_does_not_end_in_time_is_said(run_main, digits_folder):
    _, _, err = run_main("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 2)
    assert "C will reach only" in err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nonsense"], 2, "nonsense"),
        (["train", "--objective", "gan"], 2, "objective is 'gan'; it must be one of vae, beta-vae"),
        (["train", "--epochs", "many"], 2, "epochs is 'many'; it must be a whole number from 1"),
        (["train", "--set", "learning_rate=5"], 2, "learning_rate is '5'; it must be a number from 1e-07 to 1"),
        (["train", "--set", "learningrate=5"], 2, "There is no setting 'learningrate'"),
        (["train", "--set", "gamma"], 2, "--set gamma has no value"),
        (["train", "--config", "nowhere.json"], 2, "nowhere.json cannot be read"),
        (["train", "--dataset", "mnist", "--data", "nowhere", "--steps", "1"], 1, "does not exist"),
        (["evaluate", "nothing"], 1, "There is no run 'nothing'"),
        (["resume", "nothing"], 1, "There is no run 'nothing'"),
        (["traverse", "nothing", "--output", "x.jpg"], 2, "x.jpg does not end in a known format"),
        (["evaluate"], 2, "RUN"),
        (["export", "nothing", "--output", "x.jpg"], 2, "x.jpg does not end in a known format"),
        (["export", "nothing", "--output", "x.csv"], 1, "There is no run 'nothing'"),
        (["export", "nothing", "--output", "x.zip", "--tensorboard"], 2, "--tensorboard writes to a folder"),
        (["export", "nothing"], 2, "--output"),
        (["export", "nothing", "--output", "x.csv", "--score", "kl"], 2, "x.csv does not end in a known format"),
        (
            ["export", "nothing", "--output", "x", "--score", "kl", "--tensorboard"],
            2,
            "and --onnx out",
        ),
        (["import", "nothing.zip"], 1, "nothing.zip cannot be read"),
        (["train", "--epochs", "1", "--steps", "1"], 2, "not allowed with"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(run_main, arguments, status, words):
    code, out, err = run_main(*arguments)
    assert code == status
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert out == ""


def test_a_wrong_field_in_a_config_file_names_the_file_and_the_field(run_main, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"schema": 1, "latents": 0}')
    status, _, err = run_main("train", "--config", file)
    assert status == 2
    assert f"{file}: latents is 0; it must be a whole number from 1 to 256." in err


def test_a_truncated_data_file_is_named(run_main, digits_folder, tmp_path):
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in digits_folder.iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[:-100] if file.name.startswith("train-images") else content)
    status, _, err = run_main("train", "--dataset", "mnist", "--data", folder, "--steps", 1)
    assert status == 1
    assert "train-images-idx3-ubyte" in err
    assert list((tmp_path / "runs").iterdir()) == []  # nothing trained: no empty run is left


def test_six_trainings_that_cannot_begin_leave_no_run_behind(run_main, tmp_path):
    nowhere = tmp_path / "nowhere"
    (tmp_path / "pictures").mkdir()
    for arguments in (
        ("--dataset", "mnist", "--data", nowhere),
        ("--dataset", "images", "--data", nowhere),
        ("--dataset", "images", "--data", tmp_path / "pictures"),
        ("--dataset", "images"),
        ("--dataset", "arrays", "--data", nowhere),
        ("--dataset", "digits", "--steps", 1, "--device", "mps"),
    ):
        status, out, err = run_main("train", *arguments)
        assert status in (1, 2), err
        assert (out, len(err.strip().splitlines())) == ("", 1)
        assert list((tmp_path / "runs").glob("*")) == []


def test_a_checkpoint_cut_in_half_is_a_sentence_and_loses_nothing(run_main, digits_folder, tmp_path):
    run_main("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 20, "--name", "r", *SMALL)
    folder = tmp_path / "runs" / "r"
    weights = folder / "checkpoint" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    curves = (folder / "metrics.csv").read_bytes()
    for command in (
        ["evaluate", "r"],
        ["traverse", "r", "--output", tmp_path / "t.png"],
        ["resume", "r", "--steps", "30"],
    ):
        status, _, err = run_main(*command)
        assert status == 1
        assert "is damaged" in err
        assert "Traceback" not in err
    assert (folder / "metrics.csv").read_bytes() == curves


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main.main(["train", "--steps", "1", "--runs", str(blocked)]) == 1
    assert "cannot be saved" in capsys.readouterr().err


def test_a_run_cannot_be_made_shorter_than_it_is(run_main, digits_folder, tmp_path):
    run_main("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 20, "--name", "r", *SMALL)
    status, _, err = run_main("resume", "r", "--steps", 10)
    assert status == 2
    assert "already at step 20" in err
    assert Run.open(tmp_path / "runs" / "r").config.steps == 20


def test_datasets_lists_and_prepares(run_main, drawn_dsprites, capsys):
    assert main.main(["datasets", "prepare", "dsprites"]) == 0
    assert "737,280 images" in capsys.readouterr().out
    assert main.main(["datasets"]) == 0
    out = capsys.readouterr().out
    assert "dsprites" in out
    assert "mnist" in out
    assert "ready" in out
    assert main.main(["datasets", "prepare", "cifar"]) == 2
    assert "There is no data set 'cifar'" in capsys.readouterr().err


def test_the_demo_leaves_curves_pictures_and_a_table(run_main, drawn_dsprites, tmp_path, monkeypatch):
    preset = cli.quick_preset()
    short = preset.config.changed(steps=12, log_steps=2, preview_steps=6, network="burgess")
    monkeypatch.setattr(cli, "quick_preset", lambda: type(preset)("x", preset.title, preset.description, short))
    monkeypatch.setattr(evaluating, "sample_of", partial(evaluating.sample_of, limit=200))  # of 10,000
    status, out, err = run_main("demo", "--output", tmp_path / "report")
    assert status == 0, err
    folder = Path(out.splitlines()[-1])
    assert folder == tmp_path / "report"
    for name in ("curves.png", "reconstructions.png", "traversal.png"):
        with Image.open(folder / name) as image:
            assert np.asarray(image.convert("L")).std() > 5  # something is drawn
    assert "| Reconstruction ↓ (nats) |" in (folder / "table.md").read_text()


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]


def test_ctrl_c_saves_a_checkpoint_prints_the_folder_and_exits_130(digits_folder, tmp_path):
    process = subprocess.Popen(
        command(
            "train", "--dataset", "mnist", "--data", digits_folder, "--steps", 1_000_000, "--runs", tmp_path, *SMALL
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = tmp_path / "annealed-relu-mnist-0"
    while process.poll() is None and not (folder / "checkpoint" / "model.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == str(folder)
    run = Run.open(folder)
    assert run.state().state == "stopped"
    assert checkpoint_step(run.checkpoint_folder) == run.state().step
    assert "Traceback" not in err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_a_terminal_that_closes_saves_a_checkpoint(digits_folder, tmp_path):
    code, run = _ended_by(signal.SIGHUP, digits_folder, tmp_path)
    assert code == 130
    assert run.state().state == "stopped"
    assert checkpoint_step(run.checkpoint_folder) == run.state().step > 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_with_nohup_a_terminal_that_closes_ends_nothing(digits_folder, tmp_path):
    code, run = _ended_by(signal.SIGHUP, digits_folder, tmp_path, "nohup", steps=150)
    assert code == 0
    assert run.state().state == "finished"


def _ended_by(number, digits_folder, tmp_path, *before, steps=1_000_000):
    train = ("train", "--dataset", "mnist", "--data", digits_folder, "--steps", steps, "--runs", tmp_path, *SMALL)
    process = subprocess.Popen([*before, *command(*train)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    folder = tmp_path / "annealed-relu-mnist-0"
    while process.poll() is None and not (folder / "checkpoint" / "model.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=120)
    return process.returncode, Run.open(folder)


STREAMS = {
    "stderr closed": "2>&-",
    "stdout closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "stderr full": "2>/dev/full",
    "stdout full": ">/dev/full",
    "both full": ">/dev/full 2>/dev/full",
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("streams", STREAMS.values(), ids=STREAMS)
def test_streams_that_take_nothing_do_not_end_a_training(digits_folder, tmp_path, streams):
    train = ("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 20, "--runs", tmp_path, *SMALL)
    done = subprocess.run(
        ["sh", "-c", f'"$@" {streams}', "sh", *command(*train)], capture_output=True, text=True, timeout=120
    )
    [folder] = tmp_path.iterdir()
    assert Run.open(folder).state().state == "finished"
    assert checkpoint_step(folder / "checkpoint") == 20
    full = ">/dev/full" in streams.split()
    assert done.returncode == (1 if full else 0)  # the folder's name was wanted, and did not arrive
    assert done.stdout in ("", f"{folder}\n")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if streams == ">/dev/full":
        last = done.stderr.splitlines()[-1]
        assert last == (
            "main.py: Standard output cannot be written: No space left on device. "
            "Everything computed and saved so far is kept."
        )
    if streams == "2>&-":
        assert done.stdout == f"{folder}\n"  # and no message is in it


def test_a_reader_of_stderr_that_is_gone_does_not_end_a_training(digits_folder, tmp_path):
    train = ("train", "--dataset", "mnist", "--data", digits_folder, "--steps", 40, "--runs", tmp_path, *SMALL)
    process = subprocess.Popen(command(*train), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stderr.close()
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, f"{tmp_path / 'annealed-relu-mnist-0'}\n")
    assert Run.open(Path(out.strip())).state().state == "finished"


def test_without_a_screen_the_app_says_so_and_runs_the_demo(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    process = subprocess.Popen(
        command("--runs", tmp_path), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "demo" / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 2):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "There is no screen here" in err
    assert out.strip() == str(tmp_path / "demo")
    assert process.returncode == 130


def test_the_engine_and_the_command_line_load_no_qt_and_help_loads_no_torch():
    code = (
        "import sys, main\ntry: main.main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'PySide6', 'cv2', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_export_and_import(run_main, tiny_run, tmp_path):
    archive = tmp_path / "out" / "tiny.zip"
    assert run_main("export", tiny_run.path, "--output", archive)[:2] == (0, f"{archive}\n")
    for name in ("tiny", "tiny-2"):
        status, out, _ = run_main("import", archive)
        assert (status, out) == (0, f"{tmp_path / 'runs' / name}\n")
    picture = tmp_path / "out" / "curves.png"
    assert run_main("export", "tiny", "tiny-2", "--output", picture)[:2] == (0, f"{picture}\n")
    with Image.open(picture) as image:
        assert np.asarray(image.convert("L")).std() > 5
    events = tmp_path / "events"
    pytest.importorskip("tensorboard")
    scores = tmp_path / "scores.svg"
    status, _, err = run_main("export", "tiny", "tiny-2", "--output", scores, "--score", "kl")
    assert (status, err) == (2, "main.py: No run has both KL divergence and training steps: evaluate the runs first.\n")
    run_main("evaluate", "tiny", "--metrics", "kl")
    assert run_main("export", "tiny", "tiny-2", "--output", scores, "--score", "kl")[:2] == (0, f"{scores}\n")
    assert "Training steps" in scores.read_text(encoding="utf-8")
    assert run_main("export", "tiny", "--output", events, "--tensorboard")[:2] == (0, f"{events}\n")
    assert len(list(events.glob("*/events.out.tfevents.*"))) == 1


def test_a_run_whose_data_cannot_be_used_leaves_no_folder(run_main, tmp_path, monkeypatch):
    import torchvision.datasets

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # no network in a test
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        (("--data", tmp_path / "nope"), "does not exist"),
        (("--data", tmp_path / "empty"), "has no train-images-idx3-ubyte"),
        ((), "could not be downloaded"),
    ):
        status, out, err = run_main("train", "--dataset", "mnist", *arguments)
        assert (status, out) == (1, "")
        assert words in err
        assert len(err.splitlines()) == 1
        assert not list((tmp_path / "runs").glob("*"))


def test_a_run_takes_the_remembered_folder_of_its_data_set_unless_told_otherwise(run_main, tmp_path, digits_folder):
    remember_data("mnist", digits_folder)
    status, out, _ = run_main("train", "--dataset", "mnist", "--steps", 5, *SMALL)
    assert status == 0
    assert Run.open(Path(out.strip())).config.data_folder == digits_folder
    status, _, err = run_main("train", "--dataset", "mnist", "--data", tmp_path / "nope", "--steps", 5, *SMALL)
    assert status == 1
    assert str(tmp_path / "nope") in err
