"""Inputs described in public reports that version 1.0.0 silently got wrong: one test per case.

What each should become is worked out by hand from what is written into the files.
"""

import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from engine.data import load_dataset
from engine.data.input_pictures import open_picture
from engine.data.picture_folder import natural_key
from engine.errors import DataError
from engine.runs.run import Run
from engine.settings.run_config import RunConfig

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def grey(path, level, size=(40, 40), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path, **options)


@pytest.fixture
def classes(tmp_path):
    """Twelve pictures each of cats and dogs, each of a single grey."""
    for name, level in (("cat", 50), ("dog", 200)):
        for i in range(12):
            grey(tmp_path / "pictures" / name / f"{i}.png", level)
    return tmp_path / "pictures"


def levels(dataset):
    """The grey value at the centre of every image."""
    return dataset.images(np.arange(len(dataset)))[:, 16, 16, 0].tolist()


def notes(dataset):
    return " ".join(dataset.notes)


def test_arrays_of_0_and_1_become_black_and_white_with_a_note(tmp_path):
    images = (np.random.default_rng(0).random((300, 64, 64)) < 0.05).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    dataset = load_dataset("arrays", tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.images(np.arange(300))[..., 0], images * 255)
    assert "1 is taken as white" in notes(dataset)


def test_pictures_of_0_and_1_become_black_and_white(tmp_path):
    for i in range(4):
        grey(tmp_path / "p" / f"{i}.png", i % 2)
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert levels(dataset) == [0, 255, 0, 255]
    assert "1 is taken as white" in notes(dataset)


