"""Published data sets, read from small files in exactly the format of the originals, which this test writes.

Formats: Shapes3D and dSprites as HDF5, Cars3D as MATLAB 5 in a tar.gz, SmallNORB as NYU's binary matrices, MPI3D as a
deflated .npz, CelebA as JPEGs and lists. Values and factors are compared with what was written.
"""

import gzip
import http.server
import io
import itertools
import struct
import tarfile
import threading
import zipfile
from dataclasses import replace
from functools import partial

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from engine.data import dsprites, entry_for, load_dataset
from engine.data.binary_matrix import open_matrix
from engine.data.cars3d import cars3d
from engine.data.celeba import celeba
from engine.data.download import Remote
from engine.data.hdf5 import open_hdf5
from engine.data.mpi3d import mpi3d
from engine.data.shapes3d import factors, shapes3d
from engine.data.small_norb import PARTS, small_norb
from engine.errors import DataError
from engine.jobs.events import Progress

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(original, path):
    """Prepare and load."""
    list(original.prepare(path))
    return original.load(path)


def leftovers(cache):
    return [file for file in cache.rglob("*") if file.is_file()]


def flat(values, side, channels=3):
    """Images of one value each, (n, side, side, channels)."""
    return np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), side, side, channels))


# Shapes3D

SHAPES_SIZES = (2, 2, 2, 3, 2, 2)


@pytest.fixture
def shapes_file(tmp_path):
    images = RNG.integers(0, 256, (96, 64, 64, 3), np.uint8)
    path = tmp_path / "s" / "3dshapes.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        # As in the original, a chunk spans many images and only a part of each.
        file.create_dataset("images", data=images, chunks=(20, 16, 16, 1), compression="gzip")
        file.create_dataset("labels", data=RNG.random((96, 6)))  # no use can be made of them
    return path, images


def test_shapes3d_takes_factors_from_positions_and_not_from_labels(shapes_file):
    path, images = shapes_file
    original = shapes3d(SHAPES_SIZES)
    for given in (path, path.parent):
        dataset = opened(original, given)
        np.testing.assert_array_equal(dataset.images(np.arange(96)), images)
        expected = [*itertools.product(*map(range, SHAPES_SIZES))]  # the last changes fastest
        np.testing.assert_array_equal(dataset.factors.classes(np.arange(96)), expected)
        np.testing.assert_array_equal(dataset.labels, np.array(expected)[:, 4])
    assert dataset.factors.names == ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
    assert dataset.label_names == ("cube", "cylinder")
    assert dataset.splits["all"].tolist() == list(range(96))


def test_official_sizes_and_values_of_shapes3d():
    # README of deepmind/3d-shapes: 10 x 10 x 10 x 8 x 4 x 15 = 480,000, orientation from -30 to 30.
    assert np.prod(factors().sizes) == 480_000
    assert factors().values[5][[0, -1]].tolist() == [-30, 30]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "truncated"),
        (lambda path: path.write_bytes(b"no HDF5"), "not an HDF5 file"),
        (lambda path: h5py.File(path, "w").close(), "no array 'images'"),
        (lambda path: path.unlink(), "does not hold Shapes3D's file 3dshapes.h5"),
    ],
)
def test_a_damaged_shapes3d_gets_a_sentence(shapes_file, cache, change, words):
    path, _ = shapes_file
    change(path)
    with pytest.raises(DataError, match=words):
        opened(shapes3d(SHAPES_SIZES), path.parent)
    assert leftovers(cache) == []


def test_a_chunk_that_cannot_be_unpacked_gets_a_sentence(shapes_file, cache):
    path, _ = shapes_file
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info(30)
    with path.open("r+b") as file:
        file.seek(place.byte_offset)
        file.write(bytes(place.size))
    with pytest.raises(DataError, match="is damaged and cannot be read"):
        opened(shapes3d(SHAPES_SIZES), path)
    assert leftovers(cache) == []


def test_an_hdf5_file_that_refers_to_other_files_is_refused(tmp_path, shapes_file):
    path, _ = shapes_file
    layout = h5py.VirtualLayout((96, 64, 64, 3), np.uint8)
    layout[:] = h5py.VirtualSource(path, "images", (96, 64, 64, 3))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("images", layout)
        file["labels"] = h5py.ExternalLink(path, "labels")
    with open_hdf5(tmp_path / "virtual.h5") as file:
        assert file.names == ("images",)
        with pytest.raises(DataError, match="refers to other files"):
            file.header("images")


