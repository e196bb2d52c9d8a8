"""Scores during training: of the weights at their step, by a plain vote and the evaluation; stopped, resumed, kept."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.catalogue import quick_metrics
from engine.evaluation.evaluate import evaluate
from engine.evaluation.sampling import Groups, draw_batches, draw_images
from engine.figures.curves import curves_figure
from engine.jobs.events import Evaluated, Paused, Progress, Request, Warned
from engine.runs.archive import read_archive, write_archive
from engine.runs.archive_limits import check_sizes
from engine.runs.checkpoints import load_weights
from engine.runs.metrics_file import SCORES, MetricsReader
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig
from engine.training.lengthening import lengthen
from engine.training.pace import Pace, estimate
from engine.training.trainer import train

SIZES = (3, 4, 6)
"""Classes of shape, x and y: 72 combinations, each twice."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scored") / "blocks.npz"
    classes = np.tile(np.stack([a.ravel() for a in np.indices(SIZES)], axis=1), (2, 1))
    images = np.zeros((len(classes), 32, 32), np.uint8)
    for image, (shape, x, y) in zip(images, classes, strict=True):
        image[2 + 4 * y : 6 + 4 * y + shape, 4 + 6 * x : 8 + 6 * x] = 255
    np.savez(path, images=images, factors=classes)
    return path


@pytest.fixture(scope="module")
def settings(file):
    return {"dataset": "arrays", "data_folder": file, "objective": "vae", "network": "burgess", "latents": 4,
            "batch_size": 16, "steps": 25, "log_steps": 5, "preview_steps": 100, "checkpoint_steps": 8,
            "score_steps": 10, "keep_steps": (10, 20, 25), "threads": 1, "device": "cpu"}  # fmt: skip


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    made = Run.create(tmp_path_factory.mktemp("scores"), RunConfig.parse(settings), "whole")
    list(train(made))
    return made


def rows(run):
    with run.scores_file.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def voted(trained):
    """The FactorVAE score by hand: 1,000 votes for a majority, 500 others that it is tested on (Kim & Mnih 2018)."""
    dataset = trained.dataset
    with torch.no_grad():
        codes = trained.encode(dataset.images(np.arange(len(dataset)))).mean.double().numpy()
    rng = np.random.default_rng(0)
    batches = draw_batches(Groups.of(dataset.factors, len(dataset)), 1500, rng)
    sample = draw_images(len(dataset), np.random.default_rng(0))[0]
    deviation = codes[sample].std(axis=0, ddof=1)
    used = [latent for latent in range(codes.shape[1]) if deviation[latent] >= 0.05]
    if not used:
        return 0.0
    ballots = []
    for images, factor in zip(batches.images, batches.factor.tolist(), strict=True):
        spread = {latent: codes[images, latent].std(ddof=1) / deviation[latent] for latent in used}
        ballots.append((min(spread, key=spread.get), factor))
    counted = Counter(ballots[:1000])
    winner = {latent: max(range(3), key=lambda factor, of=latent: counted[of, factor]) for latent in used}
    return sum(winner[latent] == factor for latent, factor in ballots[1000:]) / 500


def test_each_row_has_the_scores_of_the_weights_at_its_step(run):
    dataset = load_dataset(*run.data)
    assert [row["step"] for row in rows(run)] == ["10", "20", "25"]
    assert [float(row["epoch"]) for row in rows(run)] == pytest.approx([10 / 9, 20 / 9, 25 / 9])
    for row in rows(run):
        trained = load_model(run, dataset, int(row["step"]))
        assert float(row["factor_vae"]) == pytest.approx(voted(trained), abs=1e-8)
    *_, last = evaluate(run, ["mig"])
    assert float(rows(run)[-1]["mig"]) == pytest.approx(last.result["metrics"]["mig"]["value"], rel=1e-6)
    assert len({row["mig"] for row in rows(run)}) == 3


def test_a_quick_look_has_the_scores_during_training_and_says_how_many_votes_they_have(run, tmp_path):
    run = Run.open(Path(shutil.copytree(run.path, tmp_path / "copy", ignore=shutil.ignore_patterns("evaluation*"))))
    [last] = [event for event in evaluate(run, quick_metrics()) if isinstance(event, Evaluated)]
    found = last.result["metrics"]
    assert list(found) == quick_metrics()
    final = rows(run)[-1]
    assert found["factor_vae_quick"]["value"] == pytest.approx(float(final["factor_vae"]))
    assert found["mig_quick"]["value"] == pytest.approx(float(final["mig"]))
    votes = found["factor_vae_quick"]["protocol"]
    assert (votes["n"], votes["n_test"], votes["batch"]) == (1000, 500, 64)
    assert "interval" not in found["mig_quick"]
    assert "mig" not in run.evaluation()["metrics"]  # a quick value never stands for one of the full protocol


