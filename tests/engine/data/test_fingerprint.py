"""Changes of a data set that its fingerprint notices, those that it does not, and its cost."""

from dataclasses import replace

import numpy as np
import pytest

from engine.data import dsprites, load_dataset
from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.data.fingerprint import SAMPLE, Fingerprint, _sample, fingerprint_of

COUNT = 3000


def pixels(count=COUNT):
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)


def dataset(array=None, **changes):
    array = pixels() if array is None else array
    made = Dataset(
        name="arrays",
        title="made up",
        store=ArrayStore(array),
        image_shape=(8, 8, 1),
        splits={"train": np.arange(0, len(array) - 100), "test": np.arange(len(array) - 100, len(array))},
        source="here",
        labels=np.arange(len(array)) % 3,
        label_names=("cat", "dog", "owl"),
        factors=Factors(("row",), (np.arange(5.0),), table=np.arange(len(array))[:, None] % 5),
    )
    return replace(made, **changes)


def mapped(tmp_path, array):
    """The same images, memory-mapped like large data sets."""
    np.save(tmp_path / "images.npy", array)
    return dataset(store=ArrayStore(np.load(tmp_path / "images.npy", mmap_mode="r")))


def changes(**changed):
    return fingerprint_of(dataset()).changes(fingerprint_of(dataset(**changed)))


def test_equal_content_has_the_same_fingerprint_whatever_its_source():
    assert fingerprint_of(dataset()) == fingerprint_of(dataset(pixels().copy(), source="elsewhere", title="renamed"))


def test_each_part_that_changes_is_named():
    swapped = np.where(np.arange(COUNT) % 3 == 0, 1, np.where(np.arange(COUNT) % 3 == 1, 0, 2))
    factors = dataset().factors
    assert changes(labels=swapped) == "the labels"
    assert changes(label_names=("dog", "cat", "owl")) == "the names or the order of the classes"
    assert changes(labels=None, label_names=()) == "the labels and the names or the order of the classes"
    assert changes(factors=None) == "the factors"
    assert changes(factors=replace(factors, names=("column",))) == "the factors"
    assert changes(factors=replace(factors, table=factors.table[::-1])) == "the factors"
    assert changes(factors=replace(factors, values=(np.arange(5.0) * 2,))) == "the factors"
    assert changes(splits={"train": np.arange(1, COUNT), "test": np.arange(1)}).startswith("the split")
    assert changes(splits={"all": np.arange(COUNT)}).startswith("the split")


def test_one_changed_pixel_of_images_in_memory_is_noticed():
    array = pixels()
    array[1234, 3, 3] ^= 1
    assert fingerprint_of(dataset()).changes(fingerprint_of(dataset(array))) == "the images"


def test_an_additional_image_changes_the_fingerprint():
    assert "the images" in fingerprint_of(dataset()).changes(fingerprint_of(dataset(pixels(COUNT + 1))))


@pytest.mark.parametrize("place", [0, COUNT - 1])
def test_the_first_and_the_last_of_mapped_images_are_read(tmp_path, place):
    before = fingerprint_of(mapped(tmp_path, pixels()))
    array = pixels()
    array[place] ^= 1
    (tmp_path / "again").mkdir()
    assert before.changes(fingerprint_of(mapped(tmp_path / "again", array))) == "the images"


def test_replacing_one_per_cent_of_mapped_images_is_noticed(tmp_path):
    """One image in each interval of about 6 is read: 512 such readings miss 1 % with a probability of 0.6 %."""
    before = fingerprint_of(mapped(tmp_path, pixels()))
    array = pixels()
    array[np.random.default_rng(1).choice(COUNT, COUNT // 100, replace=False)] ^= 1
    (tmp_path / "again").mkdir()
    assert before.changes(fingerprint_of(mapped(tmp_path / "again", array))) == "the images"


def test_only_a_sample_of_many_images_is_read(tmp_path):
    read = []

    class Counting:
        def __len__(self):
            return 480_000

        def __call__(self, indices):
            read.extend(indices.tolist())
            return np.zeros((len(indices), 8, 8, 1), np.uint8)

    fingerprint_of(dataset(store=Counting()))
    assert len(read) == len(set(read)) == SAMPLE
    assert (read[0], read[-1]) == (0, 479_999)
    assert np.diff(read).max() < 2 * 480_000 / SAMPLE + 1  # spread over the whole


def test_an_open_data_set_is_read_once():
    asked = []

    class Counting:
        def __len__(self):
            return COUNT

        def __call__(self, indices):
            asked.append(len(indices))
            return np.zeros((len(indices), 8, 8, 1), np.uint8)

    opened = dataset(store=Counting())
    assert fingerprint_of(opened) == fingerprint_of(opened)
    assert asked == [SAMPLE]


def test_a_fingerprint_is_read_back_and_a_damaged_one_counts_as_none():
    mark = fingerprint_of(dataset())
    assert Fingerprint.read(mark.values()) == mark
    assert Fingerprint.read(mark.values() | {"of a later version": "x"}) == mark
    for damaged in (None, [], "x", {}, {"images": "x"}, mark.values() | {"images": 7}):
        assert Fingerprint.read(damaged) is None


def test_one_changed_pixel_of_own_images_is_noticed_even_if_mapped(tmp_path):
    """The digest of own data covers all 1,000 images; the sample would have 512 of them."""
    array = pixels(1000).repeat(4, 1).repeat(4, 2)[..., 0]
    for place in range(0, 1000, 250):
        changed = array.copy()
        changed[place + 1, 5, 5] ^= 1
        np.savez(tmp_path / "a.npz", images=array)
        np.savez(tmp_path / f"b{place}.npz", images=changed)
        a, b = (fingerprint_of(load_dataset("arrays", tmp_path / name)) for name in ("a.npz", f"b{place}.npz"))
        assert a.changes(b) == "the images"
    np.savez_compressed(tmp_path / "elsewhere.npz", images=array)
    assert fingerprint_of(load_dataset("arrays", tmp_path / "elsewhere.npz")) == a


def test_dsprites_as_drawn_and_as_published_have_equal_samples(shared_data):
    """The images of the sample that are among the 46,080 available originals; a run can resume with either."""
    with np.load(shared_data / "dsprites/dsprites_downsampled.npz", allow_pickle=False) as file:
        originals, indices = file["imgs"], file["original_dataset_indices"]
    looked_at = np.isin(indices, _sample(dsprites.COUNT))
    assert looked_at.sum() > 20
    drawn = np.unpackbits(dsprites.draw(indices[looked_at]), axis=1).reshape(-1, 64, 64)
    np.testing.assert_array_equal(drawn, originals[looked_at])
