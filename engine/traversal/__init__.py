"""Latent traversals as arrays: decoded images as one latent varies and the others stay fixed."""

from engine.traversal.coding import Posterior, decode, encode
from engine.traversal.directions import find_direction
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
from engine.traversal.groups import Grouping, groupings
from engine.traversal.latent_map import (
    UMAP_MISSING,
    Codes,
    Plane,
    codes_of,
    find_codes,
    find_manifold,
    find_umap,
    has_umap,
    inside,
    mosaic,
    plane_of_latents,
)
from engine.traversal.nearest import Nearest, find_nearest
from engine.traversal.samples import Samples, draw_samples
from engine.traversal.start import Start, label_named, start_from_image, start_from_picture, start_from_prior
from engine.traversal.walk import between, path, walk, ways

__all__ = [
    "UMAP_MISSING",
    "Codes",
    "Grouping",
    "LatentKL",
    "Nearest",
    "Plane",
    "Posterior",
    "Samples",
    "Start",
    "Traversal",
    "between",
    "choose_latents",
    "class_grid",
    "codes_of",
    "decode",
    "difference",
    "draw_samples",
    "encode",
    "find_codes",
    "find_direction",
    "find_manifold",
    "find_nearest",
    "find_umap",
    "groupings",
    "has_umap",
    "inside",
    "label_named",
    "latent_kl",
    "mean_kl",
    "mosaic",
    "path",
    "plane_of_latents",
    "start_from_image",
    "start_from_picture",
    "start_from_prior",
    "traverse",
    "traverse_from",
    "walk",
    "ways",
]
