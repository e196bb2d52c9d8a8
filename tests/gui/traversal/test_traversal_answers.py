"""Answers to the Traversal page for conditional runs: each image is decoded with the correct label.

The decoders only use the label, so a wrong label gives a wrong image whatever the latents.
"""

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.methods.building import build
from engine.runs.checkpoints import save_checkpoint
from gui.traversal.answering import Answerer
from gui.traversal.page import _about
from gui.traversal.requests import (
    ClassesWanted,
    CompareWanted,
    GivenPicture,
    ImageAt,
    LatentsWanted,
    Range,
    Request,
    WalkWanted,
    Weights,
)
from gui.traversal.sheet import sheet_of

FIRST, LAST = 10, 1600
RANGE = Range(steps=3)


@pytest.fixture(scope="module")
def by_label(tmp_path_factory, make_run, digits_folder):
    """Two conditional runs, and each one's image for every label, uint8 (10, 28, 28, 1)."""
    found, folder = [], tmp_path_factory.mktemp("by-label")
    for seed in (0, 1):
        run = make_run(folder, name=f"run {seed}", conditional=True)
        torch.manual_seed(seed)
        model = build(run.config, load_dataset("mnist", digits_folder)).eval()
        weight = model.networks.decoder.hidden[0].weight
        with torch.no_grad():
            weight[:, : model.latents] = 0
            weight[:, model.latents :] *= 100
            pictures = 255 * model.decode(torch.zeros(10, model.latents), torch.arange(10)).permute(0, 2, 3, 1).numpy()
        save_checkpoint(run.checkpoint_folder, 1, model.networks, {})
        assert min(np.abs(pictures[i] - pictures[j]).max() for i in range(10) for j in range(i)) > 3
        found.append((Weights(run.path), pictures))
    return found


@pytest.fixture(scope="module")
def labels(digits_folder):
    labels = load_dataset("mnist", digits_folder).labels
    assert len({labels[FIRST], labels[LAST], 7}) == 3
    return labels


def same(images, pictures):
    """Return whether images equal these pictures after rounding."""
    return np.abs(images - pictures).max() < 0.6


@pytest.mark.parametrize("chosen", [None, 7])
def test_rows_of_latents_use_the_chosen_label_or_the_images_own(by_label, labels, chosen):
    weights, pictures = by_label[0]
    answer = Answerer()(Request(weights, ImageAt(FIRST), chosen, LatentsWanted(RANGE)))
    label = labels[FIRST] if chosen is None else chosen
    assert answer.label == label
    assert same(answer.decoded, pictures[label])
    assert same(answer.result.traversal.images, pictures[label])
    assert same(answer.result.traversal.reconstruction, pictures[label])


@pytest.mark.parametrize("chosen", [None, 7])
def test_a_walk_goes_from_label_to_label_unless_one_is_chosen(by_label, labels, chosen):
    weights, pictures = by_label[0]
    answer = Answerer()(Request(weights, ImageAt(FIRST), chosen, WalkWanted(ImageAt(LAST), 4)))
    way = [labels[FIRST]] * 2 + [labels[LAST]] * 2 if chosen is None else [chosen] * 4
    for images in answer.result.images:
        assert same(images, pictures[way])
    assert answer.result.end.label == way[-1]


@pytest.mark.parametrize("chosen", [None, 7])
def test_runs_are_compared_with_the_same_label(by_label, labels, chosen):
    (weights, _), (other, _) = by_label
    answer = Answerer()(Request(weights, ImageAt(FIRST), chosen, CompareWanted((other,), RANGE)))
    label = labels[FIRST] if chosen is None else chosen
    for compared, (_, pictures) in zip(answer.result, by_label, strict=True):
        assert compared.traversal.label == label
        assert same(compared.traversal.images, pictures[label])


def test_the_rows_of_a_saved_sheet_of_classes_match_their_names(by_label, labels):
    weights, pictures = by_label[0]
    sheet = sheet_of(Answerer()(Request(weights, ImageAt(FIRST), None, ClassesWanted(0, RANGE))), {}, 0.0)
    assert sheet.side == [str(digit) for digit in range(10)]
    assert same(sheet.tiles, pictures[:, None])


def test_an_image_from_outside_gets_the_label_that_reconstructs_it_best(by_label):
    (weights, pictures), (other, its_pictures) = by_label
    rng, answerer, found = np.random.default_rng(0), Answerer(), set()
    for number in range(12):
        pixels = np.zeros((40, 40), np.uint8)
        top, left = rng.integers(0, 24, 2)
        pixels[top : top + rng.integers(4, 16), left : left + rng.integers(4, 16)] = 255
        drawn = GivenPicture(number, "drawn", False, pixels)
        answer = answerer(Request(weights, drawn, None, CompareWanted((other,), RANGE)))
        best, its_best = (
            int(((np.rint(each) - answer.start.original) ** 2).sum((1, 2, 3)).argmin())
            for each in (pictures, its_pictures)
        )
        assert answer.label == answer.start.label == best
        assert same(answer.decoded, pictures[best])
        assert _about(answer) == f"Drawn, decoded as {best}."
        assert [compared.traversal.label for compared in answer.result] == [best, its_best]
        found.add(best)
    assert len(found) > 1
