"""Writes codes that were computed without this application to an .npz file, which it can score.

    python codes_of_any_program.py codes.npz
    python main.py score codes.npz

Here the "model" is a principal component analysis of squares at every position and size, in NumPy alone. Any other
program can write the same arrays: one row of codes for each image, and the factors of the image in the same order.
"""

import sys

import numpy as np

SIDE = 32
NAMES = ("x", "y", "size")


def squares():
    """Return images (n, side, side) of white squares, and their factors (n, 3), one image for each combination."""
    factors = np.stack(np.meshgrid(range(8), range(8), range(4), indexing="ij"), axis=-1).reshape(-1, 3)
    images = np.zeros((len(factors), SIDE, SIDE), np.uint8)
    for image, (x, y, size) in zip(images, factors, strict=True):
        width = 3 + 2 * size
        image[3 * y : 3 * y + width, 3 * x : 3 * x + width] = 255
    return images, factors


def principal_components(images, latents=6):
    """Return the codes (n, latents): the coordinates along the directions of largest variance."""
    pixels = images.reshape(len(images), -1) / 255
    centred = pixels - pixels.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[:latents].T


if __name__ == "__main__":
    images, factors = squares()
    np.savez(
        sys.argv[1],
        codes=principal_components(images),
        factors=factors,
        factor_names=np.array(NAMES),
        images=images,  # optional
    )
