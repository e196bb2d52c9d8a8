"""Studies: what a file says, which run is which cell, and that however it is interrupted the table is the same."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.checkpoints import checkpoint_step
from engine.config import RunConfig
from engine.errors import ConfigError, DataError, RunLockedError
from engine.evaluation.table_formats import comma_separated, markdown
from engine.events import Finished, Paused, Request, Warned
from engine.files import write_json
from engine.jobs import Control, drive
from engine.runs import Run
from engine.studies import (
    CellFinished,
    CellStarted,
    StudyProgress,
    load_study,
    methods_text,
    missing_cells,
    own_studies,
    run_study,
    shipped_studies,
    standing,
    study_estimate,
    study_table,
    why,
)
from engine.studies.estimate import Cost, seconds_left
from engine.studies.machine import plan_for

ROOT = Path(__file__).resolve().parents[2]

TINY = """
title = "Tiny"
about = "Two methods on the digits."
seeds = [0, 1]
metrics = ["reconstruction", "kl", "mig"]

[settings]
dataset = "digits"
batch_size = 32
steps = 60
capacity_max = 5
capacity_epochs = 1
log_steps = 10
checkpoint_steps = 10
preview_steps = 40

[quick]
seeds = [0]
epochs = 1

[[methods]]
title = "VAE"
objective = "vae"

[[methods]]
title = "Annealed"
objective = "annealed-relu"
gamma = 10
"""
BROKEN = """
[[methods]]
title = "Broken"
objective = "annealed-abs"
gamma = 100_000
learning_rate = 1
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two methods, two seeds, 60 steps on the digits."""
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, study):
    """The folder of runs of that study, run through by one worker, and what it told."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, list(run_study(study, folder, workers=1, threads=1))


def write_study(folder, text=TINY, **options):
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return load_study(path, **options)


def finished(events):
    return [event.state for event in events if isinstance(event, CellFinished)]


def table_text(study, folder):
    return comma_separated(study_table(study, folder))


# What runs, and what is left of it.


def test_a_study_ends_with_every_cell_evaluated_and_its_table(study, whole):
    folder, events = whole
    assert [state.state for state in standing(study, folder)] == ["evaluated"] * 4
    assert [state.cell for state in finished(events)] == list(study.cells)
    assert events[-1] == Finished(message="4 of 4 runs are trained and evaluated.")
    table = study_table(study, folder)
    assert [line.title for line in table.lines] == ["VAE", "Annealed"]
    values = [json.loads((state.run / "evaluation.json").read_text())["metrics"]["reconstruction"]["value"]
              for state in standing(study, folder)]  # fmt: skip
    cell = table.lines[0].cells[table.index("reconstruction")]
    assert cell.value == pytest.approx((values[0] + values[2]) / 2)  # cells come seed by seed
    assert cell.deviation == pytest.approx(abs(values[0] - values[2]) / 2**0.5)
    assert table.lines[0].cells[table.index("n")].value == 2
    assert "Digits has no ground-truth factors" in table.lines[0].cells[table.index("mig")].note
    assert {path.name for path in folder.glob("tiny-*")} == {
        f"tiny-{objective}-seed-{seed}" for objective in ("vae", "annealed-relu") for seed in (0, 1)
    }


def test_progress_grows_to_the_end_and_tells_the_time_that_is_left(study, whole):
    progress = [event for event in whole[1] if isinstance(event, StudyProgress)]
    done = [event.done for event in progress]
    assert done == sorted(done)
    assert (progress[-1].done, progress[-1].cells_done, progress[-1].seconds_left) == (4000, 4, 0)
    known = [event.seconds_left for event in progress if event.seconds_left is not None]
    assert max(known) > 0


