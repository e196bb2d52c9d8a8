"""Drawn dSprites, against the original images and a slow, simple rasteriser."""

import math
import os
import shutil
from collections import namedtuple

import numpy as np
import pytest

from engine.data import BitStore, dsprites, load_dataset, prepare
from engine.errors import DataError
from engine.jobs.events import Finished, Progress

SIZES = (3, 6, 40, 32, 32)
SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COUNT = 737_280

Usage = namedtuple("Usage", "total used free")


def pixels(bits):
    return np.unpackbits(bits, axis=1).reshape(-1, 64, 64)


def plain_outline(shape):
    """Vertices one by one, as in the notes on the data set, y up."""
    if shape == 0:
        return [(-9.6, 9.6), (9.6, 9.6), (9.6, -9.6), (-9.6, -9.6)]
    if shape == 1:
        angles = [2 * math.pi * k / 100 for k in range(100)]
        return [(1.33 * 9.6 * math.cos(t), -9.6 / 1.33 * math.sin(t)) for t in angles]
    vertices = []
    for k in range(150):
        t = 2 * math.pi * k / 150
        wave = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        vertices.append((9.6 * math.sin(t) ** 3, 2 * 9.6 / 29 * wave + 0.15 * 9.6))
    return vertices


def plain_image(shape, scale, orientation, kx, ky):
    """Draw pixel by pixel: a pixel is lit if a ray to its left crosses the outline an odd number of times."""
    theta = 2 * math.pi * orientation / 39
    vertices = []
    for a, up in plain_outline(shape):
        a, b = SCALES[scale] * a, -SCALES[scale] * up
        x = 16 + 32 * kx / 31 + math.cos(theta) * a + math.sin(theta) * b
        y = 16 + 32 * ky / 31 - math.sin(theta) * a + math.cos(theta) * b
        vertices.append((math.floor(x * 256 + 0.5) / 256, math.floor(y * 256 + 0.5) / 256))
    edges = list(zip(vertices, vertices[1:] + vertices[:1], strict=True))
    image = np.zeros((64, 64), np.uint8)
    for row in range(64):
        yc = row + 0.5
        crossed = [edge for edge in edges if (edge[0][1] < yc) != (edge[1][1] < yc)]
        for column in range(64):
            inside = False
            for (x0, y0), (x1, y1) in crossed:
                if x0 + (yc - y0) * (x1 - x0) / (y1 - y0) <= column + 0.5:
                    inside = not inside
            image[row, column] = inside
    return image


@pytest.fixture(scope="module")
def drawn():
    """The complete data set, drawn once into the tests' own cache."""
    dataset = load_dataset("dsprites")
    yield dataset
    for path in dsprites.cached_files():
        path.unlink()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_originals_are_reproduced(shared_data):
    with np.load(shared_data / "dsprites/dsprites_downsampled.npz", allow_pickle=False) as file:
        originals, indices = file["imgs"], file["original_dataset_indices"]
    assert len(originals) == 46_080
    wrong = (pixels(dsprites.draw(indices)) != originals).sum((1, 2))
    identical = int((wrong == 0).sum())
    message = f"{identical:,} of 46,080 originals are identical; the worst differs in {wrong.max()} pixels"
    assert identical >= 0.9998 * 46_080, message
    assert wrong.max() <= 1, message


def test_the_official_order_agrees_with_the_originals_factor_values(shared_data):
    with np.load(shared_data / "dsprites/dsprites_downsampled.npz", allow_pickle=False) as file:
        values, indices = file["latents_values"], file["original_dataset_indices"]
    factors = dsprites.factors()
    ours = np.stack([v[c] for v, c in zip(factors.values, factors.classes(indices).T, strict=True)], axis=1)
    np.testing.assert_allclose(ours, values, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "scale", "orientation", "kx", "ky"),
    [
        (0, 0, 0, 0, 0),
        (0, 5, 7, 31, 4),
        (0, 3, 20, 13, 31),
        (1, 0, 3, 16, 9),
        (1, 5, 11, 0, 31),
        (1, 2, 33, 30, 2),
        (2, 0, 0, 5, 5),
        (2, 5, 17, 31, 31),
        (2, 4, 39, 8, 21),
    ],
)
def test_a_slow_simple_rasteriser_draws_the_same_pixels(shape, scale, orientation, kx, ky):
    index = (((shape * 6 + scale) * 40 + orientation) * 32 + kx) * 32 + ky
    (image,) = pixels(dsprites.draw(np.array([index])))
    np.testing.assert_array_equal(image, plain_image(shape, scale, orientation, kx, ky))


def test_the_factors_of_an_image_follow_from_its_position_by_division():
    rng = np.random.default_rng(3)
    indices = np.concatenate([[0, 1, 32, 1024, 40_960, 245_760, COUNT - 1], rng.integers(0, COUNT, 200)])
    by_hand = []
    for index in indices.tolist():
        rest, classes = index, []
        for size in reversed(SIZES):
            rest, remainder = divmod(rest, size)
            classes.insert(0, remainder)
        by_hand.append(classes)
    factors = dsprites.factors()
    assert factors.names == ("shape", "scale", "orientation", "x", "y")
    assert factors.sizes == SIZES
    np.testing.assert_array_equal(factors.classes(indices), by_hand)


def test_the_first_and_the_last_orientation_look_the_same():
    # linspace(0, 2 pi, 40) has both ends: a full turn is no turn.
    for shape in range(3):
        for scale in range(6):
            first = dsprites.draw_positions(shape, scale, 0)
            np.testing.assert_array_equal(first, dsprites.draw_positions(shape, scale, 39))


