"""The official dSprites file: streamed into packed bits, without its pickled part."""

import zipfile

import numpy as np
import pytest

from engine.data import dsprites, load_dataset
from engine.errors import DataError
from engine.events import Progress

COUNT = 3 * 1024


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A file like the official one, of 3,072 images: the same names, types and order of axes, metadata pickled."""
    monkeypatch.setattr(dsprites, "COUNT", COUNT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = np.unpackbits(dsprites.draw(np.arange(COUNT) * 240), axis=1).reshape(COUNT, 64, 64)
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
def test_another_file_of_that_name_is_refused(small, tmp_path, pixels, words):
    write, _ = small
    with pytest.raises(DataError, match=words):
        list(dsprites.prepare(write(pixels)))
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_file_cut_short_is_refused(small, tmp_path):
    write, _ = small
    path = write()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cut short"):
        list(dsprites.prepare(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("imgs.npy", b"\x93NUMPY nonsense")
    with pytest.raises(DataError, match="damaged"):
        list(dsprites.prepare(path))
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_folder_without_the_file_is_said(tmp_path):
    with pytest.raises(DataError, match="leave the data folder empty"):
        load_dataset("dsprites", tmp_path)


def test_the_app_says_that_it_draws():
    assert "drawn on this machine" in load_dataset("dsprites").source
