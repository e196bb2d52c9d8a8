"""A run knows which plug-ins it needs: without them it can be viewed; with changed ones it resumes only on consent."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from engine.cli import main as cli
from engine.data import ENTRIES, load_dataset
from engine.errors import ChangedError, ConfigError, DataError, PluginMissingError, RunError
from engine.evaluation.evaluate import evaluate
from engine.evaluation.rows import read_row
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import markdown
from engine.export.runs import export
from engine.export.traversal import save_latents
from engine.figures.curves import curves_figure
from engine.jobs.events import Evaluated, Imported, Warned
from engine.methods.base import MethodSettings
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.plugins.registering import register
from engine.plugins.sources import read_file
from engine.runs.archive import read_archive, write_archive
from engine.runs.metrics_file import MetricsReader
from engine.runs.plugins_used import in_full, plugin_changes, plugins_used
from engine.runs.previews import list_previews
from engine.runs.run import Run, list_runs
from engine.runs.trained import load_model, load_model_with_data_if_present
from engine.settings.run_config import DATASET_TITLES, RunConfig
from engine.studies.methods_text import methods_text
from engine.system.paths import RESOURCES
from engine.system.registry import Origin
from engine.system.schedule import Schedule
from engine.training.lengthening import lengthen
from engine.training.trainer import train

EXAMPLES = RESOURCES / "examples" / "plugins"
EVERY = ("free_bits_vae", "broadcast_network", "mig_sup_metric", "blobs_dataset")
SETTINGS = {
    "dataset": "blobs",
    "objective": "free-bits-vae",
    "network": "broadcast",
    "free_nats": 0.25,
    "latents": 3,
    "batch_size": 16,
    "steps": 4,
    "device": "cpu",
    "threads": 1,
    "log_steps": 2,
    "checkpoint_steps": 2,
    "preview_steps": 4,
}
NEEDS_METHOD = "The method VAE with free bits needs the plug-in free-bits 1.0; the network Spatial broadcast needs the"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where the run that all tests copy is trained, by the first of them: only a test loads plug-ins."""
    return tmp_path_factory.mktemp("trained") / "own"


@pytest.fixture
def run(tmp_path, load_example, trained):
    """A run that needs three plug-ins, trained and evaluated by a fourth one's metric; all are loaded."""
    for name in EVERY:
        load_example(name)
    if not trained.exists():
        made = Run.create(trained.parent, RunConfig.parse(SETTINGS), trained.name)
        list(train(made))
        list(evaluate(made, ["mig_sup", "mig", "reconstruction"]))
    return Run.open(shutil.copytree(trained, tmp_path / "runs" / "own"))


def test_its_settings_name_the_plugins_with_their_fingerprints(run):
    kept = json.loads((run.path / "config.json").read_text())["plugins"]
    assert [(each["name"], each["version"], each["fingerprint"]) for each in kept] == [
        (origin.plugin, "1.0", origin.fingerprint)
        for origin in (METHODS.origin("free-bits-vae"), NETWORKS.origin("broadcast"), ENTRIES.origin("blobs"))
    ]
    assert [each.keys() & {"method", "network", "dataset"} for each in kept] == [{"method"}, {"network"}, {"dataset"}]
    entry = run.evaluation()["metrics"]["mig_sup"]
    assert entry["protocol"]["plugin"]["name"] == "mig-sup"
    assert "plugin" not in run.evaluation()["metrics"]["mig"]["protocol"]


def test_a_run_of_the_applications_own_names_none(tmp_path, make_run):
    made = make_run(tmp_path)
    assert "plugins" not in json.loads((made.path / "config.json").read_text())


