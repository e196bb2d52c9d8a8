"""Training on a subset: its text, which images it keeps, and what training, evaluation and lengths make of it."""

import json

import numpy as np
import pytest

from engine.data import ENTRIES, Dataset, dsprites, load_dataset
from engine.data.dataset import ArrayStore, Factors
from engine.data.subsets import kept_images, problem_with_subset, training_count, training_positions
from engine.errors import ConfigError, DataError
from engine.evaluation.catalogue import METRICS
from engine.evaluation.evaluate import evaluate
from engine.evaluation.protocols import protocol_text
from engine.jobs.events import Evaluated, Warned
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.settings.subset import Subset
from engine.training.trainer import train

GRID = Factors(("size", "place", "kind"), (np.arange(10.0), np.arange(12.0), np.arange(3.0)), {"kind": ("a", "b", "c")})
CLASSES = GRID.classes(np.arange(360))


def test_a_text_has_one_form_whichever_way_it_is_typed():
    typed = "  size~ place  WIDTH 0,3 ;; Without kind=b &place = 3 .. 5;without size = 0..0 "
    assert str(Subset.parse(typed)) == "size ~ place width 0.3; without kind = b & place = 3..5; without size = 0"
    assert str(Subset.parse("floor hue ~ wall hue")) == "floor hue ~ wall hue width 0.2"
    assert str(Subset.parse(" ; ")) == ""
    for text in (typed, "size ~ place", ""):
        assert Subset.parse(str(Subset.parse(text))) == Subset.parse(text)
    assert RunConfig(subset="x~y").subset == "x ~ y width 0.2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size", "'size' is not understood; examples are"),
        ("size ~ size", "two different factors"),
        ("size ~ place width 0", "a number above 0 and up to 10"),
        ("size ~ place width wide", "a number above 0"),
        ("without size", "'size' is not a condition"),
        ("without size = ", "is not a condition"),
        ("without size = 1..", "is not a condition"),
        ("size ~ place ~ kind", "is not understood"),
    ],
)
def test_a_text_that_is_not_understood_gets_a_sentence(text, words):
    with pytest.raises(ConfigError, match=f"subset is .*{words}"):
        RunConfig.parse({"subset": text})


def test_a_line_keeps_images_with_the_gaussian_probability_of_their_distance():
    # Many images of each combination: the share that is kept is binomial around exp(-(a - b)^2 / (2 W^2)).
    many = Factors(("a", "b", "copy"), (np.arange(5.0), np.arange(3.0), np.arange(4000.0)))
    kept = kept_images("a ~ b width 0.3", many, 60_000, "It").reshape(5, 3, 4000).mean(axis=2)
    a, b = np.arange(5) / 4, np.arange(3) / 2
    expected = np.exp(-((a[:, None] - b) ** 2) / (2 * 0.3**2))
    assert np.abs(kept - expected).max() < 4 * 0.5 / np.sqrt(4000)
    assert (kept[[0, 2, 4], [0, 1, 2]] == 1).all()  # on the line
    narrow = kept_images("a ~ b width 0.1", many, 60_000, "It")
    assert narrow.sum() < kept.sum() * 4000
    np.testing.assert_array_equal(narrow, kept_images("a ~ b width 0.1", many, 60_000, "It"))


def test_combinations_are_left_out_and_nothing_else():
    kept = kept_images("without kind = b & place = 3..5; without size = 9", GRID, 360, "It")
    size, place, kind = CLASSES.T
    np.testing.assert_array_equal(kept, ~(((kind == 1) & (place >= 3) & (place <= 5)) | (size == 9)))
    table = Factors(GRID.names, GRID.values, GRID.value_names, CLASSES[::-1])  # not a grid in order
    reverse = kept_images("without kind = b & place = 3..5; without size = 9", table, 360, "It")
    np.testing.assert_array_equal(reverse, kept[::-1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size ~ colour", "It has no factor 'colour'; its factors are size, place, kind"),
        ("without kind = d", "no value 'd'; it has a, b, c"),
        ("without size = 10", "no value '10'; it has 0 to 9, in order"),
        ("without size = 5..3", "ends before it begins"),
    ],
)
def test_factors_and_values_that_there_are_not_get_a_sentence(text, words):
    with pytest.raises(DataError, match=words):
        kept_images(text, GRID, 360, "It")