# dSprites as HDF5


def test_dsprites_is_read_from_hdf5_like_from_npz(tmp_path):
    # Names and types of the official file: imgs, latents/classes, latents/values.
    chosen = RNG.choice(dsprites.COUNT, 300, replace=False)
    images = np.unpackbits(dsprites.draw(chosen), axis=1).reshape(-1, 64, 64)
    known = dsprites.factors()
    values = np.stack([of[k] for of, k in zip(known.values, known.classes(chosen).T, strict=True)], axis=1)
    path = tmp_path / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("imgs", data=images, chunks=(64, 16, 16), compression="gzip")
        file["latents/classes"] = np.zeros((300, 6), np.int64)
        file["latents/values"] = np.concatenate([np.ones((300, 1)), values], axis=1)
    assert entry_for(path).name == entry_for(tmp_path).name == "dsprites"
    dataset = load_dataset("dsprites", path)
    np.testing.assert_array_equal(dataset.images(np.arange(300))[..., 0], images * 255)
    found = [of[k] for of, k in zip(dataset.factors.values, dataset.factors.table.T, strict=True)]
    np.testing.assert_allclose(np.stack(found, axis=1), values)


# Cars3D


@pytest.fixture
def cars_file(tmp_path):
    """Three cars, each view of two grey levels; list.txt is not in the order of the names."""

    def level(car, azimuth, elevation):
        return 50 * car + 2 * azimuth + 60 * (elevation % 2) + elevation // 2

    path = tmp_path / "c" / "nips2015-analogy-data.tar.gz"
    path.parent.mkdir()
    order = [2, 0, 1]
    with tarfile.open(path, "w:gz") as archive:

        def add(name, content):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        add("data/sprites/list.txt", b"not this one")
        for car in range(3):
            image = np.empty((128, 128, 3, 24, 4), np.uint8)
            for azimuth, elevation in itertools.product(range(24), range(4)):
                image[..., azimuth, elevation] = level(car, azimuth, elevation)
            image[64:] += 10  # the lower half is brighter
            content = io.BytesIO()
            savemat(content, {"im": image, "mask": np.zeros((2, 2), np.uint8)}, do_compression=True)
            add(f"data/cars/car_{car:03d}_mesh.mat", content.getvalue())
        add("data/cars/list.txt", "".join(f"car_{car:03d}_mesh\n" for car in order).encode())
    return path, order, level


def test_cars3d_has_elevation_slowest_and_cars_in_the_order_of_the_list(cars_file, tmp_path):
    path, order, level = cars_file
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    for given in (path, path.parent, tmp_path / "unpacked"):
        dataset = opened(cars3d(3), given)
        expected = [level(order[car], a, e) for e, a, car in itertools.product(range(4), range(24), range(3))]
        images = dataset.images(np.arange(288))
        # Lanczos' filter has three lobes: rows further from the edge keep their value.
        np.testing.assert_array_equal(images[:, :28], flat(expected, 64)[:, :28])
        np.testing.assert_array_equal(images[:, 36:], flat(expected, 64)[:, 36:] + 10)
    assert dataset.factors.sizes == (4, 24, 3)
    assert dataset.factors.values[1][:3].tolist() == [0, 15, 30]


def test_a_damaged_cars3d_gets_a_sentence(cars_file, cache):
    path, _, _ = cars_file
    with pytest.raises(DataError, match=r"list\.txt names 3 cars, not 4"):
        opened(cars3d(4), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="is damaged and cannot be unpacked"):
        opened(cars3d(3), path)
    assert leftovers(cache) == []


# SmallNORB

NORB_SIZES = (2, 4, 2, 3, 2)
MAGIC = {np.dtype(np.uint8): 0x1E3D4C55, np.dtype(np.int32): 0x1E3D4C54}


def matrix(values):
    """NYU's binary matrix, compressed: at least three sizes, even for fewer dimensions."""
    sizes = [*values.shape, *[1] * (3 - values.ndim)]
    head = struct.pack(f"<ii{len(sizes)}i", MAGIC[values.dtype], values.ndim, *sizes)
    return gzip.compress(head + values.tobytes(), 1)