def test_two_workers_give_the_same_table_as_one(study, whole, tmp_path):
    events = list(run_study(study, tmp_path, workers=2, threads=1))
    assert len(finished(events)) == 4
    running = 0
    for event in events:
        running += isinstance(event, CellStarted) - isinstance(event, CellFinished)
        if running == 2:
            break
    assert running == 2  # side by side
    assert table_text(study, tmp_path) == table_text(study, whole[0])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_study_killed_in_the_middle_and_started_again_ends_with_the_same_table(study, whole, tmp_path):
    command = [sys.executable, ROOT / "main.py", "study", study.path, "--workers", "1", "--threads", "1"]
    process = subprocess.Popen([*command, "--runs", tmp_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    second = tmp_path / "tiny-annealed-relu-seed-0" / "checkpoint" / "model.safetensors"
    while process.poll() is None and not second.exists():
        time.sleep(0)
    process.kill()
    process.wait()
    before = [state.state for state in standing(study, tmp_path)]
    assert before[0] == "evaluated"
    assert before[1] != "evaluated"
    assert before[2:] == ["waiting", "waiting"]
    events = list(run_study(study, tmp_path, workers=1, threads=1))
    assert {state.cell for state in finished(events)} == set(study.cells[1:])  # the first is not done again
    assert table_text(study, tmp_path) == table_text(study, whole[0])
    # The run that was cut in two has the curves of the one that was not.
    for name in ("tiny-annealed-relu-seed-0", "tiny-vae-seed-1"):
        assert curves(tmp_path / name) == curves(whole[0] / name)


def curves(run):
    """Rows without the seconds."""
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [line[:2] + line[3:] for line in lines]


def test_what_is_done_is_skipped(study, whole, tmp_path):
    folder = Path(shutil.copytree(whole[0], tmp_path / "runs"))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    events = list(run_study(study, folder, workers=1, threads=1))
    assert not [event for event in events if isinstance(event, CellStarted)]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")} == before
    assert multiprocessing.active_children() == []


def test_a_stop_saves_checkpoints_within_two_seconds(tmp_path):
    study = write_study(tmp_path, TINY.replace("steps = 60", "steps = 100_000", 1), seeds=1)
    control = Control()
    events = []
    for event in drive(run_study(study, tmp_path / "runs", workers=2, threads=1), control):
        events.append(event)
        if not control.request and all(state.step >= 10 for state in standing(study, tmp_path / "runs")):
            asked = time.monotonic()
            control.stop()
    assert time.monotonic() - asked < 2  # the project's own limit
    assert events[-1] == Finished(stopped=True, message="0 of 2 runs are trained and evaluated.")
    assert multiprocessing.active_children() == []
    for state in standing(study, tmp_path / "runs"):
        assert state.state == "paused"
        assert checkpoint_step(state.run / "checkpoint") == state.step


def test_a_pause_waits_with_a_checkpoint_and_then_goes_on(tmp_path):
    study = write_study(tmp_path, TINY.replace("steps = 60", "steps = 100_000", 1), seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    event, request = next(job), None
    reached = None
    while reached is None or standing(study, tmp_path / "runs")[0].step <= reached:
        event = job.send(request)
        state = standing(study, tmp_path / "runs")[0]
        if isinstance(event, Paused):
            assert state.state == "paused"
            assert checkpoint_step(state.run / "checkpoint") == state.step
            reached, request = state.step, None
        elif reached is None and state.step >= 20:
            request = Request.PAUSE
    asked = time.monotonic()
    job.close()
    assert time.monotonic() - asked < 2
    assert standing(study, tmp_path / "runs")[0].state == "paused"


def test_a_run_that_fails_leaves_the_rest_and_a_cell_that_says_why(tmp_path):
    study = write_study(tmp_path, TINY + BROKEN, seeds=1)
    events = list(run_study(study, tmp_path / "runs", workers=1, threads=1))
    assert [state.state for state in finished(events)] == ["evaluated", "evaluated", "failed"]
    states = standing(study, tmp_path / "runs")
    assert [state.state for state in states] == ["evaluated", "evaluated", "failed"]
    assert "The loss became NaN or infinite" in states[2].message
    table = study_table(study, tmp_path / "runs")
    broken = table.lines[2]
    assert (broken.title, broken.cells[table.index("n")].text) == ("Broken", "0")
    assert broken.cells[table.index("reconstruction")].text == "–"
    assert "loss became NaN" in broken.cells[table.index("reconstruction")].note
    assert missing_cells(states)[0].startswith("Broken, seed 0: failed at step")
    assert table.lines[0].cells[table.index("reconstruction")].value is not None


def test_a_row_says_which_seeds_its_mean_lacks_and_why(study, whole, tmp_path):
    folder = Path(shutil.copytree(whole[0], tmp_path / "runs"))
    shutil.rmtree(folder / "tiny-vae-seed-1")
    table = study_table(study, folder)
    assert [line.cells[table.index("n")].value for line in table.lines] == [1, 2]
    cell = table.lines[0].cells[table.index("kl")]
    assert "of 1 of 2 runs" in cell.note
    assert "VAE, seed 1: not trained yet" in cell.note
    assert missing_cells(standing(study, folder)) == ["VAE, seed 1: not trained yet."]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_worker_that_the_system_ends_costs_its_cell_only(tmp_path):
    study = write_study(tmp_path, TINY, seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    events = []
    for event in job:
        events.append(event)
        if not finished(events) and standing(study, tmp_path / "runs")[0].step >= 10:
            [worker] = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            events += list(job)
    first, second = finished(events)
    assert (first.state, second.state) == ("failed", "evaluated")
    assert "ended by the system" in first.message
    assert standing(study, tmp_path / "runs")[0].state == "paused"  # and can go on


def test_a_study_is_run_once_at_a_time_over_a_folder(study, tmp_path):
    job = run_study(study, tmp_path, workers=1, threads=1)
    next(job)
    with pytest.raises(RunLockedError, match=r"Tiny is running over .* in another window or process"):
        next(run_study(study, tmp_path, workers=1))
    job.close()


def test_data_that_is_not_there_is_one_sentence_and_leaves_no_runs(tmp_path):
    study = write_study(tmp_path, TINY.replace('"digits"', '"mnist"'), data_folder=tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        list(run_study(study, tmp_path / "runs", workers=1))
    assert list((tmp_path / "runs").glob("tiny*")) == []


# Which run is which cell.


def test_earlier_runs_with_the_same_settings_are_taken(study, tmp_path):
    config = study.cells[0].config
    other = {"gamma": 7, "capacity_epochs": 3, "beta": 2, "threads": 2, "device": "cpu", "log_steps": 5, "epochs": 9,
             "keep_steps": (10,), "checkpoint_steps": 7, "preview_steps": 8, "data_folder": tmp_path}  # fmt: skip
    Run.create(tmp_path, config.changed(**other), "something else")
    [first, *rest] = standing(study, tmp_path)
    assert (first.run, first.state) == (tmp_path / "something-else", "waiting")
    assert all(state.run is None for state in rest)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"steps": 61}, {"conditional": True}, {"latents": 9}])
def test_runs_with_other_settings_are_not(study, tmp_path, change):
    Run.create(tmp_path, study.cells[0].config.changed(**change))
    assert all(state.run is None for state in standing(study, tmp_path))


def test_of_several_runs_of_a_cell_the_furthest_counts(study, whole, tmp_path):
    folder = Path(shutil.copytree(whole[0], tmp_path / "runs"))
    Run.create(folder, study.cells[0].config, "a-first")
    assert standing(study, folder)[0].run == folder / "tiny-vae-seed-0"


def test_a_run_that_was_lengthened_after_its_evaluation_is_to_be_evaluated_again(study, whole, tmp_path):
    folder = Path(shutil.copytree(whole[0], tmp_path / "runs"))
    path = folder / "tiny-vae-seed-0" / "evaluation.json"
    kept = json.loads(path.read_text())
    write_json(path, kept | {"step": 50})
    assert standing(study, folder)[0].state == "trained"
    write_json(path, kept | {"metrics": {"kl": kept["metrics"]["kl"]}})
    [state, *_] = standing(study, folder)
    assert (state.state, state.message) == ("trained", "not computed yet: reconstruction, mig")
    path.write_text("{")
    assert "damaged" in why(standing(study, folder)[0])


def test_the_reports_quick_table_2_knows_runs_with_its_settings(tmp_path):
    """The report's proportions by hand: 20,000 steps, C full after a fifth, i.e. 4,000 of 11,520 steps an epoch."""
    study = load_study("table-2", quick=True)
    settings = {"dataset": "dsprites", "steps": 20_000, "threads": 1}
    for objective in ("vae", "beta-vae", "annealed-abs", "annealed-relu"):
        ramp = {"capacity_epochs": 0.3472} if objective.startswith("annealed") else {}
        Run.create(tmp_path, RunConfig.parse(settings | ramp | {"objective": objective}), f"table-2-{objective}-seed-0")
    names = [state.run.name for state in standing(study, tmp_path)]
    assert names == [study.run_name(cell) for cell in study.cells]
    annealed = study.cells[-1].config
    assert annealed.capacity_epochs * 11_520 == pytest.approx(20_000 / 5, rel=1e-4)


# What the files say.


@pytest.mark.parametrize("study", shipped_studies(), ids=lambda study: study.name)
def test_the_shipped_studies_have_the_reports_settings_and_their_quick_form_no_warning(study):
    # Section 3 of the report: Adam at 5e-4, batches of 64, 100 epochs, beta 4, C from 0 to 20 nats in 20 epochs.
    for cell in study.cells:
        config = cell.config
        assert (config.learning_rate, config.batch_size, config.latents) == (5e-4, 64, 10)
        assert (config.steps, config.epochs, config.beta, config.gamma) == (None, 100, 4, 100)
        assert (config.capacity_max, config.capacity_epochs) == (20, 20)
        assert config.conditional == study.name.endswith("conditional")
    quick = load_study(study.name, quick=True)
    assert study.warnings() == quick.warnings() == []
    objectives = {cell.config.objective for cell in quick.cells}
    assert objectives == {"vae", "beta-vae", "annealed-abs", "annealed-relu"}
    assert quick.seeds == (0,)
    assert [quick.cells[0].config.epochs, quick.cells[0].config.steps] in ([10, None], [100, 20_000])


def test_quick_and_seeds_replace_what_the_file_says(tmp_path):
    study = write_study(tmp_path, quick=True)
    assert (study.seeds, study.quick) == ((0,), True)
    assert (study.cells[0].config.epochs, study.cells[0].config.steps) == (1, None)
    assert write_study(tmp_path, seeds=3).seeds == (0, 1, 2)
    assert [cell.title for cell in write_study(tmp_path, seeds=1).cells] == ["VAE, seed 0", "Annealed, seed 0"]
    assert write_study(tmp_path).cells[1].config.gamma == 10


def test_a_study_of_ones_own_is_found_by_its_name(private_folders):
    folder = private_folders / "config" / "Disentangle Studio" / "studies"
    folder.mkdir(parents=True)
    write_study(folder)
    (folder / "broken.toml").write_text("title = ")
    assert [study.name for study in own_studies()] == ["tiny"]
    assert load_study("tiny").title == "Tiny"
    shutil.rmtree(folder)
    with pytest.raises(ConfigError, match=r"There is no study 'tiny'.*table-1, table-1-conditional, table-2"):
        load_study("tiny")


def test_settings_that_do_not_go_together_are_said_once_with_their_methods(tmp_path):
    study = write_study(tmp_path, TINY.replace("capacity_epochs = 1", "capacity_epochs = 100"))
    [warning] = study.warnings()
    assert warning.startswith("Annealed: C will reach only")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title = ", "", "not valid TOML"),
        ('about = "Two', 'abuot = "Two', "there is no key 'abuot'"),
        ('title = "Tiny"\n', "", "the key 'title' is missing"),
        ('title = "Tiny"', "title = 5", "title is 5; it must be words"),
        ("seeds = [0, 1]", "seeds = 2", "seeds is 2; it must be a list"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "different whole numbers"),
        ("seeds = [0, 1]", "seeds = [-1]", "seed is -1; it must be a whole number from 0"),
        ('"kl", "mig"', '"lk"', "metrics has 'lk', which is no metric"),
        ("batch_size = 32", "batch_size = 1", "settings: batch_size is 1; it must be a whole number from 2"),
        ("batch_size = 32", "batchsize = 32", "settings: There is no setting 'batchsize'"),
        ("batch_size = 32", "seed = 32", "settings: seed is not set there"),
        ("batch_size = 32", "threads = 1", "settings: threads is not set there"),
        ("\nepochs = 1", "\nepochs = 0", "quick: epochs is 0"),
        ("gamma = 10", "gama = 10", "methods, number 2: There is no setting 'gama'"),
        ('title = "Annealed"', "", "methods, number 2: the key 'title' is missing"),
        ('title = "Annealed"', 'title = "VAE"', "two with the title 'VAE'"),
        ('objective = "annealed-relu"', 'objective = "vae"', "'VAE' and 'Annealed' have the same settings"),
        ("[settings]", "[[settings]]", "it must be a table of settings"),
    ],
)
def test_a_wrong_study_is_one_sentence_with_file_and_key(tmp_path, old, new, words):
    assert old in TINY
    with pytest.raises(ConfigError) as error:
        write_study(tmp_path, TINY.replace(old, new, 1))
    assert str(tmp_path / "tiny.toml") in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_without_a_quick_form_says_so(tmp_path):
    text = TINY.replace("[quick]\nseeds = [0]\nepochs = 1\n", "")
    with pytest.raises(ConfigError, match=r"has no \[quick\]"):
        write_study(tmp_path, text, quick=True)