def test_without_its_plugins_it_opens_and_is_shown(run, without_plugins, tmp_path):
    before = MetricsReader(run.metrics_file)
    before.refresh()
    without_plugins()
    opened = Run.open(run.path)
    config = opened.config
    assert (opened.name, config.method_title, DATASET_TITLES[config.dataset]) == ("own", "VAE with free bits", "Blobs")
    assert config.value("free_nats") == 0.25
    assert config.field("free_nats").title == "λ"
    assert [term.title for term in METHODS[config.objective].terms] == ["Latents above λ"]
    assert config.to_json() == run.config.to_json()
    reader = MetricsReader(opened.metrics_file)
    reader.refresh()
    assert reader.own == ("latents_above",)
    assert list_previews(opened.previews_folder)
    list(export([opened], tmp_path / "curves.png"))
    assert (tmp_path / "curves.png").stat().st_size > 1000
    table = table_of([read_row(opened)])
    words = markdown(table.filled())
    value = run.evaluation()["metrics"]["mig_sup"]["value"]
    assert "MIG-sup ↑" in words
    assert f"{value:.3f}" in words
    text = methods_text([opened])
    assert "which minimises reconstruction loss + Σ max(λ, KL of a latent) with λ = 0.25" in text
    assert "convolutions of 32 channels" in text
    assert "MIG-sup (Li et al. 2020)" in text
    assert "computed by the plug-in mig-sup 1.0." in text
    fingerprints = [use.fingerprint for use in run.plugins]
    named = ", ".join(f"plug-in {use.words} (SHA-256 {use.fingerprint[:8]}…)" for use in run.plugins)
    assert f"{named}, plug-in mig-sup 1.0 (SHA-256 " in text
    assert len(set(fingerprints)) == 3


def test_a_weight_that_follows_a_schedule_is_known_as_one_without_its_plugin(run, without_plugins, tmp_path):
    config = run.config.changed(free_nats="0 to 2 over 4 steps", log_steps=1)
    ramped = Run.create(tmp_path / "runs", config, "ramped")
    list(train(ramped))
    list(write_archive([ramped], tmp_path / "ramped.zip"))
    without_plugins()
    assert isinstance([*read_archive(tmp_path / "ramped.zip", tmp_path / "elsewhere")][-2], Imported)
    [folder] = list_runs(tmp_path / "elsewhere")
    for opened in (Run.open(ramped.path), Run.open(folder)):
        assert opened.config.value("free_nats") == Schedule(0, 2, 4, "steps")
        assert opened.config.to_json() == config.to_json()
        reader = MetricsReader(opened.metrics_file)
        reader.refresh()
        method = METHODS[opened.config.objective]
        assert reader.own == method.curves(opened.config) == ("latents_above", "free_nats")
        assert method.scheduled(reader.own) == ("free_nats",)
        assert reader.column("free_nats").tolist() == [0.5, 1, 1.5, 2]
    assert [axes.get_title() for axes in curves_figure(opened).axes][-1] == "Weights (nats)"


def test_what_needs_their_code_says_which_is_missing(run, without_plugins, tmp_path, capsys):
    without_plugins()
    opened = Run.open(run.path)
    before = {path: path.read_bytes() for path in opened.path.rglob("*") if path.is_file() and path.name != "lock"}
    for refused in (
        lambda: list(train(opened)),
        lambda: lengthen(opened, None, 8),
        lambda: list(evaluate(opened, ["sap"])),
        lambda: load_model_with_data_if_present(opened),
        lambda: list(save_latents(opened, tmp_path / "latents.npz")),
    ):
        with pytest.raises((PluginMissingError, DataError), match=r"plug-in .* 1\.0.* is (not )?loaded"):
            refused()
    assert before == {path: path.read_bytes() for path in before}
    for command in (["resume", "--steps", "8"], ["evaluate", "--metrics", "sap"]):
        name, *options = command
        assert cli.run_command(cli.parse(["--runs", str(tmp_path / "runs"), name, "own", *options])) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert NEEDS_METHOD in said[0]


def test_training_the_same_settings_anew_is_refused_and_leaves_nothing(run, without_plugins):
    without_plugins()
    again = Run.create(run.path.parent, Run.open(run.path).config.changed(seed=1), "again")
    with pytest.raises(PluginMissingError, match="VAE with free bits"):
        list(train(again, fresh=True))
    assert not again.path.exists()