@pytest.fixture
def norb_files(tmp_path):
    """Both sets in random order; each image is flat, the second camera's inverted."""
    folder = tmp_path / "n"
    folder.mkdir()
    for part, instances in (("train", (1, 3)), ("test", (0, 2))):
        every = [c for c in itertools.product(*map(range, NORB_SIZES)) if c[1] in instances]
        classes = RNG.permutation(np.array(every, np.int32))
        first = flat(levels(classes), 96, 1)[..., 0]
        content = {
            "dat": np.stack([first, 255 - first], axis=1),
            "cat": np.ascontiguousarray(classes[:, 0]),
            "info": np.ascontiguousarray(classes[:, 1:] * np.array([1, 1, 2, 1], np.int32)),  # azimuths are even
        }
        for kind, values in content.items():
            (folder / f"{PARTS[part]}-{kind}.mat.gz").write_bytes(matrix(values))
    return folder


def levels(classes):
    """A grey level for each combination, up to 255: bytes have no sign."""
    return 255 - 2 * np.ravel_multi_index(tuple(np.asarray(classes).T), NORB_SIZES)


def test_small_norb_joins_both_sets_and_draws_the_instance(norb_files):
    dataset = opened(small_norb(instances=False, sizes=NORB_SIZES), norb_files)
    every = np.array([*itertools.product(*map(range, NORB_SIZES))])
    assert dataset.image_shape == (64, 64, 1)
    np.testing.assert_array_equal(dataset.images(np.arange(96)), flat(levels(every), 64, 1))
    assert dataset.factors.names == ("category", "elevation", "azimuth", "lighting")
    np.testing.assert_array_equal(dataset.factors.classes(np.arange(96)), np.delete(every, 1, axis=1))
    assert dataset.label_names == ("animal", "human")
    assert set(dataset.splits) == {"all"}
    index = dataset.factors.among(np.arange(96))
    drawn, found = index.find(np.array([[1, 1, 2, 0]] * 200), np.random.default_rng(0))
    assert found.all()
    assert {*every[drawn][:, 1].tolist()} == {0, 1, 2, 3}  # any of the four instances
    assert (np.delete(every[drawn], 1, axis=1) == [1, 1, 2, 0]).all()


def test_small_norb_with_instances_keeps_the_published_split(norb_files):
    dataset = opened(small_norb(instances=True, sizes=NORB_SIZES), norb_files / f"{PARTS['test']}-dat.mat.gz")
    assert dataset.factors.sizes == NORB_SIZES
    classes = dataset.factors.classes(np.arange(96))
    assert {*classes[dataset.splits["train"], 1].tolist()} == {1, 3}
    assert {*classes[dataset.splits["test"], 1].tolist()} == {0, 2}
    assert dataset.factors.values[2].tolist() == [30, 35]
    assert dataset.factors.values[3].tolist() == [0, 20, 40]


def test_both_forms_of_small_norb_share_their_prepared_copy(norb_files, cache):
    for instances in (False, True):
        opened(small_norb(instances=instances, sizes=NORB_SIZES), norb_files)
    assert len([*cache.rglob("smallnorb-*.npy")]) == 1


def test_damaged_files_of_small_norb_get_a_sentence(norb_files, cache):
    original = small_norb(instances=False, sizes=NORB_SIZES)
    dat, cat = (norb_files / f"{PARTS['train']}-{kind}.mat.gz" for kind in ("dat", "cat"))
    good, names = dat.read_bytes(), cat.read_bytes()
    for content, words in (
        (good[:200], "cannot be unpacked"),
        (gzip.compress(gzip.decompress(good)[:-5], 1), "is truncated"),
        (gzip.compress(gzip.decompress(good) + b"x", 1), "longer than its header says"),
        (b"\0" * 100, "not a binary matrix"),
        (matrix(np.zeros((48, 96, 96), np.uint8)), "holds no pairs of images"),
    ):
        dat.write_bytes(content)
        with pytest.raises(DataError, match=words):
            opened(original, norb_files)
    dat.write_bytes(good)
    cat.write_bytes(matrix(np.full(48, 7, np.int32)))
    with pytest.raises(DataError, match="values that SmallNORB does not have"):
        opened(original, norb_files)
    cat.write_bytes(matrix(np.zeros(48, np.int32)))  # half of the images are there twice, half not at all
    with pytest.raises(DataError, match="are not all"):
        opened(original, norb_files)
    cat.write_bytes(names)
    (norb_files / f"{PARTS['test']}-info.mat.gz").unlink()
    with pytest.raises(DataError, match="has no smallnorb-5x01235x9x18x6x2x96x96-testing-info"):
        opened(original, norb_files)
    assert leftovers(cache) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_a_matrix_may_have_any_number_of_dimensions_and_no_compression(tmp_path, dtype):
    for shape in ((5,), (2, 3), (2, 1, 3, 4)):
        values = RNG.integers(0, 200, shape).astype(dtype)
        (tmp_path / "m.mat").write_bytes(gzip.decompress(matrix(values)))
        with open_matrix(tmp_path / "m.mat") as found:
            np.testing.assert_array_equal(found.read(), values)