# What is told of it.


def test_the_methods_text_has_the_settings_and_protocols_that_were_used(study, whole):
    text = methods_text(study, whole[0])
    config = json.loads((whole[0] / "tiny-annealed-relu-seed-0" / "config.json").read_text())
    for words in (
        "Digits (the 1,618 training images, 32 × 32 pixels)",
        "γ ReLU(KL − C) with γ = 10",
        "32-32-64-64 channels",
        "10 latents",
        f"learning rate of {config['learning_rate']}, in batches of {config['batch_size']} images, for 60 steps",
        "C rose linearly from 0 to 5 nats over 1 epochs (51 steps)",
        "seeds 0, 1",
        "binary cross-entropy summed over pixels, mean over images; n = 179; test images; z sampled",
        f"PyTorch {config['versions']['torch']}",
        "on the CPU with 1 thread",
    ):
        assert words in text
    assert "not evaluated yet" not in text
    assert "Mutual information gap" not in text  # it has no value here
    assert text.count("\n") == 1


def test_the_methods_text_of_a_study_to_be_run_says_what_is_missing(study):
    text = methods_text(study)
    assert "Of these 4 runs, 4 are not evaluated yet." in text
    assert "Software" not in text


def test_the_methods_text_of_runs_names_what_differs(study, whole):
    runs = [Run.open(state.run) for state in standing(study, whole[0])]
    runs[0].config = runs[0].config.changed(batch_size=16)
    assert "batches of 16 (VAE) or 32 (Annealed VAE (ReLU), VAE)" in methods_text(runs)


