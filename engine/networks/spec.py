"""The shapes and settings that a method's networks must fit. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The shapes and settings that networks must fit.

    These are the shape of the images (height, width, channels), the number of latents, the number of classes given to
    the decoder (0: none), and the settings `network` and `normalisation`, names in `engine.networks.architectures`.
    """

    image_shape: tuple[int, int, int]
    latents: int
    classes: int
    network: str
    normalisation: str