# MPI3D

MPI_SIZES, MPI_FEWER = (3, 2, 2, 3, 3, 1, 2), (2, 2, 2, 3, 3, 1, 1)


@pytest.mark.parametrize("sizes", [MPI_SIZES, MPI_FEWER])
def test_mpi3d_has_the_factors_that_its_number_of_images_says(tmp_path, sizes):
    count = int(np.prod(sizes))
    images = RNG.integers(0, 256, (count, 64, 64, 3), np.uint8)
    np.savez_compressed(tmp_path / "mpi3d_realistic.npz", images=images)
    original = mpi3d("realistic", (MPI_SIZES, MPI_FEWER))
    dataset = opened(original, tmp_path)
    np.testing.assert_array_equal(dataset.images(np.arange(count)), images)
    assert dataset.factors.sizes == sizes
    np.testing.assert_array_equal(dataset.factors.classes(np.arange(count)), [*itertools.product(*map(range, sizes))])
    assert dataset.factors.value_names["camera height"] == ("top", "center", "bottom")
    assert dataset.name == "mpi3d-realistic"


def test_mpi3d_of_another_size_or_type_gets_a_sentence(tmp_path, cache):
    path = tmp_path / "mpi3d_toy.npz"
    original = mpi3d("toy", (MPI_SIZES, MPI_FEWER))
    for images, words in (
        (np.zeros((100, 64, 64, 3), np.uint8), "should have 216 or 72"),
        (np.zeros((216, 32, 32, 3), np.uint8), "its images are"),
    ):
        np.savez_compressed(path, images=images)
        with pytest.raises(DataError, match=words):
            opened(original, path)
    np.savez_compressed(path, images=np.zeros((216, 64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="truncated"):
        opened(original, path)
    assert leftovers(cache) == []


# CelebA


@pytest.fixture
def celeba_folder(tmp_path):
    """Five faces: the central square is grey, what lies outside it is black."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for number in range(1, 6):
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[35:183, 15:163] = 40 * number
        place = folder / "img_align_celeba" / f"{number:06d}.jpg"
        Image.fromarray(pixels).save(place, quality=95)
    rows = [(-1, 1, 1), (1, -1, 1), (-1, -1, -1), (1, 1, 1), (-1, 1, -1)]
    text = "".join(f"{i:06d}.jpg " + " ".join(f"{v:2d}" for v in row) + "\n" for i, row in enumerate(rows, 1))
    (folder / "list_attr_celeba.txt").write_text(f"5\nBald Eyeglasses Smiling \n{text}")
    parts = "".join(f"{i:06d}.jpg {part}\n" for i, part in enumerate((0, 0, 2, 1, 0), 1))
    (folder / "list_eval_partition.txt").write_text(parts)
    return folder, (np.array(rows) > 0).astype(int)


def test_an_attribute_of_celeba_is_a_direction_from_those_without_it_to_those_with_it(celeba_folder):
    from engine.methods.latents import Latent
    from engine.traversal import find_direction, groupings

    folder, _ = celeba_folder
    rows = np.array([(number % 2, number % 3 == 0, number < 7) for number in range(12)]).astype(int)
    for number in range(1, 13):
        Image.fromarray(np.zeros((218, 178, 3), np.uint8)).save(folder / "img_align_celeba" / f"{number:06d}.jpg")
    text = "".join(f"{i:06d}.jpg " + " ".join(f"{2 * v - 1:2d}" for v in row) + "\n" for i, row in enumerate(rows, 1))
    (folder / "list_attr_celeba.txt").write_text(f"12\nBald Eyeglasses Smiling \n{text}")
    (folder / "list_eval_partition.txt").write_text("".join(f"{i:06d}.jpg 0\n" for i in range(1, 13)))
    found = {each.title: each for each in groupings(opened(celeba(), folder), np.arange(12))}
    assert list(found) == ["Bald", "Eyeglasses", "Smiling"]
    assert found["Smiling"].names == ("no", "yes")
    means = np.random.default_rng(0).normal(size=(12, 4))
    smiling = rows[:, 2] == 1
    expected = means[smiling].mean(axis=0) - means[~smiling].mean(axis=0)
    direction = find_direction(means, found["Smiling"], 0, 1, (Latent.gaussian(),) * 4)
    np.testing.assert_allclose(direction, expected)


def test_celeba_is_cropped_split_and_has_its_attributes_as_factors(celeba_folder):
    folder, attributes = celeba_folder
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for file in sorted((folder / "img_align_celeba").iterdir()):
            archive.write(file, f"img_align_celeba/{file.name}")
    for given in (folder, folder / "img_align_celeba", folder / "img_align_celeba.zip"):
        assert entry_for(given).name == "celeba"
        dataset = opened(celeba(), given)
        images = dataset.images(np.arange(5)).astype(int)
        inner = images[:, 2:-2, 2:-2]  # JPEG blurs the border of the square
        assert (np.abs(inner - 40 * np.arange(1, 6)[:, None, None, None]) <= 3).all()
        assert dataset.factors.names == ("Bald", "Eyeglasses", "Smiling")
        np.testing.assert_array_equal(dataset.factors.classes(np.arange(5)), attributes)
        assert dataset.factors.value_names["Bald"] == ("no", "yes")
        splits = {name: where.tolist() for name, where in dataset.splits.items()}
        assert splits == {"train": [0, 1, 4], "validation": [3], "test": [2]}


def test_an_incomplete_celeba_gets_a_sentence(celeba_folder, cache):
    folder, _ = celeba_folder
    attributes, partition = (folder / name for name in ("list_attr_celeba.txt", "list_eval_partition.txt"))
    face, good, parts = folder / "img_align_celeba" / "000003.jpg", attributes.read_text(), partition.read_text()
    picture = face.read_bytes()
    face.write_bytes(picture[:300])
    with pytest.raises(DataError, match=r"000003\.jpg cannot be read"):
        opened(celeba(), folder)
    face.write_bytes(picture)
    attributes.write_text(good.replace(" 1\n", " 0\n"))
    with pytest.raises(DataError, match="not CelebA's list of attributes"):
        opened(celeba(), folder)
    attributes.write_text(good)
    partition.write_text(parts.replace("000002.jpg 0\n", ""))
    with pytest.raises(DataError, match="does not put each image"):
        opened(celeba(), folder)
    partition.unlink()
    with pytest.raises(DataError, match=r"list_eval_partition\.txt is missing"):
        opened(celeba(), folder)
    assert leftovers(cache) == []


# Downloads


@pytest.fixture
def served(shapes_file):
    """The files of the test, from a server on this machine."""
    path, _ = shapes_file

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(path.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_without_a_path_the_file_is_downloaded_and_converted_once(shapes_file, served):
    _, images = shapes_file
    original = replace(shapes3d(SHAPES_SIZES), remotes={"3dshapes.h5": Remote((served + "3dshapes.h5",))})
    assert original.state == "needs download (or choose a file)"
    with pytest.raises(DataError, match="has not been downloaded"):
        original.load(None)
    units = {event.unit for event in original.prepare(None) if isinstance(event, Progress)}
    assert units == {"bytes", "images"}
    assert original.state == "ready"
    np.testing.assert_array_equal(original.load(None).images(np.arange(96)), images)
    assert len(list(original.prepare(None))) == 1  # nothing is left to do
    assert sum(path.is_file() for path in original.cached()) == 2
    assert original.folder in original.cached()


def test_a_data_set_without_an_address_says_where_to_get_it():
    with pytest.raises(DataError, match=r"mmlab\.ie\.cuhk\.edu\.hk.*choose them as the data folder"):
        list(celeba().prepare(None))


def test_no_room_on_the_disk_is_said_before_anything_is_written(shapes_file, cache, monkeypatch):
    path, _ = shapes_file
    usage = type("Usage", (), {"free": 2**26})
    monkeypatch.setattr("engine.data.cache.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DataError, match="Preparing Shapes3D needs 1 MB"):
        opened(shapes3d(SHAPES_SIZES), path)
    assert leftovers(cache) == []
