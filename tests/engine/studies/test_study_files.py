"""Studies: their files, the run of each cell, and what counts as done."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.evaluation.metric import Metric, column
from engine.methods.registry import METHODS
from engine.plugins.plugin import Plugin
from engine.plugins.registering import register, unregister
from engine.runs.differences import differing_settings
from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from engine.studies import cell_states, load_study, own_studies, shipped_studies, state_text
from engine.system.files import write_json
from engine.system.registry import Origin
from engine.system.schedule import Schedule

ROOT = Path(__file__).resolve().parents[3]

# What the files say.


def test_quick_and_seeds_replace_those_of_the_file(tmp_path, study_file):
    path = study_file(tmp_path)
    study = load_study(path, quick=True)
    assert (study.seeds, study.quick) == ((0,), True)
    assert (study.cells[0].config.epochs, study.cells[0].config.steps) == (1, None)
    assert load_study(path, seeds=3).seeds == (0, 1, 2)
    assert [cell.title for cell in load_study(path, seeds=1).cells] == ["VAE, seed 0", "Annealed, γ = 10, seed 0"]
    assert load_study(path).cells[1].config.value("gamma") == 10


def test_a_users_study_is_found_by_name(private_folders, study_file):
    folder = private_folders / "config" / "Disentangle Studio" / "studies"
    folder.mkdir(parents=True, exist_ok=True)  # other tests read studies of their own
    study_file(folder)
    (folder / "broken.toml").write_text("title = ")
    assert [study.name for study in own_studies()] == ["tiny"]
    assert load_study("tiny").title == "Tiny"
    shutil.rmtree(folder)
    with pytest.raises(ConfigError, match=r"There is no study 'tiny'.*table-1, table-1-conditional, table-2"):
        load_study("tiny")


def test_a_study_without_quick_settings_gets_a_message(tmp_path, study_file):
    path = study_file(tmp_path, ("[quick]\nseeds = [0]\nepochs = 1\n", ""))
    with pytest.raises(ConfigError, match=r"has no \[quick\]"):
        load_study(path, quick=True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title = ", "", "not valid TOML"),
        ('about = "Two', 'abuot = "Two', "'abuot' is not a key"),
        ('title = "Tiny"\n', "", "the key 'title' is missing"),
        ('title = "Tiny"', "title = 5", "title is 5; it must be text"),
        ("seeds = [0, 1]", "seeds = 2", "seeds is 2; it must be a list"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "different whole numbers"),
        ("seeds = [0, 1]", "seeds = [-1]", "seed is -1; it must be a whole number from 0"),
        ('"kl", "mig"', '"lk"', "metrics has 'lk', which is not a metric"),
        ("batch_size = 32", "batch_size = 1", "settings: batch_size is 1; it must be a whole number from 2"),
        ("batch_size = 32", "batchsize = 32", "settings: There is no setting 'batchsize'"),
        ("batch_size = 32", "seed = 32", "settings: seed cannot be set there"),
        ("batch_size = 32", "threads = 1", "settings: threads cannot be set there"),
        ("\nepochs = 1", "\nepochs = 0", "quick: epochs is 0"),
        ("gamma = 10", "gama = 10", "methods, number 2: There is no setting 'gama'"),
        ('title = "Annealed, γ = 10"', "", "methods, number 2: the key 'title' is missing"),
        ('title = "Annealed, γ = 10"', 'title = "VAE"', "two have the title 'VAE'"),
        ('objective = "annealed-relu"', 'objective = "vae"', "'VAE' and 'Annealed, γ = 10' have the same settings"),
        ("seeds =", "schema = 3\nseeds =", "the study has schema 3; this version reads schema 1 and 2"),
        ("[settings]", "[[settings]]", "it must be a table of settings"),
    ],
)
def test_an_invalid_study_gets_a_message_with_file_and_key(tmp_path, study_file, old, new, words):
    path = study_file(tmp_path, (old, new))
    with pytest.raises(ConfigError) as error:
        load_study(path)
    assert str(path) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("study", [s for s in shipped_studies() if s.name.startswith("table")], ids=lambda s: s.name)
def test_the_reports_studies_have_its_settings_and_no_warnings_if_quick(study):
    # Section 3 of the report: Adam at 5e-4, batches of 64, 100 epochs, beta 4, C from 0 to 20 nats in 20 epochs.
    for cell in study.cells:
        config = cell.config
        assert (config.learning_rate, config.batch_size, config.latents) == (5e-4, 64, 10)
        assert (config.steps, config.epochs) == (None, 100)
        assert (config.network, config.normalisation) == ("report", "batch")
        report = {"beta": 4, "gamma": 100, "capacity": Schedule(0, 20, 20, "epochs", "linear")}
        assert {name: value for name, value in config.flat().items() if name in report}.items() <= report.items()
        assert config.conditional == study.name.endswith("conditional")
    quick = load_study(study.name, quick=True)
    assert study.warnings() == quick.warnings() == []
    objectives = {cell.config.objective for cell in quick.cells}
    assert objectives == {"vae", "beta-vae", "annealed-abs", "annealed-relu"}
    assert quick.seeds == (0,)
    assert [quick.cells[0].config.epochs, quick.cells[0].config.steps] in ([10, None], [100, 20_000])


@pytest.mark.parametrize("quick", [False, True])
def test_the_study_of_normalisation_differs_in_nothing_else(quick):
    study = load_study("normalisation", quick=quick)
    assert study.warnings() == []
    assert len(study.cells) == 27
    names = {name for cells in zip(study.cells[0::3], study.cells[1::3], study.cells[2::3], strict=True)
             for name in differing_settings([cell.config for cell in cells])}  # fmt: skip
    assert names == {"normalisation"}
    annealed = study.cells[3].config
    length = annealed.total_steps(737_280) / annealed.steps_per_epoch(737_280)
    capacity = annealed.method.capacity
    assert (capacity.start, capacity.end, capacity.unit, capacity.shape) == (0, 20, "epochs", "linear")
    assert capacity.length == pytest.approx(0.8 * length, rel=1e-3)


@pytest.mark.parametrize("quick", [False, True])
def test_the_study_of_methods_gives_all_the_same_network_and_length(quick):
    study = load_study("methods-dsprites", quick=quick)
    assert study.warnings() == []
    cells = [cell.config for cell in study.cells if cell.method.title != "QLAE"]
    assert {name for name in differing_settings(cells) if name in RunConfig.model_fields} == {"objective", "seed"}
    # QLAE's learning rate is that of its source, and nothing else of it differs.
    qlae = next(cell.config for cell in study.cells if cell.method.title == "QLAE")
    assert {name for name in differing_settings([cells[0], qlae]) if name in RunConfig.model_fields} == {
        "objective", "learning_rate",
    }  # fmt: skip


def test_the_study_of_methods_has_every_method_that_can_learn_dsprites():
    """All but four: the plain VAE and the other form of annealing, and two that are made for MNIST."""
    study = load_study("methods-dsprites")
    assert set(METHODS) - {cell.config.objective for cell in study.cells} == {
        "vae", "annealed-relu", "info-gan", "dc-ign-transformations",
    }  # fmt: skip


def test_reading_a_study_imports_no_heavy_library(study, study_runs):
    code = (
        "import sys; from pathlib import Path; from engine.studies import *\n"
        f"study = load_study({str(study.path)!r}); folder = Path({str(study_runs)!r})\n"
        "assert [s.state for s in cell_states(study, folder)] == ['evaluated'] * 4\n"
        "shipped_studies(); study_table(study, folder); methods_text(study, folder)\n"
        "list(estimate_study(study, folder, device='cpu', measure=False))\n"
        "print([m for m in ('torch', 'cv2', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Which run is which cell, and whether it is done.


def test_earlier_runs_with_the_same_settings_are_used(study, tmp_path):
    config = study.cells[0].config
    other = {"gamma": 7, "capacity_epochs": 3, "beta": 2, "threads": 2, "device": "cpu", "log_steps": 5, "epochs": 9,
             "keep_steps": (10,), "checkpoint_steps": 7, "preview_steps": 8, "data_folder": tmp_path}  # fmt: skip
    Run.create(tmp_path, config.changed(**other), "something else")
    [first, *rest] = cell_states(study, tmp_path)
    assert (first.run, first.state) == (tmp_path / "something-else", "waiting")
    assert all(state.run is None for state in rest)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"steps": 61}, {"conditional": True}, {"latents": 9}])
def test_runs_with_other_settings_are_not_used(study, tmp_path, change):
    Run.create(tmp_path, study.cells[0].config.changed(**change))
    assert all(state.run is None for state in cell_states(study, tmp_path))


def test_the_most_advanced_of_several_runs_of_a_cell_counts(study, study_copy):
    Run.create(study_copy, study.cells[0].config, "a-first")
    assert cell_states(study, study_copy)[0].run == study_copy / "tiny-vae-seed-0"


def test_a_run_lengthened_after_its_evaluation_is_evaluated_again(study, study_copy):
    path = study_copy / "tiny-vae-seed-0" / "evaluation.json"
    kept = json.loads(path.read_text())
    write_json(path, kept | {"step": 50})
    assert cell_states(study, study_copy)[0].state == "trained"
    write_json(path, kept | {"metrics": {"kl": kept["metrics"]["kl"]}})
    [state, *_] = cell_states(study, study_copy)
    assert (state.state, state.message) == ("trained", "not computed yet: reconstruction, mig")
    path.write_text("{")
    assert "damaged" in state_text(cell_states(study, study_copy)[0])


def test_the_reports_quick_table_2_uses_runs_with_its_settings(tmp_path):
    """The report's proportions by hand: 20,000 steps, C full after a fifth, i.e. 4,000 of 11,520 steps per epoch."""
    study = load_study("table-2", quick=True)
    settings = {"dataset": "dsprites", "steps": 20_000, "threads": 1, "network": "report", "normalisation": "batch"}
    for objective in ("vae", "beta-vae", "annealed-abs", "annealed-relu"):
        ramp = {"capacity_epochs": 0.3472} if objective.startswith("annealed") else {}
        Run.create(tmp_path, RunConfig.parse(settings | ramp | {"objective": objective}), f"table-2-{objective}-seed-0")
    names = [state.run.name for state in cell_states(study, tmp_path)]
    assert names == [study.run_name(cell) for cell in study.cells]
    annealed = study.cells[-1].config
    assert annealed.method.capacity.length * 11_520 == pytest.approx(20_000 / 5, rel=1e-4)


