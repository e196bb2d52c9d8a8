"""At least 2,000 damaged data files are either read or rejected with a message. Run with `make test-slow`."""

import gzip
import io

import numpy as np
import pytest

from engine.data import load_dataset
from engine.data.idx import read_idx
from engine.errors import DataError

pytestmark = pytest.mark.slow
COUNT = 1200


def mutated(content, rng):
    """A copy with a few bytes changed, cut, repeated or inserted."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        where = int(rng.integers(0, len(data)))
        kind = rng.integers(0, 5)
        if kind == 0:
            data[where] = int(rng.integers(0, 256))
        elif kind == 1:
            data[where] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            del data[where : where + int(rng.integers(1, 40))]
        elif kind == 3:
            data[where:where] = bytes(rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8))
        else:
            data[where : where + 4] = b"\xff\xff\xff\xff"
        if not data:
            return b""
    return bytes(data)


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gz"])
def test_damaged_idx_files(tmp_path, packed):
    rng = np.random.default_rng(1)
    raw = (
        b"\0\0\x08\x03"
        + np.array([5, 28, 28], ">u4").tobytes()
        + rng.integers(0, 256, 5 * 28 * 28, dtype=np.uint8).tobytes()
    )
    content = gzip.compress(raw) if packed else raw
    refused = 0
    for _ in range(COUNT):
        path = tmp_path / "images"
        path.write_bytes(mutated(content, rng))
        try:
            read_idx(path, 3)
        except DataError:
            refused += 1
    assert refused > COUNT // 4


def test_damaged_npz_files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(2)
    out = io.BytesIO()
    np.savez_compressed(
        out,
        images=rng.integers(0, 256, (6, 28, 28), dtype=np.uint8),
        labels=np.arange(6),
        factors=np.arange(12).reshape(6, 2),
        factor_names=np.array(["a", "b"]),
    )
    content, refused = out.getvalue(), 0
    for number in range(COUNT):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(mutated(content, rng))
        try:
            load_dataset("arrays", path)
        except DataError:
            refused += 1
        path.unlink()
    assert refused > COUNT // 4
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.name.endswith(".part")]