def test_the_estimate_is_made_of_the_pace_of_earlier_runs(study, whole, tmp_path):
    """By hand: a run of 50 steps in 25 s, four runs of 60 steps, two at a time."""
    run = Run.create(tmp_path, study.cells[0].config.changed(steps=50), "before")
    run.resolve("cpu", 1)
    shutil.copytree(whole[0] / "tiny-vae-seed-0" / "checkpoint", run.path / "checkpoint")
    lines = (whole[0] / "tiny-vae-seed-0" / "metrics.csv").read_text().splitlines()
    values = lines[5].split(",")
    assert values[0] == "50"
    run.metrics_file.write_text("\n".join([lines[0], ",".join([*values[:2], "25", *values[3:]])]) + "\n")
    needed = study_estimate(study, tmp_path, workers=2, threads=1, measure=False)
    assert (needed.cells, needed.plan.workers) == (4, 2)
    training = 4 * 60 * 0.5 / 2
    assert training < needed.seconds < training + 4 * 10 * 0.5  # of 179 images: the time of a few steps
    assert needed.disk > 4 * 3 * (run.checkpoint_folder / "model.safetensors").stat().st_size
    assert study_estimate(study, whole[0], workers=2, threads=1, measure=False).seconds == 0


def test_time_left_is_shared_by_workers_but_no_run_by_two():
    costs = [Cost(steps=100, step_seconds=1.0, evaluation_seconds=10.0), Cost(steps=10, step_seconds=1.0), Cost()]
    assert seconds_left(costs, 1) == 120
    assert seconds_left(costs, 2) == 110
    assert seconds_left([*costs, Cost(steps=5)], 2) is None