PLUGIN_STUDY = """
title = "Own"
about = "A plug-in's method."
seeds = [0]
metrics = ["kl", "own_score"]

[settings]
dataset = "digits"
steps = 4

[[methods]]
title = "Own"
objective = "own-vae"
"""


class OwnVae(METHODS["vae"]):
    title = short = "Own VAE"


class OwnScore(Metric):
    columns = (column("own_score", "Own", "A score.", "its own"),)

    def compute(self, representation):
        return 1.0


def load_version(number):
    """Register the plug-in as it would be with a file of this fingerprint."""
    unregister("own")
    given = Plugin("own", "1.0", 1, methods={"own-vae": OwnVae}, metrics={"own": OwnScore()})
    register(given, Origin("", "", number * 64))


def evaluated_with(run, number):
    """What evaluation.json holds of the last step, computed with the plug-in of this fingerprint."""
    entry = {"value": 1.0, "unit": "", "protocol": {"plugin": {"name": "own", "fingerprint": number * 64}}}
    plugins = [{"name": "own", "version": "1.0", "fingerprint": number * 64}]
    metrics = {"kl": {"value": 2.0, "unit": "nats", "protocol": {}}, "own_score": entry}
    run.write_evaluation({"checkpoint": "1-x", "step": 4, "plugins": plugins, "metrics": metrics})


