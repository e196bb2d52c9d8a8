"""MNIST: four consistent files, or a message that names the problem."""

import hashlib
import shutil
import struct
import urllib.error
import urllib.request

import numpy as np
import pytest
from sklearn.datasets import load_digits

from engine.data import entry_for, load_dataset, prepare
from engine.errors import DataError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture
def folder(tmp_path, digits_folder):
    """A copy of the four files, for a test to spoil."""
    return shutil.copytree(digits_folder, tmp_path / "digits")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(path, array):
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


def test_the_published_files_have_the_published_content(shared_data):
    # LeCun's page: 60,000 and 10,000 images; the first training label is 5, the first of the test set 7.
    dataset = load_dataset("mnist", shared_data / "mnist")
    assert {split: len(indices) for split, indices in dataset.splits.items()} == {"train": 60_000, "test": 10_000}
    assert dataset.labels is not None
    assert dataset.labels[dataset.splits["train"]][:5].tolist() == [5, 0, 4, 1, 9]
    assert dataset.labels[dataset.splits["test"]][0] == 7
    assert dataset.images(dataset.training[:2]).shape == (2, 28, 28, 1)
    # Mean and deviation that everyone normalises MNIST's training images with: 0.1307 and 0.3081.
    training = dataset.images(dataset.training) / 255
    assert training.mean() == pytest.approx(0.1307, abs=5e-5)
    assert training.std() == pytest.approx(0.3081, abs=5e-5)