def test_without_its_data_sets_plugin_a_model_of_ours_is_still_traversed(load_example, without_plugins, tmp_path):
    load_example("blobs_dataset")
    ours = {"objective": "vae", "network": "mlp", "free_nats": None}
    settings = {name: value for name, value in (SETTINGS | ours).items() if value is not None}
    made = Run.create(tmp_path, RunConfig.parse(settings), "ours")
    list(train(made))
    without_plugins()
    model, gone = load_model_with_data_if_present(Run.open(made.path))
    assert gone == "Blobs: needs the plug-in blobs 1.0, which is not loaded."
    assert (model.dataset.title, model.has_data, model.model.image_shape) == ("Blobs", False, (32, 32, 1))


def test_kept_metrics_are_still_evaluated_without_them(run, without_plugins):
    kept = run.evaluation()["metrics"]
    without_plugins()
    *_, event = evaluate(Run.open(run.path), ["mig", "reconstruction"])
    assert isinstance(event, Evaluated)
    assert event.result["metrics"] == {name: kept[name] for name in ("mig", "reconstruction")}
    with pytest.raises(ConfigError, match="There is no metric 'mig_sup'"):
        list(evaluate(Run.open(run.path), ["mig_sup"]))
    assert Run.open(run.path).evaluation()["metrics"] == kept


def test_an_archive_goes_out_and_in_without_them(run, without_plugins, tmp_path):
    without_plugins()
    list(write_archive([Run.open(run.path)], tmp_path / "own.zip"))
    shutil.rmtree(run.path)
    without_plugins()
    [*_, imported, _] = read_archive(tmp_path / "own.zip", tmp_path / "elsewhere")
    assert isinstance(imported, Imported)
    opened = Run.open(imported.run)
    assert [use.words for use in opened.plugins] == ["free-bits 1.0", "broadcast 1.0", "blobs 1.0"]
    assert opened.config.method_title == "VAE with free bits"
    list(export([opened], tmp_path / "curves.csv"))
    assert "latents_above" in (tmp_path / "curves.csv").read_text().splitlines()[0]


def test_a_scheduled_weight_of_an_absent_method_is_kept_drawn_and_imported(load_example, without_plugins, tmp_path):
    load_example("free_bits_vae")
    schedule = "0 to 0.5 over 4 steps"
    ours = {"dataset": "digits", "network": "mlp", "free_nats": schedule}
    made = Run.create(tmp_path / "runs", RunConfig.parse(SETTINGS | ours), "scheduled")
    list(train(made))
    without_plugins()
    opened = Run.open(made.path)
    assert str(opened.config.value("free_nats")) == schedule
    assert opened.config.to_json() == made.config.to_json()
    list(export([opened], tmp_path / "curves.png"))
    list(write_archive([opened], tmp_path / "scheduled.zip"))
    [*_, imported, _] = read_archive(tmp_path / "scheduled.zip", tmp_path / "elsewhere")
    reader = MetricsReader(Run.open(imported.run).metrics_file)
    reader.refresh()
    assert reader.own == ("latents_above", "free_nats")


def test_with_them_again_it_goes_on_bit_for_bit(run, without_plugins, load_example, tmp_path):
    whole = Run.create(tmp_path / "runs", RunConfig.parse(SETTINGS | {"steps": 8}), "whole")
    list(train(whole))
    without_plugins()
    Run.open(run.path)
    for name in EVERY:
        load_example(name)
    opened = Run.open(run.path)
    lengthen(opened, None, 8)
    list(train(opened))
    rows = [
        [line.split(",")[:2] + line.split(",")[3:] for line in each.metrics_file.read_text().splitlines()]
        for each in (opened, whole)
    ]
    assert rows[0] == rows[1]


