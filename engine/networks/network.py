"""The interface of a network: a pair of encoder and decoder that methods train. Loads no torch."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from engine.networks.spec import NetworkSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

SIDES = (28, 32, 64, 128)
"""Sides that images may have, in pixels."""

CHANNELS = (1, 3)
"""Numbers of channels that images may have: grey, RGB."""


class Network(ABC):
    """A pair of encoder and decoder that can be chosen.

    `about` is a sentence of help. `sides` and `channels` are those of the images that it accepts. `normalises` says
    whether it uses the setting `normalisation`, which is "none", "batch" or "group".
    """

    title: str
    about: str
    sides: tuple[int, ...] = SIDES
    channels: tuple[int, ...] = CHANNELS
    normalises: bool = False

    @abstractmethod
    def encoder(self, spec: NetworkSpec) -> "nn.Module":
        """Return a module from images (n, channels, side, side) in 0..1 to mean and log-variance, each (n, latents)."""

    @abstractmethod
    def decoder(self, spec: NetworkSpec) -> "nn.Module":
        """Return a module from latents and one-hot label (n, latents + classes) to logits (n, channels, side, side)."""

    @abstractmethod
    def encoder_words(self, side: int, normalisation: str) -> str:
        """Return the end of "The encoder has ..." in a methods section, e.g. "two layers of 400 units with ReLU".

        The side is 0 if it is not known.
        """

    @abstractmethod
    def decoder_words(self) -> str:
        """Return the end of "The decoder ..." in a methods section, e.g. "mirrors it"."""

    def initialise(self, networks: "nn.Module", generator: "torch.Generator") -> None:
        """Draw the weights of linear layers and convolutions from the generator, with PyTorch's default distributions.

        Other layers keep their initial weights, which depend only on the run's seed, too.
        """
        from engine.networks.vae import initialise

        initialise(networks, generator, glorot=False)

    def lacking(self, dataset: str, image_shape: tuple[int, ...]) -> str:
        """Say why it does not accept the images of a data set with this title; empty if it does.

        `image_shape` is their height, width and channels, as far as known.
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
