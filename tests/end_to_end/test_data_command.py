"""Real-world data on the command line: prepared, trained on, decoded by the names of their classes."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

import main
from engine.data.dsprites import SHAPES
from engine.runs.run import Run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def grey(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 40), level).save(path)


SHORT = ("--objective", "beta-vae", "--steps", 3, "--set", "batch_size=8", "--set", "latents=2", "--device", "cpu")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["mnist", "--data", "/nope"], 1, "The data folder /nope does not exist"),
        (["kmnist", "--data", "."], 1, "has no train-images-idx3-ubyte"),
        (["dsprites", "--data", "/nope"], 1, "/nope does not exist"),
        (["images", "--data", "/nope"], 1, "/nope does not exist"),
        (["images"], 1, "Choose a folder of pictures"),
        (["arrays", "--data", "/nope"], 1, "/nope does not exist"),
        (["digits", "--data", "/nope"], 2, "takes no folder; leave --data out"),
    ],
)
def test_what_cannot_be_loaded_is_not_said_to_be_ready(capsys, monkeypatch, tmp_path, arguments, status, words):
    monkeypatch.chdir(tmp_path)
    assert main.main(["datasets", "prepare", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_damaged_files_are_not_said_to_be_ready(capsys, tmp_path, digits_folder):
    import shutil

    folder = shutil.copytree(digits_folder, tmp_path / "digits")
    assert main.main(["datasets", "prepare", "mnist", "--data", str(folder)]) == 0
    assert "is ready" in capsys.readouterr().out
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    assert main.main(["datasets", "prepare", "mnist", "--data", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "t10k-labels-idx1-ubyte" in err


def test_data_that_a_data_set_does_not_take_are_refused(run_main, tmp_path):
    for command in (["train", "--dataset", "digits"], ["datasets"]):
        assert run_main(*command, "--data", tmp_path)[0] == 2 or command == ["datasets"]
    assert not (tmp_path / "runs").exists()
    assert main.main(["datasets", "--data", str(tmp_path)]) == 2


def test_what_was_left_out_is_said_when_data_are_prepared(capsys, tmp_path):
    for i in range(4):
        grey(tmp_path / "p" / f"{i}.png", 100)
    (tmp_path / "p" / "a.heic").touch()
    assert main.main(["datasets", "prepare", "images", "--data", str(tmp_path / "p")]) == 0
    out, err = capsys.readouterr()
    assert out == "p is ready\n"
    assert "Note: Left out because they are not readable pictures: 1 .heic." in err


def test_a_label_is_the_name_of_a_class(run_main, tmp_path):
    names = ("1", "2", "3", "10", "11", "20")
    for name in names:
        for i in range(4):
            grey(tmp_path / "numbered" / name / f"{i}.png", 10 * int(name))
    data = ["--dataset", "images", "--data", tmp_path / "numbered", "--conditional"]
    assert run_main("train", *data, *SHORT, "--name", "r")[0] == 0
    run = Run.open(tmp_path / "runs" / "r")
    for name in ("2", "10"):
        status, *_ = run_main("traverse", "r", "--output", tmp_path / "t.npz", "--label", name)
        assert status == 0
        with np.load(tmp_path / "t.npz") as file:
            assert int(file["label"]) == names.index(name)
            assert str(file["label_name"]) == name
            assert f", label {name}: z" in str(file["caption"])
    status, _, err = run_main("traverse", "r", "--output", tmp_path / "t.npz", "--label", "4")
    assert status == 2
    assert "There is no class '4' in numbered. Its classes are: 1, 2, 3, 10, 11, 20." in err
    # Without the folder the names are not known, and a number is not taken for one.
    (tmp_path / "numbered").rename(tmp_path / "moved")
    status, _, err = run_main("traverse", "r", "--output", tmp_path / "t.npz", "--prior", "--label", "2")
    assert status == 2
    assert "class 0, class 1" in err
    assert run.config.conditional


def test_a_label_of_arrays_is_its_value(run_main, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(24) % 3 * 5 - 5)  # -5, 0, 5
    run_main("train", "--dataset", "arrays", "--data", tmp_path / "a.npz", "--conditional", *SHORT, "--name", "r")
    for name, number in (("-5", 0), ("0", 1), ("5", 2)):
        assert run_main("traverse", "r", "--output", tmp_path / "t.npz", f"--label={name}")[0] == 0
        with np.load(tmp_path / "t.npz") as file:
            assert (int(file["label"]), str(file["label_name"])) == (number, name)


def test_a_label_of_dsprites_is_a_shape(run_main, tmp_path, shared_data):
    data = ["--dataset", "dsprites", "--data", shared_data / "dsprites", "--conditional"]
    assert run_main("train", *data, *SHORT, "--name", "r")[0] == 0
    for name in ("heart", "Square"):
        assert run_main("traverse", "r", "--output", tmp_path / "t.npz", "--label", name)[0] == 0
        with np.load(tmp_path / "t.npz") as file:
            assert int(file["label"]) == SHAPES.index(name.lower())
    status, _, err = run_main("traverse", "r", "--output", tmp_path / "t.npz", "--label", "1")
    assert status == 2
    assert "Its classes are: square, ellipse, heart." in err


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_smallest_folders_train_or_a_sentence_says_why_not(run_main, tmp_path, count):
    for i in range(count):
        grey(tmp_path / "p" / f"{i}.png", 100)
    status, out, err = run_main("train", "--dataset", "images", "--data", tmp_path / "p", *SHORT)
    assert status == 0, err
    assert Run.open(tmp_path / "runs" / out.strip().split("/")[-1]).state().state == "finished"
    assert run_main("evaluate", "beta-vae-images-0")[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_folder_whose_name_is_not_utf_8_is_trained_on_and_evaluated(run_main, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    for name in (os.fsdecode(b"t\xe9"), "lait"):
        for i in range(6):
            grey(folder / name / f"{i}.png", 20 * i)
    data = ["--dataset", "images", "--data", folder, "--conditional"]
    status, _, err = run_main("train", *data, *SHORT, "--name", "r")
    assert status == 0, err
    for command in (["evaluate", "r", "--json"], ["latents", "r", "--output", tmp_path / "l.npz"]):
        assert run_main(*command)[0] == 0
    status, *_ = run_main("traverse", "r", "--output", tmp_path / "t.png", "--label", "lait")
    assert status == 0
    assert (tmp_path / "t.png").exists()
    run_main("export", "r", "--output", tmp_path / "r.zip")
    assert run_main("import", tmp_path / "r.zip")[0] == 0
