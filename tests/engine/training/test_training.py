"""The training job: determinism, exact resume, pause and stop, and what happens when things go wrong."""

import csv
import errno
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import xlogy

from engine.data import load_dataset
from engine.errors import CheckpointError, RunError, RunLockedError, TrainingDivergedError
from engine.jobs.events import CheckpointSaved, Event, Finished, Paused, Preview, Progress, Request, StepMetrics
from engine.methods.registry import METHODS
from engine.runs.checkpoints import checkpoint_step, load_weights
from engine.runs.previews import list_previews
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.files import write_bytes
from engine.training import trainer as training
from engine.training.trainer import train

SETTINGS = {
    "dataset": "mnist",
    "objective": "annealed-relu",
    "capacity_max": 5.0,
    "capacity_epochs": 0.5,
    "network": "burgess",
    "batch_size": 8,
    "steps": 60,
    "log_steps": 8,
    "checkpoint_steps": 20,
    "preview_steps": 25,
}


def make(folder: Path, digits: Path, **changes: object) -> Run:
    return Run.create(folder, RunConfig.parse({**SETTINGS, "data_folder": digits, **changes}))


def curves(run: Run) -> list[list[str]]:
    """Rows of metrics.csv without the seconds, which differ from run to run."""
    return without_seconds(run.metrics_file)


def held_out(run: Run) -> list[list[str]]:
    """Rows of held_out.csv without the seconds."""
    return without_seconds(run.held_out_file)


def without_seconds(path: Path) -> list[list[str]]:
    with path.open() as file:
        return [row[:2] + row[3:] for row in csv.reader(file)]


def assert_same(first: Run, second: Run) -> None:
    assert held_out(first) == held_out(second)
    assert_trained_the_same(first, second)


def assert_trained_the_same(first: Run, second: Run) -> None:
    assert curves(first) == curves(second)
    one, two = (load_weights(run.checkpoint_folder).tensors for run in (first, second))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


def advance(job: object, until: type[Event], count: int = 1) -> list[Event]:
    """Take events until there are `count` of a kind."""
    taken: list[Event] = []
    while sum(isinstance(event, until) for event in taken) < count:
        taken.append(next(job))
    return taken


def test_the_same_seed_gives_the_same_curves_and_weights(tmp_path, few_digits):
    runs = [make(tmp_path, few_digits) for _ in range(2)]
    for run in runs:
        torch.manual_seed(len(run.path.name))  # the global state must not matter
        list(train(run))
    assert_same(*runs)


def test_another_seed_gives_other_curves(tmp_path, few_digits):
    runs = [make(tmp_path, few_digits, seed=seed, steps=16) for seed in (0, 1)]
    for run in runs:
        list(train(run))
    assert curves(runs[0])[1] != curves(runs[1])[1]


@pytest.mark.parametrize("step", [1, 8, 20, 37, 47, 59])
def test_a_run_stopped_at_any_step_and_resumed_equals_one_that_never_stopped(tmp_path, few_digits, step):
    # 47 steps make an epoch of the 373 images: stops fall before, at and after its end.
    whole, parts = make(tmp_path, few_digits), make(tmp_path, few_digits)
    list(train(whole))
    job = train(parts)
    while not (isinstance(event := next(job), Progress) and event.what == "Training" and event.done == step):
        pass
    rest = [job.send(Request.STOP), *job]
    assert rest[-1] == Finished(parts.path, step, stopped=True)
    assert checkpoint_step(parts.checkpoint_folder) == step
    assert parts.state().state == "stopped"
    assert list(train(parts))[-1] == Finished(parts.path, 60, stopped=False)
    assert_same(whole, parts)


def test_a_resume_is_exact_with_two_threads(tmp_path, digits_folder, two_threads):
    # Batches and layers that are worth two threads.
    whole, parts = (make(tmp_path, digits_folder, threads=2, network="plain", batch_size=32) for _ in range(2))
    list(train(whole))
    job = train(parts)
    advance(job, StepMetrics, 2)
    job.close()
    assert torch.get_num_threads() == 2
    list(train(parts))
    assert_same(whole, parts)


