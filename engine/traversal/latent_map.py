"""The latent map: posterior means of the data, the planes they are shown in, and images decoded in a plane."""

import importlib.util
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.sampling import sample_of
from engine.jobs.events import Event, Progress, Request
from engine.jobs.processes import Children
from engine.methods.latents import Latent
from engine.runs.trained import TrainedModel
from engine.traversal.coding import decode
from engine.traversal.groups import Grouping, groupings

UMAP_MISSING = "UMAP is not installed. To use it, run “pip install umap-learn” in the same environment, and restart."
UMAP_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane through latent space: its origin `centre`, (latents,), and two orthonormal `axes`, (2, latents).

    `share` is the share of the posterior means' variance along each axis, for principal components.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    share: tuple[float, float] | None = None

    def points(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the coordinates in the plane of latents (n, latents), or (latents,): their projections, (n, 2)."""
        found: NDArray[np.float64] = (np.asarray(z, np.float64) - self.centre) @ self.axes.T
        return found

    def move(self, z: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return latents (n, latents) that project onto `points`, (n, 2), and equal `z` across the plane."""
        moved: NDArray[np.float64] = z + (points - self.points(z)) @ self.axes
        return moved


def plane_of_latents(first: int, second: int, latents: int) -> Plane:
    """Return the plane of two latents. Raises ConfigError unless they are two different ones."""
    if first == second or not (0 <= first < latents and 0 <= second < latents):
        raise ConfigError(f"A map needs two different latents from 0 to {latents - 1}.")
    axes = np.zeros((2, latents))
    axes[0, first] = axes[1, second] = 1
    return Plane(np.zeros(latents), axes)


def principal_plane(means: NDArray[np.floating], kinds: Sequence[Latent]) -> Plane | None:
    """Return the plane of the first two principal components of posterior means, (images, latents).

    By a singular value decomposition of the centred means. Unordered categories are left out, since differences of
    their numbers mean nothing. The sign of each component makes its largest coefficient positive. None if fewer than
    two dimensions vary.
    """
    quantities = np.flatnonzero([kind.quantity for kind in kinds])
    x = np.asarray(means, np.float64)
    centre = x.mean(axis=0)
    centre[[not kind.quantity for kind in kinds]] = 0
    _, singular, components = np.linalg.svd(x[:, quantities] - centre[quantities], full_matrices=False)
    if len(singular) < 2 or singular[1] <= 1e-6 * max(1.0, singular[0]):
        return None
    axes = np.zeros((2, len(kinds)))
    axes[:, quantities] = components[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.sign(axes[[0, 1], largest])[:, None]
    share = singular[:2] ** 2 / (singular**2).sum()
    return Plane(centre, axes, (float(share[0]), float(share[1])))


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Posterior means of a sample of a data set's images.

    `images` are their positions, int64 (n,), out of `of` images of `split`; `means` is float32 (n, latents);
    `groupings` are the groups that the images belong to; `step` is that of the weights. `principal` is the plane of
    the means' principal components, None if they span no plane.
    """

    images: NDArray[np.int64]
    means: NDArray[np.float32]
    groupings: tuple[Grouping, ...]
    split: str
    of: int
    step: int
    principal: Plane | None

    @property
    def words(self) -> str:
        """What the points are, e.g. "10,000 of 60,000 test images, step 5,000"."""
        n, split = len(self.images), "" if self.split == "all" else f"{self.split} "
        return f"{n:,}{f' of {self.of:,}' if n < self.of else ''} {split}images, step {self.step:,}"


def find_codes(trained: TrainedModel) -> Generator[Event, Request | None, Codes]:
    """Return the posterior means of at most 10,000 images of a model's data set, encoded on the model's device.

    Yields Progress in images. Raises ConfigError without the data set, RunError if the weights give values that are not
    finite.
    """
    dataset = trained.dataset
    if not trained.has_data:
        raise ConfigError(f"The data set of {trained.run.name} is not available, so there are no images to encode.")
    split = dataset.headline_split
    images = sample_of(dataset, split)
    posterior = PosteriorMeans(trained)
    yield from posterior.encode(images, "Encoding the images of the map")
    return codes_of(trained, images, posterior.means[images])


def codes_of(trained: TrainedModel, images: NDArray[np.int64], means: NDArray[np.float32]) -> Codes:
    """Return images of the headline split, given by position, (n,), with their posterior means, (n, latents)."""
    dataset, split = trained.dataset, trained.dataset.headline_split
    principal = principal_plane(means, trained.model.kinds)
    of = len(dataset.splits[split])
    return Codes(images, means, groupings(dataset, images), split, of, trained.step, principal)


def has_umap() -> bool:
    """Return whether the package umap-learn is installed; it is optional."""
    return importlib.util.find_spec("umap") is not None


def find_umap(codes: Codes, kinds: Sequence[Latent]) -> Generator[Event, Request | None, NDArray[np.float64]]:
    """Return UMAP's embedding of posterior means in two dimensions, (images, 2), with its default settings and a seed.

    McInnes et al. 2018, by umap-learn, in a child process that ends at once when the job is cancelled. Unordered
    categories are left out. Yields Progress. Raises ConfigError if umap-learn is not installed.
    """
    if not has_umap():
        raise ConfigError(UMAP_MISSING)
    quantities = np.flatnonzero([kind.quantity for kind in kinds])
    with Children(1) as children:
        tasks = [(codes.means[:, quantities],)]
        [points] = yield from children.run(umap_points, tasks, "Computing UMAP, about half a minute", "map")
    found: NDArray[np.float64] = points
    return found


def umap_points(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """Embed means (images, latents) in two dimensions; called in a child process."""
    from umap import UMAP

    points: NDArray[np.float64] = np.asarray(UMAP(random_state=UMAP_SEED).fit_transform(means), np.float64)
    return points


def find_manifold(
    trained: TrainedModel,
    plane: Plane,
    z: NDArray[np.float64],
    across: Sequence[float],
    up: Sequence[float],
    label: int | None,
) -> Generator[Event, Request | None, NDArray[np.uint8]]:
    """Decode a grid of points in a plane, the rest of latent space as in `z`, (latents,).

    `across` and `up` are the coordinates of columns and rows. Returns uint8 (rows, columns, height, width, channels)
    with the highest `up` in the first row. Yields Progress in images. Raises ConfigError if the label is missing or not
    expected.
    """
    rows = []
    for number, height in enumerate(reversed(up)):
        points = np.stack([np.asarray(across, np.float64), np.full(len(across), height)], axis=1)
        codes = plane.move(np.tile(z, (len(across), 1)), points)
        rows.append(decode(trained, codes, None if label is None else np.full(len(codes), label)))
        yield Progress((number + 1) * len(across), len(up) * len(across), "Decoding the manifold", "images")
    return np.stack(rows)


def mosaic(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (rows, columns, height, width, channels) side by side as one, (y, x) or (y, x, 3)."""
    rows, columns, height, width, channels = tiles.shape
    joined = tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    return joined[..., 0] if channels == 1 else joined


def inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points, (n, 2), lie inside a polygon, (corners, 2), by the parity of edges to their right."""
    found = np.zeros(len(points), bool)
    x, y = points.T
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        between = (y1 > y) != (y2 > y)
        if between.any():
            found ^= between & (x < (x2 - x1) * (y - y1) / (y2 - y1 if y2 != y1 else 1.0) + x1)
    return found
