"""Runs whose weights rise or fall: what they are trained with, their curves, stopped, resumed and made longer."""

import csv
import math

import numpy as np
import pytest
import torch

from engine.export.runs import export
from engine.export.tensorboard import write_events
from engine.figures.curves import curves_figure
from engine.jobs.events import Finished, Progress, Request, StepMetrics, Warned
from engine.methods.registry import METHODS
from engine.runs.archive import read_archive, write_archive
from engine.runs.checkpoints import load_trainer, load_weights
from engine.runs.metrics_file import MetricsReader
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.fields import limits_of
from engine.training.lengthening import lengthen
from engine.training.trainer import train

pytestmark = pytest.mark.usefixtures("narrow")

SETTINGS = {
    "dataset": "digits", "batch_size": 16, "latents": 3, "log_steps": 1, "preview_steps": 1000, "threads": 1,
    "device": "cpu", "steps": 30,
}  # fmt: skip
PER_EPOCH = 102  # 1,618 training images: 101 batches of 16 and one of 2


def made(folder, name="run", **settings):
    return Run.create(folder, RunConfig.parse(SETTINGS | settings), name)


def rows(run):
    with run.metrics_file.open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def stop_at(run, step):
    job = train(run)
    for event in job:
        if isinstance(event, Progress) and event.what == "Training" and event.done == step:
            job.send(Request.STOP)
            return list(job)
    raise AssertionError("it ended before")


def half_cosine(start, end, share):
    return start + (end - start) * (1 - math.cos(math.pi * min(1.0, share))) / 2


@pytest.mark.parametrize(
    ("beta", "closed_form"),
    [
        ("0 to 4 over 20 steps", lambda step: 4 * min(1, step / 20)),
        ("10 to 1 over 0.1 epochs", lambda step: 10 - 9 * min(1, step / (0.1 * PER_EPOCH))),
        ("1 to 5 over 50 % cosine", lambda step: half_cosine(1, 5, step / 15)),
        ("5 to 1 over 30 steps cosine", lambda step: half_cosine(5, 1, step / 30)),
    ],
)
def test_a_run_is_trained_with_the_weight_of_each_step_and_records_it(tmp_path, beta, closed_form):
    run = made(tmp_path, objective="beta-vae", beta=beta)
    list(train(run))
    found = rows(run)
    assert list(found[0])[5:9] == ["capacity", "beta", "kl_0", "kl_1"]
    assert len(found) == 30
    for row in found:
        expected = closed_form(int(row["step"]))
        assert float(row["beta"]) == pytest.approx(expected, rel=1e-8)
        # Eq. 4: what is minimised, of its parts.
        loss = float(row["reconstruction"]) + expected * float(row["kl"])
        assert float(row["loss"]) == pytest.approx(loss, rel=1e-5)
        assert row["capacity"] == ""


def test_a_row_has_the_mean_over_its_steps(tmp_path):
    run = made(tmp_path, objective="beta-vae", beta="0 to 4 over 20 steps", log_steps=12)
    list(train(run))
    value = [min(4, step / 5) for step in range(1, 31)]
    expected = [np.mean(value[:12]), np.mean(value[12:24]), np.mean(value[24:])]
    assert [float(row["beta"]) for row in rows(run)] == pytest.approx(expected, rel=1e-8)


def test_a_constant_weight_has_no_column_and_a_constant_capacity_its_own(tmp_path):
    run = made(tmp_path, objective="annealed-abs", gamma=10, capacity=5, steps=2)
    list(train(run))
    assert [(list(row)[5:8], float(row["capacity"])) for row in rows(run)] == [(["capacity", "kl_0", "kl_1"], 5.0)] * 2