@pytest.fixture
def two_threads():
    """Two threads for the test only."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_run_whose_process_died_resumes_from_its_last_checkpoint_and_ends_identically(tmp_path, few_digits):
    whole, killed = make(tmp_path, few_digits), make(tmp_path, few_digits)
    list(train(whole))
    job = train(killed)
    advance(job, CheckpointSaved)
    advance(job, StepMetrics, 2)
    before = {path: path.read_bytes() for path in killed.path.rglob("*") if path.is_file() and path.name != "lock"}
    job.close()  # lets the lock go; what a kill leaves behind is put back
    for path, content in before.items():
        write_bytes(path, content)
    write_bytes(killed.metrics_file, killed.metrics_file.read_bytes() + b"40,1.2,3")  # a row half written
    assert killed.state().state == "interrupted"
    list(train(killed))
    assert_same(whole, killed)
    assert [p.name for p in list_previews(killed.previews_folder)] == (
        [p.name for p in list_previews(whole.previews_folder)]
    )


def test_a_lengthened_run_equals_one_that_was_as_long_from_the_start(tmp_path, few_digits):
    long, short = make(tmp_path, few_digits, steps=60), make(tmp_path, few_digits, steps=35)
    list(train(long))
    list(train(short))
    assert short.state().state == "finished"
    short.lengthen(None, 60)
    list(train(short))
    assert_same(long, short)


def test_pausing_saves_a_checkpoint_and_changes_nothing(tmp_path, few_digits):
    whole, paused = make(tmp_path, few_digits), make(tmp_path, few_digits)
    list(train(whole))
    job = train(paused)
    while not (isinstance(event := next(job), Progress) and event.what == "Training" and event.done == 13):
        pass
    assert job.send(Request.PAUSE) == CheckpointSaved(13)
    assert next(job) == Paused(13)
    assert paused.state().state == "paused"
    list(job)
    assert_same(whole, paused)


def test_closing_the_job_keeps_what_was_learned(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    job = train(run)
    while not (isinstance(event := next(job), Progress) and event.what == "Training" and event.done == 7):
        pass
    job.close()
    assert checkpoint_step(run.checkpoint_folder) == 7
    assert run.state().state == "stopped"


def test_rows_are_means_over_the_steps_since_the_previous_row(tmp_path, few_digits):
    # The same run recorded every step and every 10 steps: the mean of the first is the second.
    fine, coarse = (
        make(tmp_path, few_digits, steps=20, log_steps=1),
        make(tmp_path, few_digits, steps=20, log_steps=10),
    )
    each = [event for event in train(fine) if isinstance(event, StepMetrics)]
    rows = [event for event in train(coarse) if isinstance(event, StepMetrics)]
    assert [row.step for row in rows] == [10, 20]
    for number, row in enumerate(rows):
        part = each[10 * number : 10 * (number + 1)]
        for name in ("loss", "reconstruction", "kl", "capacity"):
            assert getattr(row, name) == pytest.approx(np.mean([getattr(p, name) for p in part]), rel=1e-9)
        assert row.kl_per_latent == pytest.approx(np.mean([p.kl_per_latent for p in part], axis=0), rel=1e-9)
        assert sum(row.kl_per_latent) == pytest.approx(row.kl, rel=1e-6)


def test_the_loss_is_the_objective_of_its_terms_and_capacity_rises_linearly(tmp_path, few_digits):
    run = make(tmp_path, few_digits, log_steps=1, gamma=10)
    for row in (event for event in train(run) if isinstance(event, StepMetrics)):
        # Eq. 6 by hand; 47 steps make an epoch, so C reaches 5 nats after 23.5 steps.
        capacity = 5.0 * min(1.0, row.step / 23.5)
        assert row.capacity == pytest.approx(capacity)
        assert row.loss == pytest.approx(row.reconstruction + 10 * max(0.0, row.kl - capacity), rel=1e-5)


def test_training_learns(tmp_path, digits_folder):
    settings = {"network": "report", "normalisation": "batch", "learning_rate": 2e-3, "batch_size": 16}
    run = make(tmp_path, digits_folder, objective="vae", steps=150, log_steps=50, **settings)
    rows = [event for event in train(run) if isinstance(event, StepMetrics)]
    # The best constant answer is the mean image; no answer is better than the images' own entropy (they are grey).
    dataset = load_dataset("mnist", digits_folder)
    images = dataset.images(dataset.training).reshape(1500, -1) / 255
    constant, floor = entropy(images.mean(0)).sum(), entropy(images).sum(1).mean()
    assert floor < rows[-1].reconstruction < floor + 0.5 * (constant - floor)


def entropy(p: np.ndarray) -> np.ndarray:
    """Entropy of a Bernoulli variable, in nats."""
    return -(xlogy(p, p) + xlogy(1 - p, 1 - p))


def test_each_image_is_used_once_per_epoch(tmp_path, few_digits):
    trainer = training.Trainer(make(tmp_path, few_digits, batch_size=64))
    seen = []
    for step in range(trainer.steps_per_epoch):
        seen.extend(trainer.steps.sampler(step))
    assert trainer.steps_per_epoch == math.ceil(373 / 64)
    assert sorted(seen) == list(range(373))


def test_previews_are_made_at_their_steps_and_saved(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    steps = [event.step for event in train(run) if isinstance(event, Preview)]
    assert steps == [1, 25, 50, 60]
    assert [int(path.stem) for path in list_previews(run.previews_folder)] == steps


def test_previews_do_not_change_training(tmp_path, few_digits):
    often, seldom = (make(tmp_path, few_digits, steps=25, preview_steps=each) for each in (1, 1000))
    list(train(often))
    list(train(seldom))
    assert_trained_the_same(often, seldom)
    assert held_out(often)[0::25] == held_out(seldom)[0::4]  # which has the early steps 10 and 20, too


def test_an_unchecked_loss_is_never_saved(tmp_path, few_digits):
    """On a GPU, the loss is read only at rows and checkpoints; here it becomes NaN in between."""
    for end in ("close", Request.STOP):
        run = make(tmp_path, few_digits)
        job = train(run)
        advance(job, CheckpointSaved)
        trainer = job.gi_yieldfrom.gi_frame.f_locals["self"]
        trainer.step, trainer.summed = 21, 5
        trainer.sums.fill_(math.nan)
        if end == "close":
            job.close()  # quietly: the host has gone
        else:
            with pytest.raises(TrainingDivergedError, match=r"The checkpoint of step 20 is kept"):
                [job.send(end), *job]
        assert checkpoint_step(run.checkpoint_folder) == 20
        assert all(tensor.isfinite().all() for tensor in load_weights(run.checkpoint_folder).tensors.values())


def test_a_nan_loss_stops_the_run_and_keeps_the_checkpoint(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    job = train(run)
    advance(job, CheckpointSaved)
    trainer = job.gi_yieldfrom.gi_frame.f_locals["self"]
    with torch.no_grad():
        next(trainer.model.networks.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingDivergedError, match=r"step 21\. The checkpoint of step 20 is kept.*learning rate"):
        list(job)
    assert run.state().state == "failed"
    assert checkpoint_step(run.checkpoint_folder) == 20
    list(train(run))
    assert run.state().state == "finished"


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["save_checkpoint", "save_preview", "MetricsWriter.append", "Run.write_state"])
def test_a_full_disk_pauses_the_run_which_then_continues_unchanged(tmp_path, few_digits, monkeypatch, what):
    whole, hindered = make(tmp_path, few_digits), make(tmp_path, few_digits)
    list(train(whole))
    job = train(hindered)
    advance(job, CheckpointSaved)
    owner, _, name = what.rpartition(".")
    monkeypatch.setattr(getattr(training, owner) if owner else training, name, full)
    monkeypatch.setattr(training.time, "monotonic", lambda: 1e12)  # the state is due
    paused = advance(job, Paused)[-1]
    assert "The disk is full" in paused.message
    assert next(job) == paused  # still full: it tries, and waits again
    monkeypatch.undo()
    assert list(job)[-1] == Finished(hindered.path, 60, stopped=False)
    assert_same(whole, hindered)


def test_stopping_on_a_full_disk_ends_the_run_with_its_last_checkpoint(tmp_path, few_digits, monkeypatch):
    run = make(tmp_path, few_digits)
    job = train(run)
    advance(job, CheckpointSaved)
    monkeypatch.setattr(training, "save_checkpoint", full)
    advance(job, Paused)
    with pytest.raises(RunError, match=r"disk is full.*make room, then resume"):
        job.send(Request.STOP)
    monkeypatch.undo()
    assert checkpoint_step(run.checkpoint_folder) == 20
    assert run.state().state == "failed"
    list(train(run))
    assert run.state().state == "finished"


def test_a_folder_deleted_during_training_ends_the_run_with_a_message(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    job = train(run)
    advance(job, CheckpointSaved)
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match=r"is gone; it was moved or deleted"):
        list(job)


def test_a_second_trainer_of_the_same_run_is_refused(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    job = train(run)
    advance(job, StepMetrics)
    with pytest.raises(RunLockedError, match="another window, process or machine"):
        next(train(Run.open(run.path)))
    assert run.state().state == "running"
    job.close()


def test_a_truncated_checkpoint_is_rejected_with_a_message(tmp_path, few_digits):
    run = make(tmp_path, few_digits)
    list(train(run))
    weights = run.checkpoint_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        list(train(run))
    assert len(curves(run)) == 1 + 8  # the curves are still there: a row each 8 steps, and the last


@pytest.mark.parametrize(
    ("objective", "conditional"), [(n, c) for n, m in METHODS.items() for c in (False, True) if m.conditional or not c]
)
def test_every_method_trains_on_drawn_sprites(tmp_path, drawn_dsprites, narrow, objective, conditional):
    config = RunConfig(
        objective=objective,
        conditional=conditional,
        steps=4,
        batch_size=8,
        log_steps=2,
        preview_steps=4,
        capacity_epochs=0.01,
    )
    run = Run.create(tmp_path, config)
    events = list(train(run))
    assert events[-1] == Finished(run.path, 4, stopped=False)
    assert not run.held_out_file.exists()  # dSprites has no test split
    assert all(math.isfinite(event.loss) for event in events if isinstance(event, StepMetrics))