def test_another_version_is_refused_unless_accepted_and_both_are_kept(run, without_plugins, load_example):
    without_plugins()
    for name in EVERY:
        load_example(name, "1" * 64 if name == "free_bits_vae" else "")
    opened = Run.open(run.path)
    lengthen(opened, None, 6)
    before = (opened.path / "config.json").read_bytes()
    words = r"The plug-in free-bits \(another file of version 1.0\) changed since own was trained up to step 4"
    with pytest.raises(ChangedError, match=words):
        list(train(opened))
    assert (opened.path / "config.json").read_bytes() == before
    events = list(train(opened, accept_changes=True))
    said = " ".join(event.message for event in events if isinstance(event, Warned))
    assert "From step 5 on, own is trained with a changed plug-in: the plug-in free-bits (another file" in said
    again = Run.open(run.path)
    assert again.plugins[0].fingerprint == "1" * 64
    [former] = again.former_plugins
    assert (former.step, former.plugins[0].fingerprint) == (4, run.plugins[0].fingerprint)
    list(train(again))  # now it is the run's own


def test_another_plug_in_with_a_method_of_the_same_name_is_no_silent_substitute(run, without_plugins, load_example):
    """Once the run went on with the other code, and its config.json forgot the one it was trained with."""
    without_plugins()
    for name in EVERY[1:]:
        load_example(name)
    given = read_file(EXAMPLES / "free_bits_vae.py").execute()
    register(replace(given, name="other-bits", version="3.0"), Origin("", "", "3" * 64))
    opened = Run.open(run.path)
    lengthen(opened, None, 6)
    words = r"The method free-bits-vae \(of the plug-in free-bits 1.0 then, of other-bits 3.0 now\) changed since own"
    with pytest.raises(ChangedError, match=words):
        list(train(opened))
    list(train(opened, accept_changes=True))
    again = Run.open(run.path)
    assert [use.name for use in again.former_plugins[0].plugins] == [use.name for use in run.plugins]
    assert {use.name for use in again.plugins} == {"other-bits", "broadcast", "blobs"}


def test_a_method_that_is_the_applications_own_now_is_a_change_too(run, monkeypatch):
    monkeypatch.setattr(METHODS, "_origins", {})  # as if this version had come with it
    assert plugin_changes(run.plugins, plugins_used(run.config)) == (
        "the method free-bits-vae (of the plug-in free-bits 1.0 then, the application's own now)"
    )


def test_of_another_version_is_said_and_computed_again(run, without_plugins, load_example):
    kept = run.evaluation()
    without_plugins()
    for name in EVERY:
        load_example(name, "1" * 64 if name == "free_bits_vae" else "")
    events = list(evaluate(Run.open(run.path), ["reconstruction"]))
    [said] = [event.message for event in events if isinstance(event, Warned)]
    assert "own was trained with another version of what it needs (the plug-in free-bits" in said
    now = Run.open(run.path).evaluation()
    assert now["checkpoint"] != kept["checkpoint"]
    assert list(now["metrics"]).count("mig") == 0  # it was of the former code
    [note] = [note for note in table_of([read_row(Run.open(run.path))]).notes() if "computed with" in note]
    of_training = " and ".join(in_full(use.name, use.version, use.fingerprint) for use in run.plugins)
    of_metrics = of_training.replace(run.plugins[0].fingerprint[:8], "11111111")
    assert note == f"own: these values were computed with {of_metrics}, but the run was trained with {of_training}."
    assert "free-bits 1.0 (SHA-256 11111111…)" in methods_text([Run.open(run.path)])
    assert "trained with another version" in load_model(Run.open(run.path), load_dataset("blobs")).notes


def test_runs_of_several_versions_in_one_row_are_said(run):
    row = read_row(run)
    other = replace(row, plugins=("free-bits 1.1 (SHA-256 11111111…)", *row.plugins[1:]))
    assert not any("differ" in note for note in table_of([row, row], ["method"]).notes())
    versions = f"{' and '.join(row.plugins)} / {' and '.join(other.plugins)}"
    assert f"VAE with free bits (Blobs): the plug-ins differ: {versions}." in table_of([row, other], ["method"]).notes()