@pytest.mark.parametrize("shape", range(3))
def test_a_sprite_covers_the_area_of_its_outline(shape):
    # Green's theorem over the vertices; for the square that is (2 H)^2, for the ellipse about pi H^2.
    vertices = np.array(plain_outline(shape))
    x, y = vertices.T
    green = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    if shape == 0:
        assert green == pytest.approx(19.2**2)
    if shape == 1:
        assert green == pytest.approx(math.pi * 9.6**2, rel=1e-2)
    for orientation in (0, 5, 13):
        lit = pixels(dsprites.draw_positions(shape, 5, orientation)).sum((1, 2))
        # 32 positions a side do not fall evenly on the pixels: a side of 19.2 pixels is off by up to 1 in 32 of one.
        assert lit.mean() == pytest.approx(green, rel=2 / 32 / 9.6)


def test_x_moves_a_sprite_to_the_right_and_y_down():
    image = pixels(dsprites.draw_positions(1, 2, 0)).reshape(32, 32, 64, 64)
    for kx, ky in ((0, 0), (31, 0), (0, 31), (16, 7)):
        rows, columns = np.nonzero(image[kx, ky])
        # The centre of mass of a shape that is its own mirror image is its centre, in pixels as in the notes.
        assert columns.mean() + 0.5 == pytest.approx(16 + 32 * kx / 31, abs=0.3)
        assert rows.mean() + 0.5 == pytest.approx(16 + 32 * ky / 31, abs=0.3)


def test_a_hearts_lobes_point_up():
    rows, _ = np.nonzero(pixels(dsprites.draw_positions(2, 5, 0))[0])
    widths = np.bincount(rows)[rows.min() : rows.max() + 1]
    assert widths[: len(widths) // 2].sum() > widths[len(widths) // 2 :].sum()


def test_images_drawn_one_by_one_equal_those_of_the_complete_data_set(drawn):
    indices = np.random.default_rng(0).integers(0, COUNT, 40)
    images = drawn.images(indices)
    assert images.shape == (40, 64, 64, 1)
    assert set(np.unique(images)) == {0, 255}
    np.testing.assert_array_equal(images[..., 0] == 255, pixels(dsprites.draw(indices)) == 1)


def test_the_data_set_has_all_images_with_shapes_as_labels_and_one_split(drawn):
    assert len(drawn) == COUNT
    assert drawn.headline_split == "all"
    assert drawn.label_names == ("square", "ellipse", "heart")
    np.testing.assert_array_equal(drawn.training, np.arange(COUNT))
    assert drawn.factors is not None
    np.testing.assert_array_equal(drawn.labels, drawn.factors.classes(np.arange(COUNT))[:, 0])


def test_bits_are_unpacked_to_black_and_white_pixels_from_the_left():
    # By hand: 0b1010_0000, 0b0000_0001 is a row of 16 pixels, the most significant bit first.
    images = BitStore(np.array([[0b10100000, 0b00000001]], np.uint8), 1, 16)(np.array([0, 0]))
    assert images.shape == (2, 1, 16, 1)
    assert images[1, 0, :, 0].tolist() == [255, 0, 255] + [0] * 12 + [255]


def test_preparing_again_changes_nothing(drawn):
    # `drawn` has been prepared by the same job; here it finds everything in place.
    assert dsprites.is_drawn()
    (path,) = dsprites.cached_files()
    assert path.stat().st_size == COUNT * 64 * 64 // 8
    (event,) = list(dsprites.prepare())
    assert isinstance(event, Finished)
    assert "737,280" in event.message


def test_preparing_yields_steady_progress_in_images(empty_cache):
    job = prepare("dsprites")
    events = [next(job) for _ in range(5)]
    job.close()
    assert all(isinstance(event, Progress) for event in events)
    assert [(event.done, event.total) for event in events] == [(1024 * n, COUNT) for n in range(1, 6)]


def test_closing_midway_leaves_no_file(empty_cache):
    job = dsprites.prepare()
    for _ in range(3):
        next(job)
    assert files_in(empty_cache)  # it is writing
    job.close()
    assert files_in(empty_cache) == []
    assert not dsprites.is_drawn()


def test_too_small_a_disk_is_rejected_before_anything_is_written(empty_cache, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9 - 10**8, 10**8))
    with pytest.raises(DataError, match=r"377 MB.*100 MB are free"):
        list(dsprites.prepare())
    assert files_in(empty_cache) == []


def test_a_disk_that_fills_up_while_drawing_leaves_no_file(empty_cache, monkeypatch):
    drawn = []

    def full(*classes):
        if len(drawn) == 2:
            raise OSError(28, "No space left on device")
        drawn.append(classes)
        return np.zeros((1024, 512), np.uint8)

    monkeypatch.setattr(dsprites, "draw_positions", full)
    with pytest.raises(DataError, match="No space left on device"):
        list(dsprites.prepare())
    assert len(drawn) == 2
    assert files_in(empty_cache) == []


def test_a_cache_that_cannot_be_written_to_gets_a_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written to"):
        list(dsprites.prepare())


def test_a_file_of_another_size_does_not_count_as_drawn(empty_cache, monkeypatch):
    monkeypatch.setattr(dsprites, "draw_positions", lambda *classes: np.zeros((1024, 512), np.uint8))
    list(dsprites.prepare())
    assert dsprites.is_drawn()
    (path,) = dsprites.cached_files()
    os.truncate(path, COUNT * 512 - 1)
    assert not dsprites.is_drawn()
    with pytest.raises(DataError, match=r"not prepared yet.*datasets prepare dsprites"):
        dsprites.load()
    path.unlink()


def test_the_error_for_an_unknown_data_set_lists_the_known_ones():
    with pytest.raises(DataError, match=r"'cifar'.*dsprites.*mnist"):
        load_dataset("cifar")