def loss_of(objective, row, weight):
    """What each method minimises, of the terms that it records."""
    term = {name: float(value) for name, value in row.items() if value}
    if objective == "annealed-abs":
        return term["reconstruction"] + weight * abs(term["kl"] - term["capacity"])
    if objective == "annealed-relu":
        return term["reconstruction"] + weight * max(0.0, term["kl"] - term["capacity"])
    if objective == "beta-tcvae":
        return term["reconstruction"] + term["kl"] + (weight - 1) * term["total_correlation"]
    if objective == "d-vae":
        return term["reconstruction"] + term["kl"]
    if objective in ("factor-vae", "factor-d-vae"):
        return term["reconstruction"] + term["kl"] + weight * term["total_correlation"]
    if objective in ("dip-vae-i", "dip-vae-ii"):
        off_diagonal, diagonal = weight * term["off_diagonal"], term["lambda_d"] * term["diagonal"]
        return term["reconstruction"] + term["kl"] + off_diagonal + diagonal
    if objective == "info-vae":  # with alpha = 0
        return term["reconstruction"] + term["kl"] + (weight - 1) * term["mmd"]
    if objective == "lambda-beta-vae":
        return term["reconstruction"] + weight * term["kl"] + term["error_weight"] * term["squared_error"]
    if objective.startswith("dc-ign"):
        return term["reconstruction"] + term["kl"] + weight * term["inconstancy"]
    if objective == "info-gan":
        information = term["category_information"] + term["continuous_information"]
        return term["discriminator_loss"] + term["generator_loss"] - weight * information
    if objective == "info-gan-cr":
        contrast = term["contrast_weight"] * term["contrast_loss"]
        return term["discriminator_loss"] + term["generator_loss"] - weight * term["information"] + contrast
    if objective == "dava":
        return term["reconstruction"] + weight * ((term["kl"] - term["capacity"]) / 5) ** 4
    if objective == "qlae":  # per pixel, of 32 x 32
        codes = (weight + term["commitment_weight"]) * term["quantisation_error"]
        return term["reconstruction"] + 32 * 32 * codes
    return term["reconstruction"] + weight * term["kl"]


def along(weight, number, method):
    """From 3 to 40 or less, as far as the weight's range goes."""
    most = limits_of(method.Settings.model_fields[weight])[1]
    return f"{min(3, most / 4)} to {min(40 - 5 * number, most)} over 20 steps cosine"


SCHEDULED = {
    name: {weight: along(weight, number, method) for number, weight in enumerate(weights)}
    for name, method in METHODS.items()
    if (weights := method.Settings.weights())
}


@pytest.mark.parametrize("objective", SCHEDULED)
def test_every_method_is_trained_with_its_weights_as_they_are_and_resumed_bit_for_bit(tmp_path, data_file, objective):
    data = {"dataset": "arrays", "data_folder": data_file, "batch_size": 8, "latents": 5}
    settings = data | {"objective": objective, "log_steps": 1} | SCHEDULED[objective]
    whole, parts = (made(tmp_path, name, **settings) for name in ("whole", "parts"))
    list(train(whole))
    first = METHODS[objective].Settings.weights()[0]
    for row in rows(whole):
        weight = half_cosine(3, 40, int(row["step"]) / 20)
        assert float(row[first]) == pytest.approx(weight, rel=1e-8)
        assert float(row["loss"]) == pytest.approx(loss_of(objective, row, weight), rel=2e-5, abs=2e-4)
    for step in (1, 9, 10, 19, 20, 25):  # on the way, where it ends, and after
        stop_at(Run.open(parts.path), step)
    list(train(Run.open(parts.path)))
    same(whole, parts)


def same(one, other):
    """Weights, curves, and the states of optimisers and noise."""
    assert rows(one) == rows(other)
    weights = [load_weights(run.checkpoint_folder) for run in (one, other)]
    assert weights[0].step == weights[1].step
    for name, tensor in weights[0].tensors.items():
        assert torch.equal(tensor, weights[1].tensors[name]), name
    states = [load_trainer(run.checkpoint_folder, w) for run, w in zip((one, other), weights, strict=True)]
    assert torch.equal(states[0]["noise"], states[1]["noise"])


@pytest.mark.parametrize("beta", ["0 to 4 over 40 steps", "9 to 1 over 0.3 epochs cosine"])
def test_made_longer_on_its_way_it_goes_on_as_if_it_had_been_that_long(tmp_path, beta):
    longer = made(tmp_path, "longer", objective="beta-vae", beta=beta, steps=50)
    short = made(tmp_path, "short", objective="beta-vae", beta=beta)
    list(train(longer))
    list(train(short))
    short = Run.open(short.path)
    lengthen(short, None, 50)
    list(train(short))
    same(longer, short)


def test_in_per_cent_a_longer_run_has_a_longer_schedule_from_then_on(tmp_path):
    run = made(tmp_path, objective="beta-vae", beta="0 to 4 over 50 %")
    list(train(run))
    run = Run.open(run.path)
    lengthen(run, None, 60)
    list(train(run))
    expected = [min(4, 4 * step / 15) for step in range(1, 31)] + [min(4, 4 * step / 30) for step in range(31, 61)]
    assert [float(row["beta"]) for row in rows(run)] == pytest.approx(expected, rel=1e-8)


def test_a_schedule_that_will_not_end_is_said_when_training_begins(tmp_path):
    run = made(tmp_path, objective="beta-vae", beta="0 to 4 over 2 epochs", steps=51)
    [note] = [event.message for event in train(run) if isinstance(event, Warned)]
    assert "β will reach only 1 on its way from 0 to 4 over 2 epochs: the run lasts 0.5 epochs." in note


