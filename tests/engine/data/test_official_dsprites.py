"""The official dSprites file: streamed into packed bits, without its pickled part."""

import zipfile

import numpy as np
import pytest

from engine.data import dsprites, entry_for, load_dataset
from engine.errors import DataError
from engine.jobs.events import Progress

COUNT = 3 * 1024


@pytest.fixture(scope="module")
def images():
    """Some of dSprites, uint8 (3072, 64, 64)."""
    return np.unpackbits(dsprites.draw(np.arange(COUNT) * 240), axis=1).reshape(COUNT, 64, 64)


@pytest.fixture
def small(tmp_path, monkeypatch, images):
    """A file like the official one, of 3,072 images: the same names, types and order of axes, metadata pickled."""
    monkeypatch.setattr(dsprites, "COUNT", COUNT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / dsprites.OFFICIAL_NAME

    def write(pixels=images):
        np.savez_compressed(path, metadata=np.array({"a": 1}), imgs=pixels, latents_classes=np.zeros((COUNT, 6), int))
        return path

    return write, images


def test_the_official_file_is_read_without_its_pickle(small):
    write, images = small
    path = write()
    events = list(dsprites.prepare(path))
    assert [event.done for event in events if isinstance(event, Progress)] == [1024, 2048, 3072]
    for given in (path, path.parent):  # the file, or its folder
        dataset = dsprites.load(given)
        assert (dataset.images(np.arange(COUNT))[..., 0] == images * 255).all()
        assert str(path) in dataset.source


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((10, 64, 64), np.uint8), "not the official dSprites file"),
        (np.full((COUNT, 64, 64), 2, np.uint8), "not all 0 or 1"),
        (np.zeros((COUNT, 64, 64), np.float16), "not the official dSprites file"),
    ],
)
def test_another_file_with_that_name_is_rejected(small, tmp_path, pixels, words):
    write, _ = small
    with pytest.raises(DataError, match=words):
        list(dsprites.prepare(write(pixels)))
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_truncated_official_file_is_rejected(small, tmp_path):
    write, _ = small
    path = write()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated"):
        list(dsprites.prepare(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imgs.npy", b"\x93NUMPY nonsense")
    with pytest.raises(DataError, match="damaged"):
        list(dsprites.prepare(path))
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


@pytest.fixture
def downsampled(shared_data):
    return shared_data / "dsprites/dsprites_downsampled.npz"


def test_the_public_downsampled_file_is_read_with_the_factors_of_its_images(downsampled):
    # Its latents_classes are renumbered; its latents_values are the originals' but for the constant colour.
    assert entry_for(downsampled).name == entry_for(downsampled.parent).name == "dsprites"
    dataset = load_dataset("dsprites", downsampled)
    with np.load(downsampled, allow_pickle=False) as file:
        images, values = file["imgs"], file["latents_values"]
    np.testing.assert_array_equal(dataset.images(np.arange(46_080))[..., 0], images * 255)
    factors = dataset.factors
    assert factors.names == ("shape", "scale", "orientation", "x", "y")
    assert factors.sizes == (3, 6, 10, 16, 16)
    classes = factors.classes(np.arange(46_080))
    ours = np.stack([of[column] for of, column in zip(factors.values, classes.T, strict=True)], axis=1)
    np.testing.assert_allclose(ours, values, atol=1e-12)
    assert [dataset.label_names[label] for label in dataset.labels[[0, -1]]] == ["square", "heart"]
    np.testing.assert_array_equal(dataset.labels, values[:, 0] - 1)
    assert dataset.splits["all"].tolist() == list(range(46_080))


def test_some_images_are_identified_by_their_factor_values(tmp_path, monkeypatch, downsampled):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with np.load(downsampled, allow_pickle=False) as file:
        chosen = np.array([5, 20_000, 46_079])
        indices = file["original_dataset_indices"][chosen]
        arrays = {name: file[name][chosen] for name in ("imgs", "latents_values", "latents_classes")}
    np.savez(tmp_path / "some.npz", **arrays)
    dataset = load_dataset("dsprites", tmp_path / "some.npz")
    known = dsprites.factors()
    np.testing.assert_array_equal(
        [of[column] for of, column in zip(dataset.factors.values, dataset.factors.table.T, strict=True)],
        [of[column] for of, column in zip(known.values, known.classes(indices).T, strict=True)],
    )
    del arrays["latents_values"]
    np.savez(tmp_path / "unknown.npz", **arrays)
    with pytest.raises(DataError, match="neither 'original_dataset_indices' nor 'latents_values'"):
        load_dataset("dsprites", tmp_path / "unknown.npz")


def test_as_own_arrays_it_is_reported_to_be_dsprites(downsampled):
    with pytest.raises(DataError, match=r"a dSprites file.*--dataset dsprites"):
        load_dataset("arrays", downsampled)


def test_a_damaged_hdf5_file_gets_a_message(tmp_path):
    path = tmp_path / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for given in (path, tmp_path):
        assert entry_for(given).name == "dsprites"
        with pytest.raises(DataError, match=r"is damaged or truncated.*drawn on this machine"):
            load_dataset("dsprites", given)
    with pytest.raises(DataError, match="is an HDF5 file"):
        load_dataset("arrays", path)


def test_a_folder_without_the_file_gets_a_message(tmp_path):
    with pytest.raises(DataError, match="leave the data folder empty"):
        load_dataset("dsprites", tmp_path)


def test_the_source_says_that_images_are_drawn(drawn_dsprites):
    source = drawn_dsprites.source
    assert "drawn on this machine" in source
    assert "measured on 64,834 originals" in source
    assert "checked against" not in source  # the originals it was measured on check nothing
