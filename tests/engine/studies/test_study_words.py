"""Texts about a study: methods text, estimates, the report's values, warnings."""

import json
import shutil

from engine.evaluation.table_formats import markdown
from engine.jobs.control import last_event
from engine.jobs.events import Warned
from engine.runs.run import Run
from engine.studies import (
    StudyEstimated,
    StudyProgress,
    cell_states,
    estimate_study,
    load_study,
    methods_text,
    run_study,
    study_table,
)
from engine.studies.estimate import Cost, seconds_left

SLOW_CAPACITY = ("capacity_epochs = 1", "capacity_epochs = 100")


def test_the_methods_text_has_the_settings_and_protocols_used(study, study_runs):
    text = methods_text(study, study_runs)
    config = json.loads((study_runs / "tiny-annealed-relu-seed-0" / "config.json").read_text())
    for words in (
        "Digits (the 1,618 training images, 32 × 32 pixels)",
        "Annealed, γ = 10 (unsupervised), which minimises",
        "γ ReLU(KL − C) with γ = 10",
        "32-32-32 channels",
        "10 latents",
        f"learning rate of {config['learning_rate']}, in batches of {config['batch_size']} images, for 60 steps",
        "Capacity C rose linearly from 0 to 5 nats over 1 epoch (51 steps)",
        "seeds 0, 1",
        "binary cross-entropy summed over pixels, mean over images; all 179 test images; z sampled",
        f"PyTorch {config['versions']['torch']}",
        "on the CPU with 1 thread",
    ):
        assert words in text
    assert "not evaluated yet" not in text
    assert "Mutual information gap" not in text  # it has no value here
    assert text.count("\n") == 1


def test_the_methods_text_of_a_new_study_counts_missing_evaluations(study):
    text = methods_text(study)
    assert "Of these 4 runs, 4 are not evaluated yet." in text
    assert "Software" not in text


def test_the_methods_text_of_runs_names_differences(study, study_runs):
    runs = [Run.open(state.run) for state in cell_states(study, study_runs)]
    runs[0].config = runs[0].config.changed(batch_size=16)
    assert "batches of 16 images (VAE) or 32 images (Annealed VAE (ReLU), VAE)" in methods_text(runs)


# How long it takes.


def estimated(study, folder):
    """The estimate for two workers, without measuring a pace."""
    job = estimate_study(study, folder, workers=2, threads=1, measure=False)
    return last_event(job, StudyEstimated).needed


def test_the_estimate_uses_the_pace_of_earlier_runs(study, study_runs, tmp_path):
    """By hand: a run of 50 steps in 25 s, four runs of 60 steps, two at a time."""
    run = Run.create(tmp_path, study.cells[0].config.changed(steps=50), "before")
    run.resolve("cpu", 1)
    shutil.copytree(study_runs / "tiny-vae-seed-0" / "checkpoint", run.path / "checkpoint")
    lines = (study_runs / "tiny-vae-seed-0" / "metrics.csv").read_text().splitlines()
    values = lines[5].split(",")
    assert values[0] == "50"
    run.metrics_file.write_text("\n".join([lines[0], ",".join([*values[:2], "25", *values[3:]])]) + "\n")
    needed = estimated(study, tmp_path)
    assert (needed.cells, needed.plan.workers) == (4, 2)
    training = 4 * 60 * 0.5 / 2
    assert training < needed.seconds < training + 4 * 10 * 0.5  # of 179 images: the time of a few steps
    assert needed.disk > 4 * 3 * (run.checkpoint_folder / "model.safetensors").stat().st_size
    assert estimated(study, study_runs).seconds == 0


def test_remaining_time_is_shared_by_workers_but_no_run_is():
    costs = [Cost(steps=100, step_seconds=1.0, evaluation_seconds=10.0), Cost(steps=10, step_seconds=1.0), Cost()]
    assert seconds_left(costs, 1) == 120
    assert seconds_left(costs, 2) == 110
    assert seconds_left([*costs, Cost(steps=5)], 2) is None


def test_progress_grows_to_the_end_and_reports_the_remaining_time(study_events):
    progress = [event for event in study_events if isinstance(event, StudyProgress)]
    done = [event.done for event in progress]
    assert done == sorted(done)
    assert (progress[-1].done, progress[-1].cells_done, progress[-1].seconds_left) == (4000, 4, 0)
    known = [event.seconds_left for event in progress if event.seconds_left is not None]
    assert max(known) > 0


# What stands beside the numbers, and before them.


def test_the_reports_values_are_shown_beside_ours(tmp_path):
    text = markdown(study_table(load_study("table-1", quick=True), tmp_path))
    assert "| Annealed VAE (ReLU) | unsupervised | MNIST | 0 | – | 73.94 |" in text  # Table 1 of the report


def test_a_study_names_its_methods_by_supervision_and_sorts_its_table_by_it(tmp_path, study_file):
    changes = (('objective = "vae"', 'objective = "vae"\nconditional = true'),)
    study = load_study(study_file(tmp_path, *changes))
    assert study.methods_words == "unsupervised: Annealed, γ = 10; supervised: VAE"
    table = study_table(study, tmp_path)
    labels = [line.cells[table.index("supervision")].text for line in table.lines]
    assert labels == ["unsupervised", "supervised"]
    assert "VAE (supervised), which minimises" in methods_text(study)


def test_warnings_about_settings_appear_once_with_their_methods(tmp_path, study_file):
    study = load_study(study_file(tmp_path, SLOW_CAPACITY))
    [warning] = study.warnings()
    assert warning.startswith("Annealed, γ = 10: Capacity C will reach only")


def test_warnings_are_passed_on(tmp_path, study_file):
    study = load_study(study_file(tmp_path, SLOW_CAPACITY), seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    assert next(job) == Warned(study.warnings()[0])
    job.close()