def test_almost_black_arrays_are_unchanged_with_a_note(tmp_path):
    images = np.arange(17, dtype=np.uint8).repeat(32 * 32).reshape(17, 32, 32)  # 0 to 16, as the small digits have
    np.savez(tmp_path / "a.npz", images=images)
    dataset = load_dataset("arrays", tmp_path / "a.npz")
    assert levels(dataset) == list(range(17))
    assert "brightest value in the images is 16 of 255" in notes(dataset)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_arrays_in_fortran_order_equal_those_in_c_order(tmp_path, dtype):
    rng = np.random.default_rng(0)
    values = {
        "images": rng.integers(0, 2, (30, 32, 32, 3)).astype(dtype),
        "labels": np.arange(30) % 4,
        "factors": np.stack([np.arange(30) % 5, np.arange(30) // 5], 1),
    }
    values["images"][0] = 1
    datasets = []
    for name, order in (("c", np.ascontiguousarray), ("f", np.asfortranarray)):
        np.savez(tmp_path / f"{name}.npz", **{key: order(array) for key, array in values.items()})
        datasets.append(load_dataset("arrays", tmp_path / f"{name}.npz"))
    one, other = datasets
    np.testing.assert_array_equal(one.images(np.arange(30)), values["images"] * 255)
    np.testing.assert_array_equal(other.images(np.arange(30)), one.images(np.arange(30)))
    np.testing.assert_array_equal(other.factors.table, one.factors.table)
    np.testing.assert_array_equal(one.factors.table, values["factors"])
    np.testing.assert_array_equal(other.labels, one.labels)


@pytest.fixture
def numbered(tmp_path):
    for name in (1, 2, 3, 10, 11, 20):
        for i in range(12):
            grey(tmp_path / "numbered" / str(name) / f"{i}.png", 10 * name, (32, 32))
    return tmp_path / "numbered"


def test_numbered_folders_are_classes_in_the_order_of_their_numbers(numbered):
    dataset = load_dataset("images", numbered, 32)
    assert dataset.label_names == ("1", "2", "3", "10", "11", "20")
    named = [10 * int(dataset.label_names[label]) for label in dataset.labels]
    assert levels(dataset) == named


@pytest.mark.parametrize(
    "names", [["1", "2", "10"], ["a", "B", "c"], ["img2", "img10", "img10b"], ["0", "00", "-", "x"]]
)
def test_natural_order(names):
    assert sorted(set(names), key=natural_key) == names


def _conditional(folder, runs):
    return Run.create(runs, RunConfig.parse({"dataset": "images", "data_folder": folder, "conditional": True}))


def _written_by_1_0_0(run):
    import json

    file = run.path / "config.json"
    values = json.loads(file.read_text())
    del values["class_order"]
    file.write_text(json.dumps(values))
    return Run.open(run.path)


def test_a_run_of_1_0_0_keeps_the_class_numbers_it_was_trained_with(numbered, tmp_path):
    # Version 1.0.0 sorted names as text.
    old = load_dataset(*_written_by_1_0_0(_conditional(numbered, tmp_path / "runs")).data)
    assert old.label_names == ("1", "10", "11", "2", "20", "3")
    assert levels(old) == [10 * int(old.label_names[label]) for label in old.labels]
    new = load_dataset(*Run.open(_conditional(numbered, tmp_path / "runs").path).data)
    assert new.label_names == ("1", "2", "3", "10", "11", "20")


def test_a_run_of_1_0_0_that_was_trained_with_other_classes_says_so(classes, tmp_path):
    shutil.copytree(classes, tmp_path / "split" / "train")
    shutil.copytree(classes, tmp_path / "split" / "val")
    run = _written_by_1_0_0(_conditional(tmp_path / "split", tmp_path / "runs"))
    with pytest.raises(DataError, match=r"1\.0\.0, which took train, val for the classes.*they are cat, dog"):
        load_dataset(*run.data)
    unconditional = run.config.changed(conditional=False)
    assert len(load_dataset(*unconditional.data)) == 48


def sixteen(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint16)).save(path)


def test_sixteen_bit_pictures_of_a_folder_are_scaled_alike(tmp_path):
    for i, level in enumerate((200, 65535, 32768, 257)):
        sixteen(tmp_path / "p" / f"{i}.png", np.full((40, 40), level))
        sixteen(tmp_path / "p" / f"{i}.tif", np.full((40, 40), level))
    grey(tmp_path / "p" / "8-bit.png", 128)
    dataset = load_dataset("images", tmp_path / "p", 32)
    # 255 / 65,535 is 1 / 257: 200 is less than one grey level of 8 bits.
    assert levels(dataset) == [1, 1, 255, 255, 128, 128, 1, 1, 128]
    assert not dataset.notes


def test_twelve_bits_in_files_of_sixteen_get_a_note(tmp_path):
    for i in range(4):
        sixteen(tmp_path / "p" / f"{i}.png", np.full((40, 40), 1000 * (i + 1)))
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert levels(dataset) == [4, 8, 12, 16]  # 4,000 / 257 is 15.6
    assert "4,000 of 65,535: they hold 12 bits" in notes(dataset)


def floating(path, low, high):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.linspace(low, high, 1600, dtype=np.float32).reshape(40, 40)).save(path)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(0, 0.5), (0, 1)], [(0, 128), (0, 255)]),
        ([(0, 100), (0, 200)], [(0, 100), (0, 200)]),
        ([(-1, 0), (-1, 1)], [(0, 128), (0, 255)]),
        ([(0, 2000), (0, 4000)], [(0, 128), (0, 255)]),
    ],
)
def test_floating_point_pictures_of_a_folder_share_one_range(tmp_path, ranges, expected):
    for i, (low, high) in enumerate(ranges):
        floating(tmp_path / "p" / f"{i}.tif", low, high)
    dataset = load_dataset("images", tmp_path / "p", 32)
    found = [(int(image.min()), int(image.max())) for image in dataset.images(np.arange(2))]
    np.testing.assert_allclose(found, expected, atol=4)  # resized: the corners are blurred
    assert "floating-point values (2)" in notes(dataset)


def test_a_single_sixteen_bit_picture_is_scaled_by_its_depth(tmp_path):
    sixteen(tmp_path / "dark.png", np.full((4, 4), 200))
    assert np.asarray(open_picture(tmp_path / "dark.png", 100)).max() == 1


