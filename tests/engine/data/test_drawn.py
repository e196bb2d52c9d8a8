"""Data sets drawn on this machine: variants of dSprites, XYSquares and Room."""

import itertools

import numpy as np
import pytest

from engine.data import ENTRIES, BitStore, dsprites, load_dataset, room, xy_squares
from engine.data.counters import mixed, random_bytes
from engine.data.dsprites_variants import Coloured, Noisy, Textured, texture
from engine.data.guarded import problem_with
from engine.data.shapes3d import SIZES

RNG = np.random.default_rng(0)
CHOSEN = np.sort(RNG.choice(dsprites.COUNT, 64, replace=False))


class Drawn:
    """dSprites as packed bits, drawn when asked for."""

    def __len__(self):
        return dsprites.COUNT

    def __getitem__(self, where):
        return dsprites.draw(where)


SPRITES = BitStore(Drawn(), 64, 64)


@pytest.fixture(scope="module")
def shapes():
    """Where the sprites are, (64, 64, 64)."""
    return SPRITES(CHOSEN)[..., 0] == 255


def test_the_numbers_of_counters_are_those_of_splitmix64():
    # The first outputs of the public reference implementation (S. Vigna, prng.di.unimi.it) for the seed 0.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert mixed(np.arange(4, dtype=np.uint64)).tolist() == expected


def test_bytes_of_an_image_are_uniform_and_its_own():
    drawn = random_bytes(np.arange(4000), 64)
    counts = np.bincount(drawn.ravel(), minlength=256)
    assert np.abs(counts - 1000).max() < 6 * np.sqrt(1000)
    assert len(np.unique(drawn, axis=0)) == 4000
    np.testing.assert_array_equal(random_bytes(np.array([7, 3]), 64), drawn[[7, 3]])


@pytest.mark.parametrize("variant", [Coloured, Noisy, Textured])
def test_an_image_is_the_same_whenever_it_is_drawn(variant):
    store = variant(SPRITES)
    together = store(CHOSEN)
    assert together.dtype == np.uint8
    assert together.shape == (64, 64, 64, 3)
    np.testing.assert_array_equal(store(CHOSEN[[5, 2]]), together[[5, 2]])


def test_coloured_sprites_have_one_colour_from_half_to_full_brightness(shapes):
    images = Coloured(SPRITES)(CHOSEN)
    assert (images[~shapes] == 0).all()
    colours = []
    for image, shape in zip(images, shapes, strict=True):
        [colour] = np.unique(image[shape], axis=0)
        colours.append(colour)
    assert np.min(colours) >= 128
    assert len(np.unique(colours, axis=0)) == 64
    assert np.ptp(colours, axis=0).min() > 90  # each channel takes most of its range


def test_sprites_on_noise_are_white_and_the_noise_is_uniform(shapes):
    images = Noisy(SPRITES)(CHOSEN)
    assert (images[shapes] == 255).all()
    noise = images[~shapes] / 255
    assert abs(noise.mean() - 0.5) < 0.002
    assert abs(noise.var() - 1 / 12) < 0.001


def test_sprites_on_textures_invert_their_background(shapes):
    images = Textured(SPRITES)(CHOSEN).astype(int)
    background = np.where(shapes[..., None], 255 - images, images)
    # Without the sprite, the image is a cut of the texture plus a tint.
    half = texture().astype(int)
    for cut in background[:8]:
        differences = [half[:449, :449, c] - cut[0, 0, c] for c in range(3)]
        candidates = np.argwhere(np.ones((449, 449), bool))
        for offset in ((0, 9), (20, 30), (63, 63)):
            rows, columns = candidates.T
            same = np.ones(len(candidates), bool)
            for c in range(3):
                there = half[rows + offset[0], columns + offset[1], c] - cut[offset[0], offset[1], c]
                same &= there == differences[c][rows, columns]
            candidates = candidates[same]
        fits = [len(np.unique((half[r : r + 64, c : c + 64] - cut).reshape(-1, 3), axis=0)) == 1 for r, c in candidates]
        assert any(fits)


def test_xy_squares_agree_with_disents_rule():
    chosen = RNG.integers(0, xy_squares.COUNT, 40)
    images = xy_squares.Squares()(chosen)
    for image, index in zip(images, chosen, strict=True):
        expected = np.zeros((64, 64, 3), np.uint8)
        places = np.reshape(np.unravel_index(index, (8,) * 6), (3, 2))
        for channel, (x, y) in enumerate(places):
            expected[8 * y : 8 * y + 8, 8 * x : 8 * x + 8, channel] = 255
        np.testing.assert_array_equal(image, expected)


def test_all_other_positions_of_a_square_are_equally_far_in_pixels():
    at = np.ravel_multi_index((np.arange(8), *np.zeros((5, 8), int)), (8,) * 6)
    images = xy_squares.Squares()(at).astype(float) / 255
    distances = [((a - b) ** 2).sum() for a, b in itertools.combinations(images, 2)]
    assert set(distances) == {2 * 64.0}