def test_the_number_of_images_is_known_without_reading_them(drawn_dsprites):
    config = RunConfig(subset="scale ~ x width 0.2; without shape = heart & orientation = 0..19")
    count = training_count(config)
    assert count == len(training_positions(drawn_dsprites, config))
    shape, scale, orientation, x, _ = dsprites.factors().classes(np.arange(dsprites.COUNT)).T
    odds = np.exp(-((scale / 5 - x / 31) ** 2) / (2 * 0.2**2))
    expected = odds[~((shape == 2) & (orientation < 20))].sum()
    assert count == pytest.approx(expected, abs=5 * np.sqrt(expected))
    assert training_count(RunConfig()) == dsprites.COUNT
    assert training_count(config.changed(dataset="arrays")) is None


def test_a_subset_means_nothing_to_data_without_factors():
    config = RunConfig(dataset="digits", subset="scale ~ x")
    assert training_count(config) == ENTRIES["digits"].training_images
    assert len(training_positions(load_dataset("digits"), config)) == 1618
    assert problem_with_subset(config) == ""
    assert problem_with_subset(config.changed(dataset="room")).startswith("Room has no factor 'x'")


def test_own_data_without_factors_or_hardly_any_image_left_get_a_sentence():
    images = ArrayStore(np.zeros((360, 28, 28, 1), np.uint8))
    every = {"all": np.arange(360)}
    bare = Dataset("arrays", "Mine", images, (28, 28, 1), every, "a test")
    config = RunConfig(dataset="arrays", subset="without size = 0..8 & place = 0..11")
    with pytest.raises(DataError, match="Mine has no ground-truth factors"):
        training_positions(bare, config)
    grid = Dataset("arrays", "Mine", images, (28, 28, 1), every, "a test", factors=GRID)
    assert len(training_positions(grid, config)) == 36
    with pytest.raises(DataError, match="Of the training images of Mine, 0 remain"):
        training_positions(grid, config.changed(subset="without size = 0..9"))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Images that are their position, in a grid of 5 x 6 x 4."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    classes = np.stack(np.unravel_index(np.arange(120), (5, 6, 4)), axis=1)
    images = np.broadcast_to(np.arange(120, dtype=np.uint8)[:, None, None] + 100, (120, 28, 28))
    np.savez(tmp_path / "own.npz", images=images, factors=classes, factor_names=["row", "column", "kind"])
    return tmp_path / "own.npz"


def test_training_sees_the_subset_and_evaluation_says_so(own, tmp_path, monkeypatch):
    import engine.training.steps as steps

    seen = set()
    original = steps.DeviceImages.images

    def noting(self, chosen):
        seen.update(chosen.tolist())
        return original(self, chosen)

    monkeypatch.setattr(steps.DeviceImages, "images", noting)
    config = RunConfig(
        dataset="arrays", data_folder=own, subset="without row = 4; without column = 0..1 & kind = 3",
        objective="vae", epochs=2, batch_size=16, latents=2,
    )  # fmt: skip
    run = Run.create(tmp_path / "runs", config)
    events = list(train(run))
    assert not [event for event in events if isinstance(event, Warned) and "subset" in event.message]
    dataset = load_dataset("arrays", own)
    row, column, kind = dataset.factors.classes(np.arange(120)).T
    kept = (row != 4) & ~((column < 2) & (kind == 3))
    expected = sorted(set(dataset.splits["train"].tolist()) & set(np.flatnonzero(kept).tolist()))
    assert sorted(seen) == expected
    assert run.state().total == 2 * -(-len(expected) // 16)
    *_, last = evaluate(run, ["kl", "reconstruction_train", "mig"])
    assert isinstance(last, Evaluated)
    metrics = last.result["metrics"]
    for name, (split, n) in {"kl": ("test", 12), "reconstruction_train": ("train", len(expected))}.items():
        protocol = metrics[name]["protocol"]
        assert (protocol["split"], protocol["n"]) == (split, n)
        assert protocol["trained_on"] == {"subset": config.subset, "n": len(expected), "of": 108}
    assert metrics["mig"]["protocol"]["of"] == 120  # scores are of all images
    words = protocol_text(metrics["kl"], METRICS["kl"])
    assert f"the run was trained on {len(expected)} of 108 training images: without row = 4;" in words


def test_a_run_without_the_setting_opens_unchanged(tmp_path):
    run = Run.create(tmp_path, RunConfig(objective="vae"))
    path = run.path / "config.json"
    values = json.loads(path.read_text())
    assert values.pop("subset") == ""
    path.write_text(json.dumps(values))
    assert Run.open(run.path).config == RunConfig(objective="vae")
