"""What a method's networks must fit: the images, the latents, the classes. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Shape of the images (height, width, channels), number of latents, and number of classes given to the decoder."""

    image_shape: tuple[int, int, int]
    latents: int
    classes: int = 0
