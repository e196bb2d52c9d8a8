"""The gallery as it is shipped: small, complete, true to its evaluations, and without traces of where it was made."""

import json
import re
import tomllib

import numpy as np
import pytest

from engine.gallery import GALLERY, model_folders, read_gallery, read_model
from engine.gallery.opening import open_model
from engine.runs.checkpoints import load_weights
from engine.runs.run import Run

FOLDERS = model_folders()


def test_it_takes_less_than_20_mb():
    assert sum(file.stat().st_size for file in GALLERY.rglob("*") if file.is_file()) < 20e6


def test_every_model_is_described_and_opens():
    models, problems = read_gallery()
    assert problems == []
    wanted = [each["folder"] for each in tomllib.loads((GALLERY / "gallery.toml").read_text())["models"]]
    shown = [model.run.path.name for model in models]
    assert shown == [name for name in wanted if name in shown]  # in this order
    assert {folder.name for folder in FOLDERS} <= set(wanted)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_numbers_in_captions_are_those_of_the_evaluation(folder):
    """Read here from the file: each number of the story and below it."""
    model, kept = read_model(folder), json.loads((folder / "evaluation.json").read_text())
    for value in model.values:
        assert float(value.text.split()[0]) == pytest.approx(
            kept["metrics"][value.metric]["value"], abs=0.0051, rel=5e-3
        )
    used = [kl > 0.1 for kl in kept.get("kl_per_latent", [])]
    known = {round(entry["value"], 2) for entry in kept["metrics"].values() if entry.get("value") is not None}
    if "dci_fast_disentanglement" in kept["metrics"] and used:
        table = kept["metrics"]["dci_fast_disentanglement"].get("importance")
        rows = np.array(table["latents"]) if table else np.zeros((0, 2))
        second = np.sort(rows, axis=1)[:, -2] >= 0.5 * rows.max(axis=1)
        known |= {int((second & used).sum())} if table else set()
    known |= {sum(used), len(used)}
    assert all(any(abs(float(n) - k) < 0.051 for k in known) for n in re.findall(r"\d+(?:\.\d+)?", model.story))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_evaluation_is_of_the_weights_that_are_shipped(folder):
    from engine.evaluation.evaluate import key_of_weights

    run = Run.open(folder)
    evaluation = run.evaluation()
    assert evaluation["checkpoint"] == key_of_weights(run)
    assert evaluation["step"] == load_weights(run.checkpoint_folder).step == run.state().step == run.state().total
    assert run.problems == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_file_names_a_folder_of_the_machine_it_was_made_on(folder):
    words = "".join(file.read_text() for file in folder.glob("*.json"))
    assert not re.search(r'"/[a-z]+/', words)
    assert not list(folder.rglob("*.pt"))


def test_one_of_them_opens_without_anything_else():
    opened = open_model(FOLDERS[0])
    assert len(opened.trained.dataset) == len(opened.means) > 100
    assert 0 <= opened.model.start < len(opened.means)
