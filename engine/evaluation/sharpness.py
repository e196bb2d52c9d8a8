"""Sharpness of an image: the variance of its Laplacian.

J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. The report gives it for
reconstructions of MNIST (Table 1), without the scale of its images.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

PROTOCOL = "variance of the Laplacian (cv2.Laplacian, aperture 1, float64) of images in 0..255, mean over images"


def laplacian_variance(images: NDArray[np.floating | np.uint8]) -> NDArray[np.float64]:
    """Return the variance of the Laplacian of each image, (n,), in squared grey levels.

    Parameters
    ----------
    images
        (n, height, width, channels), 0..255, not rounded. Channels are averaged first.
    """
    grey = np.asarray(images, dtype=np.float64).mean(axis=-1)
    return np.array([cv2.Laplacian(image, cv2.CV_64F, ksize=1).var() for image in grey], dtype=np.float64)
