"""What a method's networks must fit: the images, the latents, the classes; and how they are made. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What networks are to be.

    Shape of the images (height, width, channels), number of latents, number of classes given to the decoder (0: none),
    and the settings `network` and `normalisation`, names in `engine.networks.architectures`.
    """

    image_shape: tuple[int, int, int]
    latents: int
    classes: int
    network: str
    normalisation: str
