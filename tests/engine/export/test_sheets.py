"""Sheets of pictures as files: every format contains the given pictures."""

import numpy as np
import pytest
from PIL import Image

from engine.errors import ConfigError, RunError
from engine.export.sheets import Sheet
from engine.export.traversal import Look


@pytest.fixture
def sheet():
    """Two rows of an original and three values, each picture in a single grey."""
    greys = np.array([[0, 40, 80, 120], [200, 160, 140, 100]], np.uint8)
    tiles = np.broadcast_to(greys[:, :, None, None, None], (2, 4, 6, 6, 1)).copy()
    return Sheet(
        tiles,
        ["original", "-1", "0", "1"],
        ["one", "two"],
        "a caption",
        slice(1, None),
        {"values": np.array([-1, 0, 1])},
    )


def test_the_animation_goes_through_the_values_and_back(tmp_path, sheet):
    sheet.save(tmp_path / "out.gif", Look(labels=False))
    with Image.open(tmp_path / "out.gif") as animation:
        seen = []
        for number in range(animation.n_frames):
            animation.seek(number)
            frame = np.asarray(animation.convert("L"))
            middle = frame.shape[0] // 2
            seen.append((frame[middle, frame.shape[1] // 4], frame[middle, 3 * frame.shape[1] // 4]))
        assert animation.info["comment"] == b"a caption"
    assert seen == [(40, 160), (80, 140), (120, 100), (80, 140)]


def test_the_arrays_contain_the_pictures_and_their_texts(tmp_path, sheet):
    sheet.save(tmp_path / "out.npz", Look())
    arrays = np.load(tmp_path / "out.npz")
    assert np.array_equal(arrays["images"], sheet.tiles)
    assert list(arrays["rows"]) == ["one", "two"]
    assert list(arrays["columns"]) == ["original", "-1", "0", "1"]
    assert list(arrays["values"]) == [-1, 0, 1]


def test_frames_are_written_in_order_to_a_new_folder(tmp_path, sheet):
    sheet.save_frames(tmp_path / "frames", Look())
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == ["0001.png", "0002.png", "0003.png", "0004.png"]
    with pytest.raises(RunError, match="exists already"):
        sheet.save_frames(tmp_path / "frames", Look())


def test_another_extension_or_size_is_rejected(tmp_path, sheet):
    with pytest.raises(ConfigError, match=r"\.gif"):
        sheet.save(tmp_path / "out.bmp", Look())
    with pytest.raises(ConfigError, match="width"):
        sheet.save(tmp_path / "out.png", Look(width=500))
    assert not list(tmp_path.iterdir())
