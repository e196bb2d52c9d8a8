"""The user's own images: folders of pictures and .npz files, good and bad."""

import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from engine.data import delete_cached, disk_used, load_dataset, own, prepare
from engine.data.npz import LARGEST
from engine.errors import DataError
from engine.jobs.events import Finished, Progress
from engine.methods.building import build
from engine.settings.run_config import RunConfig

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for name, ending in (("cats", "png"), ("dogs", "jpg"), ("dogs", "webp")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            pixels = RNG.integers(0, 256, (40 + i, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{ending}")
    return folder


@pytest.fixture
def arrays(tmp_path):
    """Write an .npz with 40 images on a grid with holes, with the given arrays added or replaced."""

    def write(**changes):
        values = {
            "images": RNG.integers(0, 256, (40, 32, 32), dtype=np.uint8),
            "labels": np.arange(40) % 4 + 7,
            "factors": np.stack([np.arange(40) // 10, np.arange(40) % 10 * 3], axis=1),
            "factor_names": np.array(["row", "column"]),
        } | changes
        path = tmp_path / "own.npz"
        np.savez_compressed(path, **{name: value for name, value in values.items() if value is not None})
        return path

    return write


def test_a_folder_of_pictures_is_a_data_set_with_subfolders_as_classes(pictures):
    dataset = load_dataset("images", pictures, 32)
    assert dataset.image_shape == (32, 32, 3)
    assert dataset.label_names == ("cats", "dogs")
    assert dataset.labels.tolist() == [0] * 4 + [1] * 8
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 11, "test": 1}
    together = np.concatenate([dataset.splits["train"], dataset.splits["test"]])
    assert sorted(together) == list(range(12))


def test_pictures_are_cut_to_their_central_square(tmp_path):
    # A white square in the middle of a wide black picture: only the square is left.
    pixels = np.zeros((64, 192), np.uint8)
    pixels[:, 64:128] = 255
    (tmp_path / "p").mkdir()
    Image.fromarray(pixels).save(tmp_path / "p" / "wide.png")
    image = load_dataset("images", tmp_path / "p", 64).images(np.array([0]))
    assert image.shape == (1, 64, 64, 1)
    assert (image == 255).all()


def test_transparent_pictures_are_composited_onto_black_and_rotated_ones_turned_upright(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    clear = np.full((64, 64, 4), 255, np.uint8)
    clear[:32, :, 3] = 0
    Image.fromarray(clear).save(folder / "a-clear.png")
    turned = np.zeros((64, 64), np.uint8)
    turned[:, :32] = 255  # white at the left; EXIF 6 says: turn by 90 degrees clockwise, so white is at the top
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(turned).save(folder / "b-turned.png", exif=exif)
    first, second = load_dataset("images", folder, 64).images(np.array([0, 1]))[..., 0]
    assert (first[:32] == 0).all()
    assert (first[32:] == 255).all()
    assert (second[:30] == 255).all()
    assert (second[34:] == 0).all()


def test_mixed_sizes_and_modes_are_read_together(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for number, mode in enumerate(("L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16", "F")):
        ending = "jpg" if mode == "CMYK" else "png"
        if mode == "I;16":
            image = Image.fromarray(np.full((20, 20), 65535, np.uint16))
        elif mode == "F":
            continue  # no format of the list holds it
        else:
            image = Image.new("L", (20 + number, 30), 200).convert(mode)
        image.save(folder / f"{number}.{ending}")
    dataset = load_dataset("images", folder, 32)
    assert len(dataset) == 8
    assert dataset.image_shape[2] == 1  # none is in colour
    assert dataset.images(np.array([7])).min() == 255  # 16 bits: white stays white


def test_pictures_that_cannot_be_read_are_skipped_counted_and_named(pictures):
    (pictures / "cats" / "0.png").write_bytes(b"not a picture")
    good = (pictures / "cats" / "1.png").read_bytes()
    (pictures / "cats" / "1.png").write_bytes(good[: len(good) // 2])
    dataset = load_dataset("images", pictures, 32)
    assert len(dataset) == 10
    [note] = dataset.notes
    assert note.startswith("2 of 12 pictures could not be read")
    assert "cats/0.png" in note


def test_a_picture_that_claims_to_be_huge_is_skipped(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(own, "LARGEST_PICTURE", 60 * 42)
    assert len(load_dataset("images", pictures, 32)) == 9  # heights 40, 41, 42 are within, 43 is not


def test_a_folder_is_prepared_once_and_again_when_it_changed(pictures):
    first = list(prepare("images", pictures, 32))
    read = [event.done for event in first if isinstance(event, Progress) and event.unit == "pictures"]
    assert read == list(range(1, 13))
    assert [type(event) for event in prepare("images", pictures, 32)] == [Finished]
    (pictures / "cats" / "0.png").unlink()
    assert len(load_dataset("images", pictures, 32)) == 11
    assert disk_used("images") > 0
    delete_cached("images")
    assert disk_used("images") == 0
    assert len(list(pictures.rglob("*.png"))) == 3


def test_cancelling_leaves_no_partial_files(pictures, cache):
    job = prepare("images", pictures, 32)
    next(job)
    job.close()
    assert [file for file in cache.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.mkdir(), "hold no pictures"),
        (lambda folder: (folder.mkdir(), (folder / "a.png").write_bytes(b"x")), "None of the 1 pictures"),
    ],
)
def test_a_folder_without_pictures_is_rejected(tmp_path, cache, make, words):
    make(tmp_path / "f")
    with pytest.raises(DataError, match=words):
        load_dataset("images", tmp_path / "f", 32)
    assert [file for file in cache.rglob("*") if file.is_file()] == []


def test_a_folder_that_vanishes_while_being_read_gets_a_message(pictures, cache):
    job = prepare("images", pictures, 32)
    next(job)
    shutil.rmtree(pictures)
    list(job)  # the pictures that were still to come are skipped
    with pytest.raises(DataError, match="does not exist"):
        load_dataset("images", pictures, 32)


def test_preparing_twice_at_the_same_time_works(pictures):
    one, two = prepare("images", pictures, 32), prepare("images", pictures, 32)
    next(one)
    next(two)
    list(one)
    list(two)
    assert len(load_dataset("images", pictures, 32)) == 12


def test_arrays_with_labels_and_factors_on_a_grid_with_holes(arrays):
    images = RNG.integers(0, 256, (40, 32, 32), dtype=np.uint8)
    dataset = load_dataset("arrays", arrays(images=images))
    assert (dataset.images(np.arange(40))[..., 0] == images).all()
    assert dataset.label_names == ("7", "8", "9", "10")
    assert dataset.labels.tolist() == (np.arange(40) % 4).tolist()
    factors = dataset.factors
    assert (factors.names, factors.sizes) == (("row", "column"), (4, 10))
    assert factors.values[1].tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert factors.classes(np.array([23])).tolist() == [[2, 3]]
    assert factors.nearest(np.array([2, 3])) == 23


def test_the_nearest_image_is_found_where_the_grid_has_a_hole(arrays):
    # The image of row 2, column 3 is missing; columns are 1/9 of the range apart, rows 1/3.
    keep = np.delete(np.arange(40), 23)
    path = arrays(
        images=np.zeros((39, 32, 32), np.uint8),
        labels=None,
        factors=np.stack([keep // 10, keep % 10], axis=1),
    )
    factors = load_dataset("arrays", path).factors
    assert factors.classes(np.array([factors.nearest(np.array([2, 3]))])).tolist() in ([[2, 2]], [[2, 4]])


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3), (64, 1), (128, 3)])
def test_models_follow_size_and_channels(arrays, side, channels):
    import torch

    images = np.zeros((10, side, side, channels), np.uint8)
    dataset = load_dataset("arrays", arrays(images=images, labels=None, factors=None, factor_names=None))
    model = build(RunConfig(latents=3), dataset).eval()
    mean, _ = model.encode(torch.zeros(2, channels, side, side))
    assert mean.shape == (2, 3)
    assert model.decode(mean).shape == (2, channels, side, side)


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float64])
def test_other_value_ranges_are_scaled_to_bytes(arrays, dtype):
    images = (RNG.random((40, 28, 28)) > 0.5).astype(dtype)
    dataset = load_dataset("arrays", arrays(images=images))
    assert (dataset.images(np.arange(40))[..., 0] == images * 255).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, "has no array 'images'"),
        ({"images": np.array([None, {}], dtype=object)}, "Python objects"),
        ({"images": np.zeros((40, 32), np.uint8)}, r"shape \(40, 32\)"),
        ({"images": np.zeros((40, 30, 30), np.uint8)}, "a side of 28, 32, 64, 128"),
        ({"images": np.zeros((40, 32, 64), np.uint8)}, r"shape \(40, 32, 64\)"),
        ({"images": np.zeros((0, 32, 32), np.uint8)}, r"shape \(0, 32, 32\)"),
        ({"images": np.zeros((40, 32, 32), np.int64)}, "type int64"),
        ({"images": np.full((40, 32, 32), np.nan)}, "NaN"),
        ({"images": np.full((40, 32, 32), 255.0)}, "outside 0 to 1"),
        ({"images": np.full((40, 32, 32), "x")}, "type <U1"),
        ({"labels": np.arange(39)}, "must be 40 whole numbers"),
        ({"labels": np.full(40, 0.5)}, "must be 40 whole numbers"),
        ({"factors": np.zeros((39, 2), int)}, r"shape \(40, factors\)"),
        ({"factors": np.zeros((40, 2))}, "whole numbers"),
        ({"factor_names": np.array(["one"])}, "must be 2 strings"),
        ({"factor_names": np.array([1, 2])}, "must be 2 strings"),
        ({"factor_names": np.array(["a", None], dtype=object)}, "Python objects"),
    ],
)
def test_unsuitable_arrays_are_rejected_with_a_message(arrays, cache, changes, words):
    with pytest.raises(DataError, match=words):
        load_dataset("arrays", arrays(**changes))
    assert [file for file in cache.rglob("*") if file.is_file()] == []


def _with_header(path, shape, body=b""):
    """An .npz whose array header claims a shape, whatever its content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("images.npy", "w") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        out.write(body)
    return path


def test_a_decompression_bomb_is_rejected_by_its_header(tmp_path):
    with pytest.raises(DataError, match=rf"at most {LARGEST:,} are read"):
        load_dataset("arrays", _with_header(tmp_path / "bomb.npz", (2**31, 64, 64)))


def test_an_array_that_is_too_short_or_too_long_is_rejected(tmp_path, cache):
    for body, words in ((b"\0" * 100, "ends 924 bytes too early"), (b"\0" * 1100, "longer than its header says")):
        with pytest.raises(DataError, match=words):
            load_dataset("arrays", _with_header(tmp_path / "x.npz", (1, 32, 32), body))
    assert [file for file in cache.rglob("*") if file.is_file()] == []


def test_a_file_that_is_not_an_npz_is_rejected(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(DataError, match=r"not an \.npz file or is truncated"):
        load_dataset("arrays", tmp_path / "x.npz")


def test_own_data_without_a_path_is_rejected():
    with pytest.raises(DataError, match="Choose a folder of pictures"):
        load_dataset("images")


def test_names_in_a_file_are_shown_in_one_line(tmp_path):
    factors = np.arange(40).reshape(20, 2)
    names = np.array(["size\nin \x1b[31mpixels", "po\u202esition"])
    np.savez(tmp_path / "data.npz", images=np.zeros((20, 32, 32), np.uint8), factors=factors, factor_names=names)
    data = load_dataset("arrays", tmp_path / "data.npz")
    assert data.factors.names == ("size in [31mpixels", "position")
