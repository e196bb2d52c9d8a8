"""A data set of a plug-in: what it loads is checked, what it raises becomes a sentence, and nothing else suffers."""

from dataclasses import replace

import numpy as np
import pytest

from engine.cli import main as cli
from engine.data import (
    ENTRIES,
    ArrayStore,
    Dataset,
    Entry,
    Factors,
    delete_cached,
    fingerprint_of,
    load_dataset,
    load_if_available,
    prepare,
)  # fmt: skip
from engine.errors import DataError
from engine.jobs.events import Finished, Progress
from engine.plugins.plugin import Plugin
from engine.plugins.registering import register, unregister
from engine.settings.folders import data_cache
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from engine.system.user_code import forget_code, register_code

COUNT = 12
SOUND = Dataset(
    name="mine",
    title="Mine",
    store=ArrayStore(np.arange(COUNT * 28 * 28).reshape(COUNT, 28, 28, 1).astype(np.uint8)),
    image_shape=(28, 28, 1),
    splits={"train": np.arange(8), "test": np.arange(8, 12)},
    source="made up",
    labels=np.arange(COUNT) % 3,
    label_names=("a", "b", "c"),
    factors=Factors(("row", "column"), (np.arange(3.0), np.arange(4.0))),
)
ENTRY = Entry(
    "mine", "Mine", "Twelve pictures.", COUNT, 8, (28, 28, 1), "CC0", lambda path, size: SOUND, "a, b, c", "row, column"
)


@pytest.fixture(autouse=True)
def add():
    """Add a data set: `add(**changes of its entry)`, or of what it loads, `add({...})`."""
    register_code(__file__, "own")

    def register_it(dataset=None, **changes):
        if dataset is not None:
            loaded = replace(SOUND, **dataset) if isinstance(dataset, dict) else dataset
            changes["load"] = lambda path, size: loaded
        plugin = Plugin("own", "1.0", 1, datasets={"mine": replace(ENTRY, **changes)})
        register(plugin, Origin("", "", "a" * 64))

    yield register_it
    unregister("own")
    forget_code(__file__)


def test_one_that_is_sound_is_one_like_the_others(add, capsys):
    add()
    assert load_dataset("mine") is SOUND
    assert RunConfig(dataset="mine").dataset == "mine"
    assert fingerprint_of(load_dataset("mine")) == fingerprint_of(replace(SOUND, title="Other"))
    assert cli.run_command(cli.parse(["datasets"])) == 0
    said = capsys.readouterr().out
    assert "mine           12 images, 28 x 28         ready\n               Twelve pictures. CC0." in said
    assert cli.run_command(cli.parse(["datasets", "prepare", "mine"])) == 0
    assert capsys.readouterr().out == "Mine: nothing to prepare\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (3, "load must return a Dataset, and returned an object of type int."),
        ({"name": "other"}, "the Dataset must have the name mine, and has 'other'."),
        ({"image_shape": (30, 30, 1)}, "with a side of 28, 32, 64, 128 and 1 or 3 channels, and is (30, 30, 1)."),
        ({"image_shape": (32, 32, 1)}, "shape of its Entry is (28, 28, 1), but it loads images of (32, 32, 1)."),
        ({"store": ArrayStore(SOUND.store.array.astype(float))}, "its images must be uint8"),
        (
            {"store": ArrayStore(SOUND.store.array[..., 0])},
            "two of them (2, 28, 28, 1), and those are uint8 (2, 28",
        ),
        ({"store": ArrayStore(SOUND.store.array[:0])}, "it loads no images."),
        ({"splits": {"validation": np.arange(3)}}, 'splits must be {"all": positions}, or'),
        ({"splits": {"all": [1, 2]}}, "the split 'all' must be positions of images, int64 (n,)."),
        ({"splits": {"all": np.arange(13)}}, "the split 'all' names image 12, and there are 12, numbered from 0."),
        ({"labels": np.arange(11)}, "labels must be class numbers, int64 (12,)."),
        ({"labels": np.arange(12)}, "label_names has 3 names, and the labels go from 0 to 11."),
        ({"labels": None}, "label_names name classes, and there are no labels."),
        ({"factors": Factors(("row",), (np.arange(5.0),))}, "make a grid of 5 = 5 images, and there are 12."),
        ({"factors": Factors(("a",), (np.arange(2.0),), table=np.arange(12)[:, None])}, "the table of factor 'a' has"),
        ({"factors": Factors(("a",), (np.arange(2.0),), table=np.zeros((12, 1)))}, "must be int64 (12, 1)."),
        ({"factors": Factors(("a",), (12,))}, "the values of each of its factors must be an array"),
        ({"splits": {"all": np.arange(12)}}, "training_images of its Entry is 8, but it loads 12."),
    ],
)
def test_what_is_wrong_with_one_is_said(add, changes, words):
    add(changes)
    with pytest.raises(DataError, match=r"^The plug-in own 1\.0 \(test_guarded\.py, line \d+\): ") as caught:
        load_dataset("mine")
    assert words in str(caught.value)


def failing(*_):
    raise OSError("the disk sleeps")


def preparing(path, size):
    yield Progress(1, 2)
    failing()


def test_what_it_raises_is_a_sentence_with_its_line(add, tmp_path):
    add(load=failing, prepare=preparing, state=failing, check=failing, holds=failing, downloads=failing, cached=failing)
    words = r"^own raised OSError: the disk sleeps \(test_guarded.py, line \d+\)\.$"
    entry = ENTRIES["mine"]
    for called in (lambda: entry.load(None, 64), lambda: entry.check(tmp_path), entry.downloads,
                   lambda: list(prepare("mine"))):  # fmt: skip
        with pytest.raises(DataError, match=words):
            called()
    assert entry.state().startswith("own raised OSError: the disk sleeps")
    assert (entry.holds(tmp_path), entry.cached()) == (False, [])
    assert load_if_available("mine")[0] is None


def test_it_is_prepared_with_progress(add):
    def prepare_it(path, size):
        yield Progress(1, 1, "Drawing", "pictures")
        yield Finished(message="drawn")

    add(prepare=prepare_it)
    assert [type(event) for event in prepare("mine")] == [Progress, Finished]


def test_nothing_but_the_cache_is_emptied(add, tmp_path):
    precious, own = tmp_path / "thesis.tex", data_cache() / "mine.npz"
    own.parent.mkdir(parents=True, exist_ok=True)
    precious.write_text("all of it")
    own.write_text("pictures")
    add(cached=lambda: [precious, own, data_cache() / ".." / "thesis.tex"])
    delete_cached("mine")
    assert (precious.exists(), own.exists()) == (True, False)