def test_a_metric_of_another_version_is_computed_again(run, without_plugins, load_example):
    value = run.evaluation()["metrics"]["mig_sup"]["value"]
    without_plugins()
    for name in EVERY:
        load_example(name, "2" * 64 if name == "mig_sup_metric" else "")
    words = "MIG-sup was computed by another version of the plug-in than is loaded"
    assert read_row(Run.open(run.path)).code_note == words
    list(evaluate(Run.open(run.path), ["mig_sup"]))
    entry = Run.open(run.path).evaluation()["metrics"]["mig_sup"]
    assert entry["protocol"]["plugin"]["fingerprint"] == "2" * 64
    assert entry["value"] == value
    assert read_row(Run.open(run.path)).code_note == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept[0].update(fingerprint="no"),
        lambda kept: kept[0]["method"].update(terms=[["a", "b"]]),
        lambda kept: kept[0]["method"].update(title="x" * 1000),
        lambda kept: kept[0]["method"].update(latents=[["gaussian", -3, 3, 10**6]]),
        lambda kept: kept.clear(),
    ],
)
def test_what_is_damaged_is_not_believed(run, without_plugins, damage):
    without_plugins()
    file = run.path / "config.json"
    values = json.loads(file.read_text())
    damage(values["plugins"])
    file.write_text(json.dumps(values))
    with pytest.raises(Exception, match=r"config\.json is not valid: .*objective is 'free-bits-vae'; it must be"):
        Run.open(run.path)


def test_runs_of_two_versions_with_other_settings_stand_in_for_each_other(run, without_plugins):
    without_plugins()
    other = run.path.parent / "other"
    shutil.copytree(run.path, other)
    values = json.loads((other / "config.json").read_text())
    values["method"] = {"free_nats": 1, "new_weight": 3}
    values["plugins"][0]["method"]["settings"] = {"free_nats": ["λ", "nats"], "new_weight": ["New", ""]}
    (other / "config.json").write_text(json.dumps(values))
    first, second = (Run.open(path) for path in list_runs(run.path.parent))
    assert {first.config.value("free_nats"), second.config.value("free_nats")} == {0.25, 1}
    for opened in (first, second):
        assert opened.config.changed(seed=1).value("free_nats") == opened.config.value("free_nats")


def test_a_stand_in_lets_no_wrong_value_of_a_known_setting_through(monkeypatch):
    class Absent(METHODS["beta-vae"]):
        class Settings(MethodSettings):
            beta: Any = None

    monkeypatch.setattr(METHODS, "_stand_ins", {"absent": (Absent, Origin("gone", "1.0", "0" * 64))})
    with pytest.raises(ConfigError, match="beta is '5000'; it must be a number from 0 to 1,000"):
        RunConfig.parse({"objective": "vae", "beta": "5000"})


NO_SETTINGS = ("seed", "batch_size", "method", "schedules", "at", "names", "model_config", "_x", "a b")


@pytest.mark.parametrize("name", NO_SETTINGS)
@pytest.mark.parametrize("where", ["settings", "values"])
def test_no_run_of_an_absent_method_takes_a_common_setting_from_other_runs(run, without_plugins, name, where):
    """A stand-in with a setting "seed" once took every seed that was given for its own, and all runs had seed 0."""
    without_plugins()
    file = run.path / "config.json"
    values = json.loads(file.read_text())
    if where == "settings":
        values["plugins"][0]["method"]["settings"][name] = ["Title", ""]
    else:
        values["method"][name] = 1
    file.write_text(json.dumps(values))
    with suppress(RunError):
        Run.open(run.path)
    config = RunConfig(seed=5, batch_size=128)
    assert (config.seed, config.batch_size) == (5, 128)
    assert config.method.schedules.keys() == {"capacity"}
