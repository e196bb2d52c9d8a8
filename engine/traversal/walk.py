"""The walk between two points in latent space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.methods.latents import Kind, Latent
from engine.runs.trained import TrainedModel
from engine.traversal.coding import decode
from engine.traversal.start import Start

PARALLEL = 1e-6
"""Sine of the angle below which two directions count as the same, or as opposite."""


def ways(latents: Sequence[Latent]) -> tuple[bool, ...]:
    """Return the possible kinds of walk, as whether each is spherical: only if all latents are Gaussian."""
    return (False, True) if all(latent.kind is Kind.GAUSSIAN for latent in latents) else (False,)


def path(trained: TrainedModel, a: Start, b: Start, steps: int, *, spherical: bool) -> NDArray[np.float64]:
    """Return points from one start to the other, (steps, latents), inclusive.

    A category is that of the nearer end, a code the nearest one.
    """
    points = between(a.mean, b.mean, steps, spherical=spherical)
    kinds = trained.model.kinds
    categories = [number for number, latent in enumerate(kinds) if not latent.quantity]
    codes = [number for number, latent in enumerate(kinds) if latent.integer and latent.quantity]
    nearer = np.linspace(0, 1, steps)[:, None] < 0.5
    points[:, categories] = np.where(nearer, a.mean[categories], b.mean[categories])
    points[:, codes] = np.rint(points[:, codes])
    return points


def walk(trained: TrainedModel, a: Start, b: Start, steps: int, *, spherical: bool) -> NDArray[np.uint8]:
    """Decode `path` to images, uint8 (steps, height, width, channels).

    A conditional model receives the label of the nearer end, and that of `b` in the middle.
    """
    labels = None
    if a.label is not None and b.label is not None:
        labels = np.where(np.linspace(0, 1, steps) < 0.5, a.label, b.label)
    return decode(trained, path(trained, a, b, steps, spherical=spherical), labels)


def between(a: NDArray[np.float64], b: NDArray[np.float64], steps: int, *, spherical: bool) -> NDArray[np.float64]:
    """Return points from a to b, (steps, latents), evenly spaced in t = 0..1.

    Linear: (1 - t) a + t b. Spherical: the direction turns at a constant rate, by Shoemake's slerp (SIGGRAPH 1985), and
    the norm changes at a constant rate::

        ((1 - t) |a| + t |b|) * (sin((1 - t) w) a / |a| + sin(t w) b / |b|) / sin(w),    cos(w) = a . b / (|a| |b|)

    In many dimensions, samples of the prior lie near a sphere, which a straight line cuts through. Where no unique arc
    exists, the walk is linear: between parallel or opposite vectors, and from or to the origin.
    """
    t = np.linspace(0, 1, steps)[:, None]
    straight = (1 - t) * a + t * b
    norm_a, norm_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not spherical or norm_a == 0 or norm_b == 0:
        return straight
    angle = float(np.arccos(np.clip(a @ b / (norm_a * norm_b), -1, 1)))
    if np.sin(angle) < PARALLEL:
        return straight
    direction = (np.sin((1 - t) * angle) * a / norm_a + np.sin(t * angle) * b / norm_b) / np.sin(angle)
    points: NDArray[np.float64] = ((1 - t) * norm_a + t * norm_b) * direction
    points[0], points[-1] = a, b
    return points
