"""Valid IDX files are read; all others are rejected with a message, whatever their bytes."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.idx import read_idx
from engine.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)


def header(*shape, kind=8):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


GOOD = header(5, 4, 3) + IMAGES.tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some-images"


def refused(path, content, dimensions=3):
    """The message with which a file of this content is rejected; it always names the file."""
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path, dimensions)
    assert path.name in str(error.value)
    return str(error.value)


def test_raw_and_compressed_files_read_the_same(path):
    path.write_bytes(GOOD)
    raw = read_idx(path, 3)
    path.write_bytes(gzip.compress(GOOD))
    np.testing.assert_array_equal(raw, IMAGES)
    np.testing.assert_array_equal(read_idx(path, 3), IMAGES)


def test_compression_is_recognised_by_content_not_by_name(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(GOOD)
    np.testing.assert_array_equal(read_idx(path, 3), IMAGES)


def test_labels_have_one_dimension(path):
    path.write_bytes(header(3) + bytes([5, 0, 4]))
    assert read_idx(path, 1).tolist() == [5, 0, 4]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 15, 16, 17, len(GOOD) - 1])
def test_a_truncated_file_is_rejected_by_name(path, pack, length):
    assert "truncated" in refused(path, pack(GOOD[:length]))


@pytest.mark.parametrize("length", [2, 10, 20, -8, -1])
def test_a_truncated_compressed_file_is_rejected_by_name(path, length):
    assert "Download it again" in refused(path, gzip.compress(GOOD)[:length])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_a_header_that_announces_too_many_bytes_is_rejected(path, pack):
    words = refused(path, pack(header(6, 4, 3) + IMAGES.tobytes()))
    assert "72 bytes" in words
    assert "60" in words


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_extra_bytes_are_rejected(path, pack):
    assert "more than the 60 bytes" in refused(path, pack(GOOD + b"\0"))


@pytest.mark.parametrize(
    "content",
    [
        header(5, 4, 3, kind=13) + IMAGES.tobytes(),  # floats
        b"\x01" + GOOD[1:],
        header(60) + IMAGES.tobytes(),  # labels where images belong
        b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        b"PK\x03\x04" + bytes(50),
    ],
    ids=["floats", "first byte", "labels", "web page", "zip"],
)
def test_another_kind_of_file_is_rejected(path, content):
    assert "not an IDX file" in refused(path, content)


def test_images_in_place_of_labels_are_rejected(path):
    assert "not an IDX file with 1 dim" in refused(path, GOOD, dimensions=1)


def test_a_corrupt_compressed_file_is_rejected(path):
    packed = bytearray(gzip.compress(GOOD))
    packed[-6] ^= 0xFF  # the checksum of the content
    assert "cannot be unpacked" in refused(path, bytes(packed))


def test_a_compressed_file_followed_by_rubbish_is_rejected(path):
    assert "cannot be unpacked" in refused(path, gzip.compress(GOOD) + b"rubbish")


def test_a_missing_file_and_a_folder_are_rejected_by_name(tmp_path):
    with pytest.raises(DataError, match="some-images cannot be read"):
        read_idx(tmp_path / "some-images", 3)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder cannot be read"):
        read_idx(tmp_path / "folder", 3)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
@pytest.mark.parametrize(
    "shape",
    [
        (2**31, 28, 28),
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
        (2**31, 2**30, 4),  # 2^63 bytes: one more than a signed 64-bit integer holds
        (2**31, 2**31, 4),  # 2^64 bytes: nothing, to an integer of 64 bits
        (0, 2**32 - 1, 2**32 - 1),
    ],
    ids=lambda shape: "x".join(map(str, shape)),
)
@pytest.mark.parametrize("body", [b"", b"\0" * 100], ids=["empty", "some"])
def test_impossible_sizes_are_rejected_without_allocating_memory(path, pack, shape, body):
    tracemalloc.start()
    try:
        refused(path, pack(header(*shape) + body))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2_000_000, 28, 28), (2**31,)], ids=["images", "labels"])
def test_a_large_size_that_is_only_announced_allocates_no_memory(path, shape):
    # A damaged header in a file of a few bytes: there is nothing to read, so there is nothing to allocate.
    tracemalloc.start()
    try:
        refused(path, header(*shape) + b"\0" * 100, dimensions=len(shape))
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
@settings(max_examples=300)
@given(data=st.data())
def test_any_damage_is_rejected_with_a_message_or_does_no_harm(tmp_path_factory, packed, data):
    content = bytearray(gzip.compress(GOOD, mtime=0) if packed else GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path = tmp_path_factory.getbasetemp() / f"mutated-{packed}"
    path.write_bytes(bytes(content[:end]) + data.draw(st.binary(max_size=5)))
    message, kind = path.name, np.dtype(np.uint8)
    try:
        kind = read_idx(path, 3).dtype
    except DataError as error:
        message = str(error)
    assert path.name in message
    assert kind == np.uint8
