"""Latent traversals as arrays: decoded images as one latent varies and the others stay fixed."""

from engine.traversal.coding import Posterior, decode, encode
from engine.traversal.grid import (
    LatentKL,
    Traversal,
    choose_latents,
    class_grid,
    difference,
    latent_kl,
    mean_kl,
    traverse,
    traverse_from,
)
from engine.traversal.start import Start, label_named, start_from_image, start_from_picture, start_from_prior
from engine.traversal.walk import between, path, walk, ways

__all__ = [
    "LatentKL",
    "Posterior",
    "Start",
    "Traversal",
    "between",
    "choose_latents",
    "class_grid",
    "decode",
    "difference",
    "encode",
    "label_named",
    "latent_kl",
    "mean_kl",
    "path",
    "start_from_image",
    "start_from_picture",
    "start_from_prior",
    "traverse",
    "traverse_from",
    "walk",
    "ways",
]
