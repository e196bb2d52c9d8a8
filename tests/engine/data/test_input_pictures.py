"""The user's pictures are fitted like the model's training data, or rejected with a message."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.data import input_pictures
from engine.data.input_pictures import fit_picture, read_picture, style_of
from engine.errors import DataError

MNIST = (28, 28, 1)


def drawing(height=200, width=300):
    """A seven, white on black, off centre, uint8 (height, width)."""
    picture = np.zeros((height, width), np.uint8)
    picture[40:60, 150:220] = 255
    for row in range(60, 160):
        picture[row, 210 - row // 2 : 222 - row // 2] = 255
    return picture


def centre_of_mass(image):
    """Row and column, from a simple sum over pixels."""
    total = row_sum = column_sum = 0.0
    for row, column in np.ndindex(image.shape[:2]):
        value = float(image[row, column].max())
        total, row_sum, column_sum = total + value, row_sum + row * value, column_sum + column * value
    return row_sum / total, column_sum / total


def box(image):
    inked = image[..., 0] > 0
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def test_mnist_digits_fit_a_box_of_20_around_their_centre_of_mass(shared_data):
    # What "centred" imitates, measured on the original images.
    from engine.data import load_dataset

    images = load_dataset("mnist", shared_data / "mnist").images(np.arange(0, 70_000, 700))
    for image in images:
        assert np.abs(np.array(centre_of_mass(image)) - 14).max() <= 0.51
        assert 19 <= max(box(image)) <= 20


def test_fitting_an_mnist_image_returns_it_unchanged(shared_data):
    from engine.data import load_dataset

    images = load_dataset("mnist", shared_data / "mnist").images(np.arange(0, 70_000, 700))
    for image in images:
        again = fit_picture(np.pad(image[..., 0], 30), MNIST, "centred")
        at_the_edge = again[[0, -1]].any() or again[:, [0, -1]].any()
        assert np.abs(np.array(centre_of_mass(again)) - 14).max() <= 0.51 or at_the_edge
    # Faint edges of the box may be cut, which moves an image by a pixel; most come back as they are.
    fitted = np.stack([fit_picture(image, MNIST, "centred") for image in images])
    apart = np.abs(fitted.astype(int) - images).mean(axis=(1, 2, 3))
    assert np.median(apart) < 3


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_drawing_is_centred_by_its_centre_of_mass_in_a_box_of_20(turned, scale):
    picture = drawing().repeat(scale, 0).repeat(scale, 1)
    fitted = fit_picture(picture.T if turned else picture, MNIST, "centred")
    assert fitted.shape == MNIST
    assert fitted.dtype == np.uint8
    assert np.abs(np.array(centre_of_mass(fitted)) - 14).max() <= 0.51
    assert max(box(fitted)) == 20
    # The aspect ratio stays: the seven is 120 rows and more than 90 columns.
    whole = drawing() > 0
    aspect = np.ptp(np.flatnonzero(whole.any(0))) / np.ptp(np.flatnonzero(whole.any(1)))
    ours = box(fitted)[1] / box(fitted)[0] if not turned else box(fitted)[0] / box(fitted)[1]
    assert ours == pytest.approx(aspect, abs=0.06)


def as_rgb(picture):
    return np.repeat(picture[..., None], 3, axis=2)


def with_alpha(ink, alpha):
    return np.dstack([np.full((*alpha.shape, 3), ink, np.uint8), alpha])


@pytest.mark.parametrize(
    "make",
    [
        lambda d: 255 - d,
        lambda d: d[..., None],
        as_rgb,
        lambda d: as_rgb(255 - d),
        lambda d: with_alpha(0, d),  # black ink on nothing
        lambda d: with_alpha(255, d),  # white ink on nothing
        lambda d: np.dstack([as_rgb(255 - d), np.full(d.shape, 255, np.uint8)]),
        lambda d: (200 - d * (150 / 255)).astype(np.uint8),  # dark grey on light grey
    ],
)
@pytest.mark.parametrize("style", ["centred", "filling"])
def test_ink_is_found_on_white_on_colour_and_on_transparency(make, style):
    expected = fit_picture(drawing(), MNIST, style)
    fitted = fit_picture(make(drawing()), MNIST, style)
    assert np.abs(fitted.astype(int) - expected).max() <= 3


def test_filling_fills_the_longer_side_and_centres_the_shorter():
    fitted = fit_picture(drawing(), (32, 32, 1), "filling")
    assert box(fitted)[0] == 32
    columns = np.flatnonzero((fitted[..., 0] > 0).any(0))
    assert abs(columns[0] - (31 - columns[-1])) <= 1


@pytest.mark.parametrize("thin", [(1, 300), (300, 1), (1, 1)])
def test_the_thinnest_ink_still_fits(thin):
    picture = np.zeros((400, 400), np.uint8)
    picture[50 : 50 + thin[0], 60 : 60 + thin[1]] = 255
    fitted = fit_picture(picture, MNIST, "centred")
    assert fitted.max() > 200
    assert max(box(fitted)) == 20


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_colour_is_rejected(value):
    with pytest.raises(DataError, match="nothing on the picture"):
        fit_picture(np.full((50, 60), value, np.uint8), MNIST, "centred")


def test_plain_pictures_are_cut_to_the_central_square_and_keep_grey_values():
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, 32:96] = (200, 100, 60)  # the central square
    np.testing.assert_array_equal(
        fit_picture(picture, (64, 64, 3), "plain"), np.broadcast_to(np.uint8([200, 100, 60]), (64, 64, 3))
    )
    grey = fit_picture(picture, (64, 64, 1), "plain")
    assert grey.shape == (64, 64, 1)
    np.testing.assert_array_equal(grey, 120)  # the mean of the three, as own pictures are made grey
    assert fit_picture(picture[..., 0], (32, 32, 3), "plain").shape == (32, 32, 3)


def test_plain_pictures_with_transparency_are_composited_onto_black():
    half = with_alpha(200, np.full((64, 64), 128, np.uint8))
    np.testing.assert_allclose(fit_picture(half, (32, 32, 1), "plain"), 200 * 128 / 255, atol=1)


@pytest.mark.parametrize("shape", [(0, 5), (4, 4, 2), (3,), (2, 4, 4, 3)])
def test_an_array_that_is_not_a_picture_is_rejected(shape):
    with pytest.raises(DataError, match="cannot be used"):
        fit_picture(np.zeros(shape, np.uint8), MNIST, "plain")


def test_the_style_follows_the_data_set():
    assert [style_of(name) for name in ("mnist", "kmnist", "fashion-mnist", "digits", "dsprites", "images")] == [
        *("centred", "centred", "filling", "filling", "plain", "plain")
    ]


# Reading files


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tiff", "webp", "jpg"])
def test_pictures_of_many_formats_are_read(tmp_path, ending):
    file = tmp_path / f"seven.{ending}"
    Image.fromarray(as_rgb(drawing())).save(file)
    picture = read_picture(file)
    assert picture.shape == (200, 300, 3)
    assert np.abs(picture.astype(int) - as_rgb(drawing())).mean() < 3


def test_a_picture_is_read_upright_and_with_transparency(tmp_path):
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    picture = read_picture(tmp_path / "turned.png")
    assert picture.shape == (40, 20, 4)
    np.testing.assert_array_equal(picture[0, 0], [255, 0, 0, 100])


def test_sixteen_bit_grey_values_are_converted_to_eight(tmp_path):
    Image.fromarray(np.full((5, 5), 51400, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), 200)


def test_a_large_picture_is_scaled_down_when_read(tmp_path):
    Image.new("RGB", (3000, 1500), "white").save(tmp_path / "large.png")
    assert read_picture(tmp_path / "large.png").shape == (512, 1024, 3)


def png_of(width, height):
    """Bytes of a PNG whose header claims this size, following the specification."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a picture"),
        (b"seven", "is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is not a picture"),
        (png_of(100, 100), "truncated or damaged"),
        (png_of(60_000, 60_000), "more than 100 million pixels"),
        (png_of(11_000, 10_000), "more than 100 million pixels"),
    ],
)
def test_files_that_are_not_pictures_or_too_large_get_a_message(tmp_path, content, words):
    file = tmp_path / "seven.png"
    file.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_picture(file)
    assert "seven.png" in str(error.value)


def test_a_folder_and_a_missing_file_get_a_message(tmp_path):
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(DataError, match="cannot be read"):
            read_picture(path)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A small picture in each format, as bytes."""
    folder = tmp_path_factory.mktemp("formats")
    found = []
    for ending in ("png", "bmp", "gif", "tiff", "webp", "jpg", "ppm"):
        Image.fromarray(as_rgb(drawing())[::8, ::8]).save(folder / f"a.{ending}")
        found.append((folder / f"a.{ending}").read_bytes())
    return folder / "damaged", found


@given(data=st.data())
def test_damaged_files_are_either_read_or_rejected(encoded, data):
    file, originals = encoded
    content = bytearray(data.draw(st.sampled_from(originals)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        picture = read_picture(file)
    except DataError:
        return
    assert picture.dtype == np.uint8
    assert max(picture.shape[:2]) <= input_pictures.LARGEST_SIDE