def test_images_and_labels_correspond_in_both_splits(digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    digits = load_digits()
    assert len(dataset) == 1797
    np.testing.assert_array_equal(dataset.labels, digits.target)
    assert dataset.training.tolist() == list(range(1500))
    assert dataset.splits["test"].tolist() == list(range(1500, 1797))
    assert dataset.headline_split == "test"
    # Where the small original is brightest the enlarged image is bright too.
    for index in (0, 1499, 1500, 1796):
        small = digits.images[index]
        row, column = np.unravel_index(small.argmax(), small.shape)
        assert dataset.images(np.array([index]))[0, int((row + 0.5) * 3.5), int((column + 0.5) * 3.5), 0] > 128


def test_digits_are_white_on_black_with_ten_classes_and_no_factors(digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    assert dataset.images(np.arange(100))[:, 0, 0].mean() < 20
    assert dataset.classes == 10
    assert dataset.factors is None


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink(missing_ok=True)
    (folder / f"{name}.gz").unlink(missing_ok=True)
    with pytest.raises(DataError, match=f"{name} or {name}.gz"):
        load_dataset("mnist", folder)


def test_a_missing_folder_is_named_with_the_files_it_should_hold(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist.*train-images-idx3-ubyte"):
        load_dataset("mnist", tmp_path / "nowhere")


def test_files_named_with_a_dot_are_found_too(folder):
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert len(load_dataset("mnist", folder)) == 1797


@pytest.mark.parametrize(("prefix", "split", "images"), [("train", "train", "1,500"), ("t10k", "test", "297")])
def test_different_numbers_of_labels_and_images_are_rejected(folder, prefix, split, images):
    (folder / f"{prefix}-labels-idx1-ubyte.gz").unlink(missing_ok=True)
    write(folder / f"{prefix}-labels-idx1-ubyte", np.zeros(290))
    with pytest.raises(DataError, match=f"{images} {split} images but 290 labels"):
        load_dataset("mnist", folder)


def test_files_without_images_are_rejected(folder):
    write(folder / "t10k-images-idx3-ubyte", np.zeros((0, 28, 28)))
    write(folder / "t10k-labels-idx1-ubyte", np.zeros(0))
    with pytest.raises(DataError, match="0 test images"):
        load_dataset("mnist", folder)


def test_images_of_another_size_are_rejected_naming_both_sizes(folder):
    write(folder / "t10k-images-idx3-ubyte", np.zeros((297, 32, 32)))
    with pytest.raises(DataError, match="32 x 32 pixels; MNIST's are 28 x 28"):
        load_dataset("mnist", folder)


def test_a_label_above_nine_is_rejected(folder):
    write(folder / "t10k-labels-idx1-ubyte", np.full(297, 26))
    with pytest.raises(DataError, match=r"26.* end at 9"):
        load_dataset("mnist", folder)


def test_a_damaged_file_is_rejected_by_name(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz"):
        load_dataset("mnist", folder)


@pytest.mark.parametrize("error", [urllib.error.URLError("no route"), ConnectionResetError("reset by peer")])
def test_a_download_that_fails_says_what_to_do_and_leaves_no_file(empty_cache, monkeypatch, error):
    def offline(*_, **__):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(DataError, match=r"could not be downloaded.*--data"):
        load_dataset("mnist")
    assert [path for path in empty_cache.rglob("*") if path.is_file()] == []


def test_the_local_originals_are_the_published_ones(shared_data):
    # md5 of train-images-idx3-ubyte.gz as torchvision publishes it.
    content = (shared_data / "mnist/train-images-idx3-ubyte.gz").read_bytes()
    assert hashlib.md5(content).hexdigest() == "f68b3c2dcbeaaa9fbdd348bbdeb94873"


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("MNIST/raw", "mnist"),
        ("FashionMNIST/raw", "fashion-mnist"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion_mnist", "fashion-mnist"),
        ("KMNIST/raw", "kmnist"),
        ("digits", "mnist"),
    ],
)
def test_a_folder_is_recognised_by_its_files_and_its_name(tmp_path, digits_folder, where, name):
    """Folders are named as by torchvision or by users."""
    shutil.copytree(digits_folder, tmp_path / where)
    assert entry_for(tmp_path / where).name == name


@pytest.mark.parametrize("given", ["data", "data/FashionMNIST", "data/FashionMNIST/raw"])
def test_torchvisions_layout_is_found_from_each_of_its_folders(tmp_path, digits_folder, given):
    shutil.copytree(digits_folder, tmp_path / "data/FashionMNIST/raw")
    assert entry_for(tmp_path / given).name == "fashion-mnist"
    dataset = load_dataset("fashion-mnist", tmp_path / given)
    assert len(dataset) == 1797
    assert dataset.label_names[0] == "T-shirt"


def test_the_requested_member_is_read_from_torchvisions_layout(tmp_path, digits_folder):
    for name in ("MNIST", "KMNIST"):
        shutil.copytree(digits_folder, tmp_path / "data" / name / "raw")
    assert str(tmp_path / "data/KMNIST/raw") in load_dataset("kmnist", tmp_path / "data").source
    assert str(tmp_path / "data/MNIST/raw") in load_dataset("mnist", tmp_path / "data").source
    with pytest.raises(DataError, match="has no train-images-idx3-ubyte"):
        load_dataset("fashion-mnist", tmp_path / "data")
    with pytest.raises(DataError, match="holds KMNIST, judging by its name, not MNIST"):
        load_dataset("mnist", tmp_path / "data/KMNIST")


def test_preparing_from_a_folder_without_the_files_fails(tmp_path):
    with pytest.raises(DataError, match="has no train-images-idx3-ubyte"):
        list(prepare("mnist", tmp_path))
    with pytest.raises(DataError, match="does not exist"):
        list(prepare("mnist", tmp_path / "nope"))


def test_anything_but_a_known_data_set_is_the_users_own(tmp_path):
    assert entry_for(tmp_path).name == "images"
    (tmp_path / "mine.npz").touch()
    assert entry_for(tmp_path / "mine.npz").name == "arrays"
    official = tmp_path / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    official.touch()
    assert entry_for(official).name == entry_for(tmp_path).name == "dsprites"
    with pytest.raises(DataError, match="does not exist"):
        entry_for(tmp_path / "nothing")
