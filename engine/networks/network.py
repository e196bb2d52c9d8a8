"""What a network is: a pair of encoder and decoder that methods train, and what can be said of it. Loads no torch."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from engine.networks.spec import NetworkSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

SIDES = (28, 32, 64, 128)
"""Sides in pixels that images may have: MNIST's and the digits', own pictures', dSprites'."""

CHANNELS = (1, 3)
"""Channels that images may have: grey, RGB."""


class Network(ABC):
    """A pair of encoder and decoder to choose.

    `title` names it, `about` is a sentence of help. `sides` and `channels` are those of the images it takes;
    `normalises` says whether it looks at the setting `normalisation`: it then takes "none", "batch" and "group".
    """

    title: str
    about: str
    sides: tuple[int, ...] = SIDES
    channels: tuple[int, ...] = CHANNELS
    normalises: bool = False

    @abstractmethod
    def encoder(self, spec: NetworkSpec) -> "nn.Module":
        """Make a module from images (n, channels, side, side) in 0..1 to mean and log-variance, each (n, latents)."""

    @abstractmethod
    def decoder(self, spec: NetworkSpec) -> "nn.Module":
        """Make a module from latents and one-hot label, (n, latents + classes), to logits (n, channels, side, side)."""

    @abstractmethod
    def encoder_words(self, side: int, normalisation: str) -> str:
        """Return what the encoder has, for a methods section: "two layers of 400 units, each with ReLU".

        A side of 0 is not known.
        """

    @abstractmethod
    def decoder_words(self) -> str:
        """Return what the decoder does, for a methods section: "mirrors it"."""

    def initialise(self, networks: "nn.Module", generator: "torch.Generator") -> None:
        """Draw the weights of a method's networks: linear layers and convolutions from the generator, as PyTorch does.

        Other layers keep what they were made with, which is a function of the run's seed too.
        """
        from engine.networks.vae import initialise

        initialise(networks, generator, glorot=False)

    def lacking(self, dataset: str, image_shape: tuple[int, ...]) -> str:
        """Say what a data set of this title has that it does not take; empty where it takes images of this shape.

        `image_shape` is height, width and channels, as far as they are known.
        """
        if image_shape and (image_shape[0] not in self.sides or image_shape[1] != image_shape[0]):
            taken, found = f"images of {_or(self.sides)} pixels", f"images of {image_shape[0]} × {image_shape[1]}"
        elif len(image_shape) > 2 and image_shape[2] not in self.channels:
            taken, found = (
                f"{'grey' if grey else 'colour'} images" for grey in (1 in self.channels, image_shape[2] == 1)
            )
        else:
            return ""
        return f"The network {self.title} takes {taken}, and {dataset} has {found}. Choose another network."


def _or(numbers: tuple[int, ...]) -> str:
    return " or ".join(filter(None, [", ".join(map(str, numbers[:-1])), str(numbers[-1])]))
