"""The held-out curve agrees with the evaluation of the same images and does not disturb training."""

import csv

import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.forward import forward
from engine.runs.trained import load_model
from engine.training.held_out import HeldOut


@pytest.fixture(scope="module")
def trained(tiny_run, digits_folder):
    return load_model(tiny_run, load_dataset("mnist", digits_folder))


def rows(run):
    with run.held_out_file.open(newline="") as file:
        return list(csv.DictReader(file))


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def test_there_is_a_row_at_each_preview(tiny_run):
    assert [int(row["step"]) for row in rows(tiny_run)] == [1, 30, 60]
    # 1,500 images in batches of 32 are 47 steps an epoch.
    assert [float(row["epoch"]) for row in rows(tiny_run)] == pytest.approx([1 / 47, 30 / 47, 60 / 47])
    assert float(rows(tiny_run)[-1]["reconstruction"]) < float(rows(tiny_run)[0]["reconstruction"])


def test_it_agrees_with_the_evaluation_of_the_test_split(tiny_run, trained):
    # All 297 test images are in the sample. KL has no randomness; the reconstruction differs by the noise alone, about
    # one nat in a mean over 297 images of a model this young.
    passed = finish(forward(trained, trained.dataset.splits["test"], 0, "", sharpness=False))
    last = rows(tiny_run)[-1]
    assert float(last["kl"]) == pytest.approx(passed.kl.sum(1).mean(), rel=1e-5)
    assert float(last["reconstruction"]) == pytest.approx(passed.reconstruction.mean(), abs=4.0)


def test_measuring_changes_neither_the_model_nor_the_random_state(tiny_run, trained):
    held_out = HeldOut(tiny_run, trained.dataset, torch.device("cpu"))
    model = trained.model.train()
    try:
        before = {name: tensor.clone() for name, tensor in model.networks.state_dict().items()}
        state = torch.get_rng_state()
        first = held_out.measure(model)
        assert held_out.measure(model) == first
        assert model.networks.training
        assert torch.equal(torch.get_rng_state(), state)
        for name, tensor in model.networks.state_dict().items():
            assert torch.equal(tensor, before[name]), name
    finally:
        model.eval()


def test_a_row_for_the_same_step_is_replaced(tiny_copy, trained):
    held_out = HeldOut(tiny_copy, trained.dataset, torch.device("cpu"))
    held_out.cut_back(30)
    for _ in range(2):
        held_out.record(trained.model, 60, 60 / 47, 1.0)
    assert [row["step"] for row in rows(tiny_copy)] == ["1", "30", "60"]


def test_a_conditional_model_receives_the_label_of_each_image(label_alone, digit_files):
    images, labels = (part[1500:] for part in digit_files)
    measured = HeldOut(label_alone.run, label_alone.dataset, torch.device("cpu")).measure(label_alone.model)
    x = torch.tensor(images / 255.0)
    with torch.no_grad():
        p = label_alone.model.decode(torch.zeros(len(x), 10), torch.tensor(labels))[:, 0].double()
    plain = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2)).mean()
    assert measured[0] == pytest.approx(float(plain), rel=1e-5)