def test_files_of_systems_are_neither_classes_nor_pictures(classes):
    plain = load_dataset("images", classes, 32)
    for name in (".ipynb_checkpoints/x.png", "__MACOSX/cat/._0.png", "@eaDir/0.png", "cat/.ipynb_checkpoints/0.png"):
        grey(classes / name, 128)
    grey(classes / "dog" / "._1.png", 128)
    for name in ("Thumbs.db", "cat/desktop.ini"):
        (classes / name).write_bytes(b"x")
    dataset = load_dataset("images", classes, 32)
    assert dataset.label_names == ("cat", "dog")
    assert dataset.labels.tolist() == plain.labels.tolist() == [0] * 12 + [1] * 12
    assert levels(dataset) == [50] * 12 + [200] * 12
    assert not plain.notes
    assert "hidden or the system's own: ._1.png" not in notes(dataset)
    assert "hidden or the system's own: .ipynb_checkpoints, @eaDir, __MACOSX and 2 more." in notes(dataset)


links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@links
def test_a_linked_class_folder_is_read_and_loops_are_not(classes, tmp_path):
    shutil.move(classes / "dog", tmp_path / "elsewhere")
    (classes / "dog").symlink_to(tmp_path / "elsewhere")
    (classes / "cat" / "up").symlink_to("..")
    (classes / "root").symlink_to("/")
    (classes / "self").symlink_to("self")
    (classes / "again").symlink_to("cat")
    (classes / "cat" / "gone.png").symlink_to("nowhere.png")
    dataset = load_dataset("images", classes, 32)
    assert dataset.label_names == ("cat", "dog")
    assert levels(dataset) == [50] * 12 + [200] * 12
    assert "link to folders that are already read: again, cat/up, root." in notes(dataset)
    assert "cannot be opened or link to nothing: cat/gone.png, self." in notes(dataset)


def test_a_linked_picture_is_read(classes, tmp_path):
    if sys.platform == "win32":
        pytest.skip("links need rights there")
    grey(tmp_path / "x.png", 7)
    (classes / "cat" / "x.png").symlink_to(tmp_path / "x.png")
    assert levels(load_dataset("images", classes, 32)) == [50] * 12 + [7] + [200] * 12


@pytest.mark.parametrize("layout", ["{part}/{name}", "{name}/{part}"])
def test_train_and_val_folders_are_the_split(tmp_path, layout):
    for part, count in (("train", 12), ("val", 4)):
        for name, level in (("cat", 50), ("dog", 200)):
            for i in range(count):
                grey(tmp_path / "p" / layout.format(part=part, name=name) / f"{i}.png", level)
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert dataset.label_names == ("cat", "dog")
    assert {name: len(where) for name, where in dataset.splits.items()} == {"train": 24, "test": 8}
    assert levels(dataset) == [(50, 200)[label] for label in dataset.labels]
    listed = sorted(path for path in (tmp_path / "p").rglob("*.png"))
    for name, word in (("train", "train"), ("test", "val")):
        assert all(word in listed[i].parts for i in dataset.splits[name])


def test_with_three_parts_the_test_part_is_the_headline_split(tmp_path):
    for part, count in (("Training", 6), ("valid", 3), ("test", 2)):
        for i in range(count):
            grey(tmp_path / "p" / part / f"{i}.png", 10 * count)
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert {name: len(where) for name, where in dataset.splits.items()} == {"train": 6, "validation": 3, "test": 2}
    assert dataset.headline_split == "test"
    assert dataset.images(dataset.splits["test"]).max() == 20
    assert dataset.labels is None


def test_a_folder_that_contains_everything_is_ignored(classes, tmp_path):
    (tmp_path / "outer" / "data").mkdir(parents=True)
    shutil.move(classes, tmp_path / "outer" / "data" / "train")
    dataset = load_dataset("images", tmp_path / "outer", 32)
    assert dataset.label_names == ("cat", "dog")
    assert set(dataset.splits) == {"train", "test"}


def test_a_stray_picture_is_left_out_with_a_note(classes):
    grey(classes / "stray.png", 100)
    dataset = load_dataset("images", classes, 32)
    assert dataset.label_names == ("cat", "dog")
    assert levels(dataset) == [50] * 12 + [200] * 12
    assert "Left out because they are beside the folders of the classes: stray.png." in notes(dataset)