def test_the_threads_of_a_study_do_not_depend_on_memory_or_what_is_left(monkeypatch):
    monkeypatch.setattr("engine.studies.machine._cores", lambda: 8)
    monkeypatch.setattr("engine.studies.machine.available_memory", lambda: 4_000_000_000)
    plan = plan_for(12, "cpu")
    assert (plan.workers, plan.threads) == (3, 1)
    monkeypatch.setattr("engine.studies.machine.available_memory", lambda: 40_000_000_000)
    assert (plan_for(12, "cpu").workers, plan_for(12, "cpu").threads) == (8, 1)
    assert (plan_for(4, "cpu").workers, plan_for(4, "cpu").threads) == (4, 2)
    with pytest.raises(ConfigError, match="workers is 0"):
        plan_for(4, "cpu", workers=0)


def test_looking_at_a_study_loads_no_heavy_library(study, whole):
    code = (
        "import sys; from pathlib import Path; from engine.studies import *\n"
        f"study = load_study({str(study.path)!r}); folder = Path({str(whole[0])!r})\n"
        "assert [s.state for s in standing(study, folder)] == ['evaluated'] * 4\n"
        "shipped_studies(); study_table(study, folder); methods_text(study, folder)\n"
        "study_estimate(study, folder, device='cpu', measure=False)\n"
        "print([m for m in ('torch', 'cv2', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_reports_numbers_stand_beside_ours(tmp_path):
    text = markdown(study_table(load_study("table-1", quick=True), tmp_path))
    assert "| Annealed VAE (ReLU) | MNIST | 0 | – | 73.94 |" in text  # Table 1 of the report


def test_warnings_come_through(tmp_path):
    study = write_study(tmp_path, TINY.replace("capacity_epochs = 1", "capacity_epochs = 100"), seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    assert next(job) == Warned(study.warnings()[0])
    job.close()