def test_a_jump_after_the_end_of_the_run_is_said_as_one():
    config = RunConfig(dataset="digits", objective="info-gan-cr", steps=100)
    assert config.warnings(1000) == ["α stays at 0: it jumps to 2 after 288,000 steps, and the run lasts 100 steps."]


def test_a_schedule_added_by_hand_to_a_begun_run_gets_its_column(tmp_path):
    run = made(tmp_path, objective="beta-vae", steps=2)
    list(train(run))
    file = run.path / "config.json"
    file.write_text(file.read_text().replace('"beta": 4.0', '"beta": "4 to 2 over 4 steps"'))
    run = Run.open(run.path)
    lengthen(run, None, 4)
    list(train(run))
    assert [row["beta"] for row in rows(run)] == ["", "", "2.5", "2"]
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    assert (reader.own, reader.problem) == (("beta",), "")


# Where the curves go


@pytest.fixture(scope="module")
def ramped(tmp_path_factory):
    """Runs with a falling β, and with γ and C that rise: ten rows each."""
    folder = tmp_path_factory.mktemp("ramped")
    runs = [
        made(folder, "falling", objective="beta-tcvae", beta="9 to 1 over 30 steps", log_steps=3),
        made(folder, "rising", objective="annealed-abs", gamma="0 to 30 over 100 %", capacity_epochs=0.2, log_steps=3),
        made(folder, "constant", objective="beta-vae", log_steps=3),
    ]
    for run in runs:
        list(train(run))
    return runs


def lines(axes):
    return {
        (line.get_label(), line.get_linestyle()): np.array(line.get_ydata(), dtype=float) for line in axes.get_lines()
    }


def test_a_figure_has_a_panel_of_the_weights_dashed(ramped):
    panels = {axes.get_title(): lines(axes) for axes in curves_figure(ramped[0]).axes}
    assert list(panels)[-1] == "Weights"
    # Steps of three: their mean is the value at the middle one.
    np.testing.assert_allclose(panels["Weights"]["β", "--"], 9 - 8 * (3 * np.arange(1, 11) - 1) / 30, rtol=1e-8)
    rising = {axes.get_title(): lines(axes) for axes in curves_figure(ramped[1], smoothing=0.9).axes}
    assert list(rising["Weights"]) == [("γ", "--")]  # C is with KL
    assert ("capacity C", "--") in rising["KL divergence (nats)"]
    assert not any("Weights" in axes.get_title() for axes in curves_figure(ramped[2]).axes)


def test_several_runs_share_a_panel_for_each_weight(ramped):
    titles = [axes.get_title() for axes in curves_figure(*ramped).axes]
    assert titles[-2:] == ["β, dashed", "γ, dashed"]
    beta, gamma = curves_figure(*ramped).axes[-2:]
    for axes in (beta, gamma):
        [line] = axes.get_lines()
        assert line.get_linestyle() == "--"
    np.testing.assert_allclose(beta.get_lines()[0].get_ydata()[-1], 9 - 8 * 29 / 30, rtol=1e-8)


def test_tensorboard_and_tables_have_the_weights(ramped, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(write_events(ramped[:2], tmp_path / "events"))
    events = EventAccumulator(str(tmp_path / "events" / "falling"))
    events.Reload()
    found = {point.step: point.value for point in events.Scalars("beta")}
    assert found[3] == pytest.approx(9 - 8 * 2 / 30, rel=1e-6)
    assert {"gamma", "capacity"} <= set(
        EventAccumulator(str(tmp_path / "events" / "rising")).Reload().Tags()["scalars"]
    )
    list(export(ramped, tmp_path / "curves.csv"))
    with (tmp_path / "curves.csv").open() as file:
        table = list(csv.DictReader(file))
    assert {row["run"] for row in table if row["beta"]} == {"falling"}
    assert {row["run"] for row in table if row["gamma"]} == {"rising"}


def test_an_archive_keeps_the_schedule_and_its_curve(ramped, tmp_path):
    list(write_archive([ramped[0]], tmp_path / "run.zip"))
    assert isinstance(list(read_archive(tmp_path / "run.zip", tmp_path / "runs"))[-1], Finished)
    [folder] = (tmp_path / "runs").iterdir()
    run = Run.open(folder)
    assert run.config == ramped[0].config
    assert rows(run) == rows(ramped[0])


def test_events_of_a_row_carry_the_weights_after_the_terms(tmp_path):
    run = made(tmp_path, objective="beta-tcvae", beta="9 to 1 over 8 steps", steps=2)
    metrics = [event for event in train(run) if isinstance(event, StepMetrics)]
    assert [row.own[1] for row in metrics] == [8, 7]
    assert METHODS["beta-tcvae"].curves(run.config) == ("total_correlation", "beta")
