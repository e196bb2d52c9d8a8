"""A run whose data were replaced, in evaluate, resume, traverse, latents, studies and archives.

The inputs are those of `changing` in shared/cases/make.py: 600 images of a square, and in the second file the same
images inverted and the factors shuffled.
"""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from engine.cli import main as cli
from engine.data import fingerprint_of, load_dataset
from engine.errors import ChangedError
from engine.evaluation.evaluate import evaluate
from engine.evaluation.rows import UNKNOWN_DATA, read_row
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import markdown
from engine.export.traversal import save_latents
from engine.jobs.events import Evaluated, Imported, Warned
from engine.runs.archive import read_archive, write_archive
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig
from engine.studies import cell_states, load_study, run_study
from engine.training.lengthening import lengthen, lengthen_by
from engine.training.trainer import train
from engine.training.unchanged import check_unchanged

CHANGED = "the images and the factors"


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """own-1.npz and own-2.npz."""
    folder = tmp_path_factory.mktemp("changing")
    rng, n = np.random.default_rng(0), 600
    factors = np.stack([np.arange(n) % 6, np.arange(n) // 6 % 10], 1)
    images = np.zeros((n, 32, 32), np.uint8)
    for i, (a, b) in enumerate(factors):
        images[i, 2 + a * 4 : 8 + a * 4, 1 + b * 2 : 7 + b * 2] = 255
    names = np.array(["row", "column"])
    np.savez(folder / "own-1.npz", images=images, factors=factors, factor_names=names)
    np.savez(folder / "own-2.npz", images=255 - images, factors=rng.permutation(factors), factor_names=names)
    return folder


def settings(data, **changes):
    base = {
        "dataset": "arrays" if data.suffix else "images",
        "data_folder": data,
        "objective": "vae",
        "network": "burgess",
        "latents": 4,
        "batch_size": 32,
        "steps": 30,
        "device": "cpu",
        "threads": 1,
        "log_steps": 10,
        "checkpoint_steps": 10,
        "preview_steps": 30,
        "image_size": 32,
    }
    return RunConfig.parse(base | changes)


@pytest.fixture(scope="session")
def made(tmp_path_factory, files):
    """A run that was trained on own-1.npz, at data.npz, and evaluated with metrics that need no factors."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(files / "own-1.npz", folder / "data.npz")
    run = Run.create(folder / "runs", settings(folder / "data.npz"), "changing")
    list(train(run))
    list(evaluate(Run.open(run.path), ["reconstruction", "kl"]))
    return folder


@pytest.fixture
def replaced(tmp_path, made, files):
    """A copy of that run whose data were replaced by own-2.npz, and the path of the data."""
    shutil.copytree(made / "runs", tmp_path / "runs")
    data = tmp_path / "data.npz"
    shutil.copy(files / "own-2.npz", data)
    about = tmp_path / "runs/changing/config.json"
    values = json.loads(about.read_text())
    about.write_text(json.dumps(values | {"data_folder": str(data)}))
    return Run.open(about.parent), data


def content_of(run):
    return {file: file.read_bytes() for file in sorted(run.path.rglob("*")) if file.is_file() and file.name != "lock"}


def warnings_of(events):
    return [event.message for event in events if isinstance(event, Warned)]


def result_of(run, *metrics):
    events = list(evaluate(run, metrics))
    return events[-1].result, " ".join(warnings_of(events))


def as_of_1_0_0(run):
    """Remove what version 1.0.0 did not write."""
    for name in ("config.json", "evaluation.json"):
        values = json.loads((run.path / name).read_text())
        for entry in values.get("metrics", {}).values():
            entry.get("protocol", {}).pop("data", None)
        (run.path / name).write_text(json.dumps({key: value for key, value in values.items() if key != "data"}))
    return Run.open(run.path)


def fresh(run, data, tmp_path, *metrics):
    """The same weights, newly evaluated on these data."""
    copy = Run.open(shutil.copytree(run.path, tmp_path / "fresh"))
    (copy.path / "evaluation.json").unlink()
    copy.config = copy.config.changed(data_folder=data)
    return result_of(copy, *metrics)[0]["metrics"]


# What is kept


def test_a_run_and_its_evaluation_store_the_fingerprint_of_their_data(made):
    run = Run.open(made / "runs/changing")
    mark = fingerprint_of(load_dataset("arrays", made / "data.npz"))
    assert run.trained_on == mark
    assert run.former == ()
    kept = run.evaluation()
    assert kept["data"] == mark.values()
    computed = {name: entry for name, entry in kept["metrics"].items() if entry["value"] is not None}
    assert {"reconstruction", "kl"} <= computed.keys()
    assert all(entry["protocol"]["data"] == mark.values() for entry in computed.values())


# Evaluation


def test_saved_metrics_of_the_same_data_are_returned_at_once(made):
    run = Run.open(made / "runs/changing")
    before = (run.path / "evaluation.json").stat().st_mtime_ns
    result, said = result_of(run, "reconstruction")
    assert said == ""
    assert result["metrics"]["reconstruction"] == run.evaluation()["metrics"]["reconstruction"]
    assert (run.path / "evaluation.json").stat().st_mtime_ns == before


def test_metrics_are_computed_again_after_the_file_was_replaced(replaced, tmp_path):
    run, data = replaced
    old = run.evaluation()["metrics"]["reconstruction"]["value"]
    result, said = result_of(run, "reconstruction")
    assert f"differ from those that changing was trained on ({CHANGED})" in said
    assert f"of other data ({CHANGED})" in said
    new = result["metrics"]["reconstruction"]["value"]
    assert new == fresh(run, data, tmp_path, "reconstruction")["reconstruction"]["value"]
    assert new > 2 * old  # inverted images: a model that knows dark ones does far worse


def test_a_row_does_not_mix_metrics_of_two_data_sets(replaced, tmp_path):
    run, data = replaced
    result_of(run, "mig")
    metrics = run.evaluation()["metrics"]
    assert "reconstruction" not in metrics  # that was of the former data
    assert metrics["mig"]["value"] == fresh(run, data, tmp_path, "mig")["mig"]["value"]


def test_the_same_data_at_another_path_are_the_same(replaced, files):
    run, _ = replaced
    run.config = run.config.changed(data_folder=files / "own-1.npz")
    result, said = result_of(run, "reconstruction")
    assert said == ""
    assert result["metrics"]["reconstruction"] == run.evaluation()["metrics"]["reconstruction"]


def test_evaluating_on_other_data_is_reported_on_the_terminal_and_in_the_table(replaced, files, capsys):
    run, _ = replaced
    run.config.changed(data_folder=files / "own-1.npz")
    command = ["evaluate", str(run.path), "--data", str(files / "own-2.npz"), "--metrics", "reconstruction"]
    assert cli.run_command(cli.parse([*command, "--format", "markdown"])) == 0
    out, err = capsys.readouterr()
    assert f"Note: The data differ from those that changing was trained on ({CHANGED})" in err
    assert "other data" in out
    assert f"changing: these values are of other data than the run was trained on (changed: {CHANGED})." in out


def test_an_evaluation_of_1_0_0_is_repeated_since_its_data_are_not_known(replaced):
    run = as_of_1_0_0(replaced[0])
    assert read_row(run).data_note == UNKNOWN_DATA
    result, said = result_of(run, "reconstruction")
    assert "written by version 1.0.0" in said
    assert result["metrics"]["reconstruction"]["value"] == run.evaluation()["metrics"]["reconstruction"]["value"]
    assert read_row(run).fingerprint is not None


def test_without_the_data_saved_metrics_are_shown_as_not_comparable(replaced):
    run, data = replaced
    data.unlink()
    result, said = result_of(run, "reconstruction")
    assert result["metrics"]["reconstruction"] == run.evaluation()["metrics"]["reconstruction"]
    assert "does not exist" in said
    assert "cannot be checked" in said


def test_rows_of_different_data_at_one_path_have_different_names_and_best_values(replaced, made):
    """A row for each file, both named data.npz."""
    before = read_row(Run.open(made / "runs/changing"))
    run, _ = replaced
    list(evaluate(run, ["reconstruction", "kl"]))
    table = table_of([before, read_row(run)])
    names = [line.cells[table.index("dataset")].text for line in table.lines]
    assert len({name.partition(" (other")[0] for name in names}) == 2
    assert all("data.npz" in name for name in names)
    assert not any(line.cells[table.index("reconstruction")].best for line in table.lines)
    assert "other data" in markdown(table)


# Resume


def test_a_resume_over_changed_data_is_refused_and_changes_nothing(replaced):
    run, _ = replaced
    before = content_of(run)
    run.config = run.config.changed(steps=40)
    with pytest.raises(ChangedError, match=rf"changed since changing was trained up to step 30 \({CHANGED}\)"):
        list(train(run))
    assert content_of(run) == before


@pytest.mark.parametrize("longer", [lambda run: lengthen(run, None, 40), lambda run: lengthen_by(run, 10)])
def test_lengthening_over_changed_data_is_refused_and_changes_nothing(replaced, longer):
    run, _ = replaced
    before = content_of(run)
    longer(run)
    with pytest.raises(ChangedError):
        list(train(run))
    assert content_of(run) == before


def test_the_terminal_says_how_to_accept_changed_data_and_accepts_them(replaced, capsys):
    run, data = replaced
    former, before = run.trained_on, content_of(run)
    command = ["resume", str(run.path), "--steps", "40"]
    assert cli.run_command(cli.parse(command)) == 1
    err = capsys.readouterr().err
    assert CHANGED in err
    assert "--accept-changes" in err
    assert err.count("\n") == 1
    assert content_of(run) == before
    assert cli.run_command(cli.parse([*command, "--accept-changes"])) == 0
    assert f"From step 31 on, changing is trained on changed data ({CHANGED})." in capsys.readouterr().err
    again = Run.open(run.path)
    assert (again.state().state, again.state().step) == ("finished", 40)
    assert again.trained_on == fingerprint_of(load_dataset("arrays", data))
    assert [(entry.step, entry.data) for entry in again.former] == [(30, former)]
    assert again.trained_at(30) == former
    assert again.trained_at(31) == again.trained_on
    assert cli.run_command(cli.parse(["resume", str(run.path), "--steps", "45"])) == 0  # accepted permanently


def test_a_run_of_1_0_0_resumes_and_gets_a_fingerprint(replaced):
    run = as_of_1_0_0(replaced[0])
    assert run.trained_on is None
    lengthen(run, None, 40)
    assert "started by version 1.0.0" in " ".join(warnings_of(train(run)))
    again = Run.open(run.path)
    assert again.trained_on == fingerprint_of(load_dataset(*run.config.data))
    assert again.former == ()


def test_changed_data_are_accepted_before_the_first_checkpoint(tmp_path, files):
    run = Run.create(tmp_path, settings(files / "own-1.npz"))
    run.record_data(fingerprint_of(load_dataset("arrays", files / "own-2.npz")), 0)
    list(train(run))
    again = Run.open(run.path)
    assert again.trained_on == fingerprint_of(load_dataset("arrays", files / "own-1.npz"))
    assert again.former == ()


# Folders of pictures


@pytest.fixture
def pictures(tmp_path):
    """Two classes, dark cats and bright dogs."""
    for name, level in (("cat", 50), ("dog", 200)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            Image.new("L", (40, 40), level + i).save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def test_a_class_folder_renamed_swaps_the_classes_and_is_noticed(pictures, tmp_path, capsys):
    run = Run.create(tmp_path / "runs", settings(pictures, conditional=True), "by class")
    list(train(run))
    (pictures / "cat").rename(pictures / "zebra")  # the dogs are class 0 now
    longer = Run.open(run.path)
    lengthen(longer, None, 40)
    with pytest.raises(ChangedError, match="the images and the names or the order of the classes"):
        list(train(longer))
    picture = tmp_path / "out.npz"
    command = ["traverse", str(run.path), "--image", "0", "--steps", "2", "--output", str(picture)]
    assert cli.run_command(cli.parse(command)) == 0
    assert "the names or the order of the classes" in capsys.readouterr().err
    with np.load(picture) as file:
        assert "of changed data" in str(file["caption"])


def test_a_replaced_picture_is_noticed(pictures, tmp_path):
    run = Run.create(tmp_path / "runs", settings(pictures), "pictures")
    list(train(run))
    Image.new("L", (40, 40), 250).save(pictures / "cat" / "7.png")
    with pytest.raises(ChangedError, match=r"\(the images\)"):
        check_unchanged(Run.open(run.path), load_dataset(*run.config.data), accept_changes=False)


# Looking at it


def test_traversals_and_latents_note_that_the_data_changed(replaced, tmp_path, capsys):
    run, data = replaced
    target = tmp_path / "latents.npz"
    assert any(CHANGED in message for message in warnings_of(save_latents(run, target)))
    with np.load(target) as file:
        assert json.loads(str(file["data"])) == fingerprint_of(load_dataset("arrays", data)).values()
    assert cli.run_command(cli.parse(["latents", str(run.path), "--output", str(target)])) == 0
    assert f"Note: The data differ from those that changing was trained on ({CHANGED})." in capsys.readouterr().err


def test_weights_kept_before_the_data_changed_belong_to_the_former_data(replaced, files):
    run, _ = replaced
    run.config = run.config.changed(steps=40, keep_steps=(40,))
    shutil.copy(run.checkpoint_folder / "model.safetensors", run.checkpoint_folder / "kept-30.safetensors")
    list(train(run, accept_changes=True))
    run = Run.open(run.path)
    first, second = (load_dataset("arrays", files / f"own-{n}.npz") for n in (1, 2))
    assert load_model(run, first, 30).data_note == ""
    assert CHANGED in load_model(run, second, 30).data_note
    assert CHANGED in load_model(run, first).data_note
    assert load_model(run, second).data_note == ""


# Studies and archives

STUDY = """
title = "Changing"
about = "One method on a file."
seeds = [0]
metrics = ["reconstruction"]

[settings]
dataset = "arrays"
network = "burgess"
latents = 4
batch_size = 32
steps = 30

[[methods]]
title = "VAE"
objective = "vae"
"""


def test_a_cell_is_done_only_if_its_run_has_the_data_of_the_study(tmp_path, files):
    (tmp_path / "changing.toml").write_text(STUDY)
    data, runs = tmp_path / "data.npz", tmp_path / "runs"
    shutil.copy(files / "own-1.npz", data)
    study = load_study(str(tmp_path / "changing.toml"), data_folder=data)
    list(run_study(study, runs, workers=1, threads=1))
    [cell] = cell_states(study, runs)
    assert cell.state == "evaluated"
    shutil.copy(files / "own-2.npz", data)
    [cell] = cell_states(study, runs)
    assert (cell.state, cell.run) == ("waiting", None)
    assert "was trained on other data" in cell.message
    said = warnings_of(run_study(study, runs, workers=1, threads=1))
    assert any("was trained on other data: VAE, seed 0 is trained again" in message for message in said)
    [cell] = cell_states(study, runs)
    assert cell.state == "evaluated"
    assert Run.open(cell.run).trained_on == fingerprint_of(load_dataset("arrays", data))
    assert len(list(runs.glob("*/config.json"))) == 2  # the former run is kept


def test_an_imported_run_is_checked_in_the_same_way(replaced, tmp_path):
    run, _ = replaced
    list(write_archive([run], tmp_path / "run.zip"))
    [path] = [
        event.run for event in read_archive(tmp_path / "run.zip", tmp_path / "other") if isinstance(event, Imported)
    ]
    imported = Run.open(path)
    assert imported.trained_on == run.trained_on
    lengthen(imported, None, 40)
    with pytest.raises(ChangedError):
        list(train(imported))
    assert "of other data" in result_of(imported, "reconstruction")[1]


def test_an_archive_of_1_0_0_is_imported(replaced, tmp_path):
    run = as_of_1_0_0(replaced[0])
    list(write_archive([run], tmp_path / "run.zip"))
    [path] = [
        event.run for event in read_archive(tmp_path / "run.zip", tmp_path / "other") if isinstance(event, Imported)
    ]
    assert Run.open(path).trained_on is None
    assert isinstance(list(evaluate(Run.open(path), ["kl"]))[-1], Evaluated)