@pytest.fixture(scope="module")
def drawn_room():
    """Room with a few of its layouts."""
    wanted = [(4, 0, 7), (4, 1, 7), (4, 2, 7), (4, 3, 7), (0, 2, 7), (7, 2, 7), (4, 2, 0), (4, 2, 14)]
    layouts = np.zeros((room.LAYOUTS, 4, 64, 64), np.uint8)
    *_, scales, _, angles = room.factors().values
    for scale, shape, angle in wanted:
        layouts[np.ravel_multi_index((scale, shape, angle), SIZES[3:])] = room.layout(
            scales[scale], shape, angles[angle]
        )
    return room.Rooms(layouts)


def at(*classes):
    return np.array([np.ravel_multi_index(classes, SIZES)])


def test_hues_colour_floor_wall_and_object_alone(drawn_room):
    red = drawn_room(at(0, 0, 0, 4, 2, 7))[0].astype(int)
    parts = drawn_room.layouts[np.ravel_multi_index((4, 2, 7), SIZES[3:])]
    for part in range(3):
        hues = [0, 0, 0]
        hues[part] = 5  # cyan, which has no red
        changed = drawn_room(at(*hues, 4, 2, 7))[0].astype(int)
        mine, others = parts[part] > 0, parts[[k for k in range(3) if k != part]].sum(axis=0) > 0
        assert (changed != red)[mine & ~others].any(axis=-1).all()
        assert (changed == red)[~mine].all()
        assert (changed[mine & ~others][:, 0] == parts[3][mine & ~others]).all()  # white alone is left of the red
    assert (red[..., 1:] == parts[3][..., None]).all()


def test_every_pixel_is_covered_and_none_is_brighter_than_white(drawn_room):
    drawn = drawn_room.layouts[drawn_room.layouts.any(axis=(1, 2, 3))].astype(int)
    assert len(drawn) == 8
    assert drawn.sum(axis=1).max() <= 255
    assert drawn.sum(axis=1).min() > 80
    assert (drawn[:, 0, -1] > 0).all()  # floor below, wall above
    assert (drawn[:, 1, 0] > 0).all()


def test_shape_and_scale_change_the_object_and_orientation_the_room(drawn_room):
    def layout(*classes):
        return drawn_room.layouts[np.ravel_multi_index(classes, SIZES[3:])].astype(int)

    sizes = [(layout(scale, 2, 7)[2] > 0).sum() for scale in (0, 4, 7)]
    assert sizes == sorted(sizes)
    assert sizes[2] / sizes[0] == pytest.approx((1.25 / 0.75) ** 2, rel=0.2)
    outlines = [layout(4, shape, 7)[2] > 0 for shape in range(4)]
    assert all((a != b).sum() > 40 for a, b in itertools.combinations(outlines, 2))
    # A sphere looks the same from all sides; the walls do not. The two extremes mirror each other.
    left, right = layout(4, 2, 0), layout(4, 2, 14)
    assert ((left[2] > 0) == (right[2] > 0)).all()
    assert ((left[1] > 0) == (right[1] > 0)[:, ::-1]).mean() > 0.99
    assert np.abs(left[1] - layout(4, 2, 7)[1]).max() > 20


def test_a_sphere_covers_the_disc_that_perspective_gives():
    # The half angle of a sphere's cone is asin(radius / distance); its outline is symmetrical about the image's middle.
    *_, scales, _, angles = room.factors().values
    seen = room.layout(scales[4], 2, angles[7])[2] > 0
    camera = np.array([-room.DISTANCE, 0, room.HEIGHT])
    centre = np.array([0, 0, 0.54 * scales[4]])
    ahead = np.array([0, 0, room.TARGET]) - camera
    down = np.arccos(ahead @ (centre - camera) / np.linalg.norm(ahead) / np.linalg.norm(centre - camera))
    half = np.arcsin(0.54 * scales[4] / np.linalg.norm(centre - camera))
    rows = np.flatnonzero(seen.any(axis=1))
    sign = 1 if centre[2] < room.TARGET else -1
    ends = 32 + 32 * np.tan(sign * down + np.array([-half, half])) / room.VIEW
    assert abs(rows[0] - ends[0]) < 1.2
    assert abs(rows[-1] + 1 - ends[1]) < 1.2


def test_data_sets_that_need_no_file_keep_what_their_entries_announce(drawn_dsprites):
    for name in ("dsprites", "dsprites-colour", "dsprites-noise", "dsprites-textures", "xy-squares"):
        assert problem_with(ENTRIES[name], load_dataset(name)) == ""


def test_a_known_grid_has_as_many_combinations_as_images():
    known = [entry for entry in ENTRIES.values() if entry.grid is not None]
    assert len(known) == 13
    for entry in known:
        factors = entry.grid()
        assert np.prod(factors.sizes) == entry.images, entry.name
        assert entry.factors == ", ".join(
            f"{name} ({size})" for name, size in zip(factors.names, factors.sizes, strict=True)
        )
        assert all(
            len(factors.value_names[name]) == size
            for name, size in zip(factors.names, factors.sizes, strict=True)
            if name in factors.value_names
        )
