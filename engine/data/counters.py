"""Random numbers as a function of a counter: the same for an image whenever and wherever it is drawn.

Splitmix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), of
integers alone, so that no machine rounds differently.
"""

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the random 64-bit number of each counter: the outputs, by number from 0, of a generator seeded with 0."""
    with np.errstate(over="ignore"):
        z = (counters + np.uint64(1)) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_bytes(indices: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """Return `count` random bytes for each image, a multiple of 8, by its position: uint8 (n, count)."""
    words = count // 8
    first = indices.astype(np.uint64)[:, None] * np.uint64(words)
    counters: NDArray[np.uint64] = (first + np.arange(words, dtype=np.uint64)).astype(np.uint64)
    return mixed(counters).astype("<u8", copy=False).view(np.uint8)