@pytest.fixture
def own_study(tmp_path):
    load_version("a")
    (tmp_path / "own.toml").write_text(PLUGIN_STUDY)
    yield load_study(tmp_path / "own.toml")
    unregister("own")
    METHODS._stand_ins.pop("own-vae", None)


def test_a_run_of_another_version_of_a_plug_in_is_not_the_cells(own_study, tmp_path):
    """Once the runs before and after a change of the method were one row of the table, mean and deviation."""
    run = Run.create(tmp_path / "runs", own_study.cells[0].config)
    load_version("b")
    [state] = cell_states(own_study, tmp_path / "runs")
    assert (state.run, state.state) == (run.path, "waiting")  # it is not trained yet, and will be with this one
    run.write_state(RunState("finished", 4, 4))
    [state] = cell_states(own_study, tmp_path / "runs")
    assert (state.run, state.state) == (None, "waiting")
    assert state.message == (
        f"{run.name} has these settings but was trained with another version of what it needs (the plug-in own "
        "(another file of version 1.0))"
    )
    load_version("a")
    assert cell_states(own_study, tmp_path / "runs")[0].run == run.path
    unregister("own")
    assert cell_states(own_study, tmp_path / "runs")[0].run == run.path  # without it, its results are shown


def test_metrics_of_another_version_of_a_plug_in_do_not_finish_a_cell(own_study, tmp_path):
    run = Run.create(tmp_path / "runs", own_study.cells[0].config)
    run.write_state(RunState("finished", 4, 4))
    for number, expected in (("a", "evaluated"), ("b", "trained")):
        evaluated_with(run, number)
        [state] = cell_states(own_study, tmp_path / "runs")
        assert (state.state, "another version of a plug-in" in state.message) == (expected, expected == "trained")