def test_many_pictures_beside_folders_are_kept_without_classes_with_a_note(classes):
    for i in range(20):
        grey(classes / f"{i}.png", 100)
    dataset = load_dataset("images", classes, 32)
    assert len(dataset) == 44
    assert dataset.labels is None
    assert "2 folders are not used as classes because too many pictures are beside them (20)" in notes(dataset)


def test_pictures_outside_the_split_are_left_out_with_a_note(tmp_path):
    for part, count in (("train", 12), ("test", 4), ("samples", 2)):
        for i in range(count):
            grey(tmp_path / "p" / part / f"{i}.png", 9)
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert len(dataset) == 16
    assert "are outside the folders of the split: samples/0.png, samples/1.png." in notes(dataset)


def test_formats_of_pillow_are_read_and_other_files_are_counted(tmp_path):
    folder = tmp_path / "p"
    for name in ("0.png", "1.tif", "2.TIFF", "3.bmp", "4.gif", "5.webp", "6.ppm", "7.tga", "8.jp2"):
        grey(folder / name, 100)
    grey(folder / "a.jfif", 100, format="JPEG")
    grey(folder / "b.jpe", 100, format="JPEG")
    for name in ("c.heic", "d.heic", "labels.csv", "README"):
        (folder / name).write_bytes(b"x")
    frames = [Image.new("L", (40, 40), level) for level in (100, 0)]
    frames[0].save(folder / "z.gif", save_all=True, append_images=frames[1:])
    dataset = load_dataset("images", folder, 32)
    assert len(dataset) == 12
    np.testing.assert_allclose(levels(dataset), 100, atol=2)
    assert "not readable pictures: 2 .heic, 1 without an extension, 1 .csv." in notes(dataset)
    assert "several frames or pages, of which only the first is used: 1." in notes(dataset)


def test_notes_on_what_was_left_out_are_current(tmp_path):
    for i in range(3):
        grey(tmp_path / "p" / f"{i}.png", 100)
    (tmp_path / "p" / "a.heic").touch()
    assert "1 .heic" in notes(load_dataset("images", tmp_path / "p", 32))
    (tmp_path / "p" / "a.heic").unlink()
    assert not load_dataset("images", tmp_path / "p", 32).notes


def test_a_program_is_never_run_for_a_picture(tmp_path):
    # Pillow hands EPS to Ghostscript.
    grey(tmp_path / "p" / "a.png", 3)
    (tmp_path / "p" / "b.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    shutil.copy(tmp_path / "p" / "b.eps", tmp_path / "p" / "c.png")
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert len(dataset) == 1
    assert "1 .eps" in notes(dataset)
    assert "1 of 2 pictures could not be read and are left out: c.png." in notes(dataset)


def test_titles_include_names_after_a_dot(tmp_path):
    for name in ("faces.v1", "faces.v2"):
        grey(tmp_path / name / "0.png", 50)
    assert [load_dataset("images", tmp_path / name, 32).title for name in ("faces.v1", "faces.v2")] == [
        "faces.v1",
        "faces.v2",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_names_that_are_not_utf_8_work(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9")
    for name in (os.fsdecode(b"t\xe9"), "lait"):
        for i in range(4):
            grey(path / name / f"p{i}.png", 10 * i)
    (path / os.fsdecode(b"t\xe9") / os.fsdecode(b"\xe9.png")).write_bytes(b"x")
    dataset = load_dataset("images", path, 32)
    assert dataset.title == "caf\N{REPLACEMENT CHARACTER}"
    assert dataset.label_names == ("lait", "t\N{REPLACEMENT CHARACTER}")
    " ".join([dataset.source, *dataset.notes]).encode()  # can be shown and saved
    run = Run.create(tmp_path / "runs", RunConfig.parse({"dataset": "images", "data_folder": path}))
    assert Run.open(run.path).config.data_folder == path


@pytest.mark.parametrize("count", [1, 2])
def test_the_smallest_folders_have_no_held_out_part(tmp_path, count):
    for i in range(count):
        grey(tmp_path / "p" / f"{i}.png", 100)
    dataset = load_dataset("images", tmp_path / "p", 32)
    assert {name: len(where) for name, where in dataset.splits.items()} == {"all": count}
