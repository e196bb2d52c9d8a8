"""Prepared copies: images of any size are read from a file by position, and damage is noticed."""

import hashlib
import threading
from io import BytesIO

import numpy as np
import pytest

from engine.data import load_dataset, prepare
from engine.data.file_store import FileStore
from engine.data.pixel_file import finish_images, keep_images, write_images
from engine.errors import DataError
from engine.jobs.events import Progress

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def images():
    return RNG.integers(0, 256, (50, 32, 32, 3), np.uint8)


@pytest.fixture
def own(tmp_path, images):
    np.savez_compressed(tmp_path / "own.npz", images=images)
    return tmp_path / "own.npz"


def pixels_of(cache):
    [path] = cache.rglob("own-arrays-*.npy")
    return path


def test_a_file_gives_the_images_that_numpy_reads_from_it(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    store = FileStore(tmp_path / "images.npy")
    assert len(store) == 50
    for wanted in ([3], [0, 1, 2, 3], [49, 0, 1, 7, 7, 6, 5, 48, 49], []):
        where = np.array(wanted, np.int64)
        np.testing.assert_array_equal(store(where), images[where])
    for beyond in (50, -1):
        with pytest.raises(IndexError):
            store(np.array([beyond]))


def test_threads_that_read_at_once_get_their_own_images(tmp_path, images):
    np.save(tmp_path / "images.npy", images)
    store = FileStore(tmp_path / "images.npy")
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(200):
            where = rng.integers(0, 50, 8)
            if not np.array_equal(store(where), images[where]):
                wrong.append(where)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_images_are_dropped_and_made_grey_within_the_file(tmp_path, images):
    path = tmp_path / "images.npy"
    for _ in write_images(path, images.shape, [images[:20], images[20:]]):
        pass
    np.testing.assert_array_equal(np.load(path), images)
    kept = [0, 3, 4, 5, 40, 49]
    for _ in keep_images(path, kept, in_colour=True):
        pass
    np.testing.assert_array_equal(np.load(path), images[kept])
    for _ in keep_images(path, [1, 5], in_colour=False):
        pass
    grey = images[[3, 49]].astype(float).mean(axis=3, keepdims=True).round()
    np.testing.assert_array_equal(np.load(path), grey)


@pytest.mark.parametrize("white", [1, 255])
def test_the_digest_is_that_of_the_finished_file(tmp_path, white):
    values = RNG.integers(0, 2, (6, 32, 32, 1), np.uint8)
    path = tmp_path / "images.npy"
    for _ in write_images(path, values.shape, [values * np.uint8(white)]):
        pass
    found = []

    def check():
        found.extend((yield from finish_images(path)))

    list(check())
    notes, digest = found
    assert notes == (["The images contain only 0 and 1: 1 is taken as white."] if white == 1 else [])
    expected = BytesIO()
    np.save(expected, values * np.uint8(255))
    assert digest == hashlib.sha256(expected.getvalue()).hexdigest()[:20]
    assert path.read_bytes() == expected.getvalue()


@pytest.mark.parametrize("damage", ["shorter", "longer", "hole", "other"])
def test_a_damaged_copy_is_noticed_removed_and_made_again(own, images, cache, damage):
    load_dataset("arrays", own)
    path = pixels_of(cache)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "shorter": content[:-100],
            "longer": content + b"\0",
            "hole": content[:middle] + bytes(4096) + content[middle + 4096 :],
            "other": b"not an array",
        }[damage]
    )
    list(prepare("arrays", own))  # both files are there: nothing is done
    with pytest.raises(DataError, match=r"was damaged and has been removed\. Try again"):
        load_dataset("arrays", own)
    np.testing.assert_array_equal(load_dataset("arrays", own).images(np.arange(50)), images)


def test_a_copy_that_shrinks_while_in_use_gives_a_sentence(own, cache):
    dataset = load_dataset("arrays", own)
    with pixels_of(cache).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match="has become shorter while it was in use"):
        dataset.images(np.arange(50))


def test_preparing_can_be_cancelled_at_each_event_and_leaves_nothing(own, cache):
    events = len(list(prepare("arrays", own)))
    for path in cache.rglob("own-arrays-*"):
        path.unlink()
    kinds = set()
    for number in range(1, events):
        job = prepare("arrays", own)
        for _ in range(number):
            event = next(job)
        assert isinstance(event, Progress)
        kinds.add(event.what)
        job.close()
        assert [file for file in cache.rglob("*") if file.is_file()] == []
    assert kinds == {"Reading own.npz", "Checking own.npz"}


def test_room_for_an_array_in_fortran_order_includes_its_unpacked_copy(tmp_path, images, monkeypatch):
    np.savez(tmp_path / "f.npz", images=np.asfortranarray(images))
    asked = []
    monkeypatch.setattr("engine.data.own.require_space", lambda folder, size, what: asked.append(size))
    loaded = load_dataset("arrays", tmp_path / "f.npz")
    np.testing.assert_array_equal(loaded.images(np.arange(50)), images)
    assert asked == [2 * images.nbytes]