def test_scores_change_nothing_of_the_training(run, settings, tmp_path):
    without = Run.create(tmp_path, RunConfig.parse(settings | {"score_steps": None}), "without")
    list(train(without))
    assert not without.scores_file.exists()
    assert RunConfig().score_steps is None
    one, other = (load_weights(each.checkpoint_folder).tensors for each in (run, without))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("asked", [Request.STOP, Request.PAUSE, Request.END])
def test_a_request_while_scores_are_computed_is_obeyed_and_they_are_computed_later(run, settings, tmp_path, asked):
    made = Run.create(tmp_path, RunConfig.parse(settings), "asked")
    job, at_step_10, at_pause, answer = train(made), 0, [], None
    while True:
        try:
            event = job.send(answer)
        except StopIteration:
            break
        answer = None
        if isinstance(event, Progress) and event.what == "Training" and event.done == 10:
            at_step_10 += 1  # first for the step, then while it is scored
            answer = asked if at_step_10 == 2 else None
        if isinstance(event, Paused):
            at_pause.append(made.scores_file.exists())
    assert at_step_10 > 1
    assert at_pause == ([False] if asked is Request.PAUSE else [])
    if asked is Request.STOP:
        assert made.state().step == 10
        assert not made.scores_file.exists()
        list(train(Run.open(made.path)))
    assert rows(made) == rows(run)


def test_rows_after_the_checkpoint_are_computed_again(run, settings, tmp_path):
    made = Run.create(tmp_path, RunConfig.parse(settings | {"keep_steps": ()}), "killed")
    job = train(made)
    next(event for event in job if isinstance(event, Progress) and event.done == 21)
    made.scores_file.write_text(made.scores_file.read_text() + "24,2.6,9,0.5,0.5\n", "utf-8")  # of no checkpoint
    job.close()
    list(train(Run.open(made.path)))
    assert rows(made) == rows(run)


def test_the_row_at_the_end_of_a_run_goes_when_it_is_made_longer(settings, tmp_path):
    made = Run.create(tmp_path, RunConfig.parse(settings), "longer")
    list(train(made))
    lengthen(made, None, 31)
    list(train(made))
    assert [row["step"] for row in rows(made)] == ["10", "20", "30", "31"]


def test_data_without_factors_get_a_sentence_and_no_file(settings, tmp_path, file):
    with np.load(file) as data:
        np.savez(tmp_path / "bare.npz", images=data["images"])
    config = RunConfig.parse(settings | {"data_folder": tmp_path / "bare.npz", "steps": 12})
    made = Run.create(tmp_path, config, "bare")
    [note] = [event.message for event in train(made) if isinstance(event, Warned)]
    assert note == "No scores are computed during training: bare has no ground-truth factors."
    assert not made.scores_file.exists()


def test_an_archive_takes_scores_along_and_refuses_too_many(run, tmp_path):
    list(write_archive([run], tmp_path / "a.zip"))
    list(read_archive(tmp_path / "a.zip", tmp_path / "in"))
    [copy] = [Run.open(folder) for folder in (tmp_path / "in").iterdir() if folder.is_dir()]
    assert copy.scores_file.read_bytes() == run.scores_file.read_bytes()
    check_sizes({"scores.csv": 1000}, run.config, "a.zip")
    with pytest.raises(Exception, match=r"scores.csv in a.zip is too large"):
        check_sizes({"scores.csv": 3_000_000}, run.config, "a.zip")


def test_figures_have_a_panel_of_scores(run, tmp_path):
    other = Run.open(Path(shutil.copytree(run.path, tmp_path / "other")))
    other.scores_file.unlink()
    axes = curves_figure(run).axes[-1]
    assert axes.get_title() == "Scores"
    reader = MetricsReader(run.scores_file)
    reader.refresh()
    for line, name in zip(axes.get_lines(), SCORES, strict=True):
        assert line.get_ydata().tolist() == reader.column(name).tolist()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["FactorVAE score", "MIG"]
    both = {axes.get_title(): axes for axes in curves_figure(run, other).axes}
    for title in ("FactorVAE score", "MIG"):
        assert [len(line.get_xdata()) for line in both[title].get_lines()] == [3, 0]
    assert "Scores" not in [axes.get_title() for axes in curves_figure(other).axes]


def test_an_estimate_counts_the_images_that_scores_encode():
    pace = Pace(0.1, 0, 737_280)
    config = RunConfig(steps=10_000, batch_size=64)
    plain, scored = (estimate(each, pace).seconds for each in (config, config.changed(score_steps=1000)))
    # Ten times 106,000 images in batches of 64, each at a tenth of a step.
    assert plain == pytest.approx(1000)
    assert scored - plain == pytest.approx(10 * 106_000 / 64 * 0.1 * 0.1)
