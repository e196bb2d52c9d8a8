"""Room: a coloured shape in a coloured room, 480,000 images with the factors of Shapes3D, drawn on this machine.

Not Shapes3D, whose images are other ones: this one is for trying colour and ground truth without a download, and its
results must not be compared with published ones.

For each of the 480 combinations of scale, shape and orientation, rays are cast once, nine a pixel; the copy in the
cache holds how much of the floor's, the wall's and the object's colour each pixel has, and how much white. The colours
are put in when an image is asked for, with integers alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.cache import require_space
from engine.data.dataset import Dataset, Images, Indices
from engine.data.shapes3d import SHAPES, SIZES, factors
from engine.errors import DataError, NotPreparedError
from engine.jobs.events import Finished, Job, Progress
from engine.settings.folders import data_cache
from engine.system.files import replacing

SIDE, FINE = 64, 3
"""Side of an image, and rays per pixel in each direction."""

COUNT = int(np.prod(SIZES))
LAYOUTS = int(np.prod(SIZES[3:]))
PARTS = 4
"""Floor, wall, object, white."""

WALL = 2.6
"""Distance of the four walls from the middle of the room, where the object stands on the floor."""

DISTANCE, HEIGHT, TARGET, VIEW = 2.43, 1.27, 0.52, 0.66
"""Of the camera from the middle, and above the floor; the height it looks at; half its view at unit distance."""

LIGHT = np.array([-0.43, -0.31, 0.85]) / np.linalg.norm([-0.43, -0.31, 0.85])
"""Direction to the light, seen from the camera's middle orientation."""

Rays = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Colours the layouts, uint8 (480, 4, 64, 64)."""

    layouts: NDArray[np.uint8]

    def __len__(self) -> int:
        return COUNT

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        *hues, layout = np.unravel_index(indices, (*SIZES[:3], LAYOUTS))
        parts = self.layouts[layout]
        weights = parts[:, :3].astype(np.uint16)
        colours = np.stack([HUES[hue] for hue in hues], axis=1)[..., None, None]  # (n, parts, channels, 1, 1)
        images = np.empty((len(indices), SIDE, SIDE, 3), np.uint8)
        for channel in range(3):
            mixed = weights[:, 0] * colours[:, 0, channel]
            mixed += weights[:, 1] * colours[:, 1, channel]
            mixed += weights[:, 2] * colours[:, 2, channel]
            mixed += 255
            mixed >>= 8
            images[..., channel] = mixed.astype(np.uint8) + parts[:, 3]
        return images


def _hues() -> NDArray[np.uint16]:
    """The ten hues, from red around the circle, (10, 3)."""
    around = np.arange(SIZES[0]) * 6 / 10
    channels = [np.clip(np.abs((around + shift) % 6 - 3) - 1, 0, 1) for shift in (0, 4, 2)]
    return np.round(255 * np.stack(channels, axis=1)).astype(np.uint16)


HUES = _hues()


def prepare() -> Job:
    """Draw the layouts into the cache, with progress. Raises DataError."""
    path = _file()
    if not is_drawn():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            require_space(path.parent, LAYOUTS * PARTS * SIDE**2, "Room")
            with replacing(path) as temporary, temporary.open("wb") as out:
                for number, layout in enumerate(_layouts(), 1):
                    out.write(layout.data)
                    yield Progress(number, LAYOUTS, "Drawing Room", "layouts")
        except OSError as error:
            raise DataError(f"Room cannot be written to {path.parent}: {error.strerror or error}.") from None
    yield Finished(message="Room is ready")


def load() -> Dataset:
    """Open the data set. `prepare` must have run; raises DataError otherwise."""
    if not is_drawn():
        raise NotPreparedError("Room is not prepared yet. Run: python main.py datasets prepare room")
    try:
        layouts = np.fromfile(_file(), np.uint8).reshape(LAYOUTS, PARTS, SIDE, SIDE)
    except OSError as error:
        raise DataError(f"{_file()} cannot be read: {error.strerror or error}.") from None
    known = factors()
    return Dataset(
        name="room",
        title="Room",
        store=Rooms(layouts),
        image_shape=(SIDE, SIDE, 3),
        splits={"all": np.arange(COUNT)},
        source="drawn on this machine",
        labels=np.arange(COUNT) // SIZES[5] % SIZES[4],
        label_names=SHAPES,
        factors=known,
    )


def is_drawn() -> bool:
    """Return whether all layouts are in the cache."""
    path = _file()
    return path.is_file() and path.stat().st_size == LAYOUTS * PARTS * SIDE**2


def cached_files() -> list[Path]:
    """Return this data set's files in the cache."""
    return [*data_cache().glob("room-*.layouts")]


def _file() -> Path:
    return data_cache() / "room-v1.layouts"


def _layouts() -> Iterator[NDArray[np.uint8]]:
    *_, scales, shapes, angles = factors().values
    for scale in scales:
        for shape in range(len(shapes)):
            for angle in angles:
                yield layout(float(scale), shape, float(angle))


def layout(scale: float, shape: int, angle: float) -> NDArray[np.uint8]:
    """Cast the rays of one layout: how much of floor, wall, object and white each pixel has, uint8 (4, 64, 64).

    `angle` is that of the camera around the middle of the room, in degrees.
    """
    camera, rays = _camera(np.radians(angle))
    distance, normal = INTERSECT[SHAPES[shape]](camera, rays, scale)
    hit = np.isfinite(distance)
    to_wall = _walls(camera, rays)
    with np.errstate(divide="ignore"):
        to_floor = np.where(rays[:, 2] < 0, -camera[2] / rays[:, 2], np.inf)
    on_floor = ~hit & (to_floor < to_wall)
    shares = np.zeros((PARTS, len(rays)))
    shares[0, on_floor] = _floor_light(camera + to_floor[on_floor, None] * rays[on_floor], scale)
    on_wall = ~hit & ~on_floor
    shares[1, on_wall] = _wall_light(camera + to_wall[on_wall, None] * rays[on_wall])
    turned = _turned(LIGHT, np.radians(angle))
    diffuse = np.clip(normal[hit] @ turned, 0, 1)
    mirrored = 2 * (normal[hit] @ turned)[:, None] * normal[hit] - turned
    shine = 0.3 * np.clip(-(mirrored * rays[hit]).sum(1), 0, 1) ** 24
    shares[2, hit] = (1 - shine) * (0.38 + 0.6 * diffuse)
    shares[3, hit] = shine
    fine = shares.reshape(PARTS, SIDE, FINE, SIDE, FINE).mean(axis=(2, 4))
    found: NDArray[np.uint8] = np.floor(255 * fine).astype(np.uint8)
    return found


def _turned(vector: Rays, angle: float) -> Rays:
    """A vector turned about the vertical."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = vector
    return np.array([cos * x - sin * y, sin * x + cos * y, z])


def _camera(angle: float) -> tuple[Rays, Rays]:
    """The camera's place and the unit directions of its rays, (rays, 3), row by row from the top left.

    At angle 0 it faces a corner of the room.
    """
    place = _turned(np.array([-DISTANCE, 0.0, HEIGHT]), angle + np.pi / 4)
    ahead = np.array([0, 0, TARGET]) - place
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    steps = VIEW * (2 * (np.arange(SIDE * FINE) + 0.5) / (SIDE * FINE) - 1)
    across, down = np.meshgrid(steps, steps)
    rays = ahead + across.reshape(-1, 1) * right - down.reshape(-1, 1) * up
    return place, rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _walls(camera: Rays, rays: Rays) -> Rays:
    """Distance to the nearest wall along each ray, from inside the room."""
    with np.errstate(divide="ignore"):
        each = (np.sign(rays[:, :2]) * WALL - camera[:2]) / rays[:, :2]
    nearest: Rays = np.where(rays[:, :2] == 0, np.inf, each).min(axis=1)
    return nearest


def _floor_light(points: Rays, scale: float) -> Rays:
    """Brightness of the floor: a soft shadow under the object."""
    shadow = np.exp(-(points[:, :2] ** 2).sum(axis=1) / (0.65 * scale) ** 2)
    light: Rays = 0.92 - 0.45 * shadow
    return light


def _wall_light(points: Rays) -> Rays:
    """Brightness of the walls: different on neighbouring ones, and a little darker towards the floor."""
    along_x = np.abs(points[:, 0]) > np.abs(points[:, 1])
    light: Rays = np.where(along_x, 0.78, 0.62) + 0.06 * np.clip(points[:, 2], 0, 2)
    return light


def _nearest(*hits: tuple[Rays, Rays]) -> tuple[Rays, Rays]:
    """The nearest of several hits of each ray: distance, infinite without one, and normal."""
    distance = np.stack([each[0] for each in hits])
    normal = np.stack([each[1] for each in hits])
    which = distance.argmin(axis=0)
    rows = np.arange(distance.shape[1])
    return distance[which, rows], normal[which, rows]


def _sphere(camera: Rays, rays: Rays, radius: float, height: float) -> tuple[Rays, Rays]:
    """Where rays hit a sphere at a height above the middle of the floor."""
    centre = np.array([0, 0, height])
    towards = rays @ (centre - camera)
    rest = radius**2 - ((centre - camera) ** 2).sum() + towards**2
    distance = np.where(rest > 0, towards - np.sqrt(np.clip(rest, 0, None)), np.inf)
    points = camera + np.where(np.isfinite(distance), distance, 0)[:, None] * rays
    return distance, (points - centre) / radius


def _tube(camera: Rays, rays: Rays, radius: float, low: float, high: float) -> tuple[Rays, Rays]:
    """Where rays hit the side of an upright cylinder."""
    a = (rays[:, :2] ** 2).sum(axis=1)
    b = rays[:, :2] @ camera[:2]
    rest = b**2 - a * ((camera[:2] ** 2).sum() - radius**2)
    distance = (-b - np.sqrt(np.clip(rest, 0, None))) / a
    points = camera + distance[:, None] * rays
    hit = (rest > 0) & (distance > 0) & (points[:, 2] >= low) & (points[:, 2] <= high)
    normal = points / radius * np.array([1, 1, 0])
    return np.where(hit, distance, np.inf), normal


def _cylinder(camera: Rays, rays: Rays, scale: float) -> tuple[Rays, Rays]:
    radius, height = 0.46 * scale, 0.98 * scale
    with np.errstate(divide="ignore"):
        to_top = (height - camera[2]) / rays[:, 2]
    points = camera + to_top[:, None] * rays
    inside = (to_top > 0) & ((points[:, :2] ** 2).sum(axis=1) <= radius**2)
    top = np.where(inside, to_top, np.inf), np.broadcast_to(np.array([0.0, 0, 1]), rays.shape)
    return _nearest(_tube(camera, rays, radius, 0, height), top)


def _capsule(camera: Rays, rays: Rays, scale: float) -> tuple[Rays, Rays]:
    radius, height = 0.36 * scale, 1.2 * scale
    ends = (_sphere(camera, rays, radius, at) for at in (radius, height - radius))
    return _nearest(_tube(camera, rays, radius, radius, height - radius), *ends)


def _cube(camera: Rays, rays: Rays, scale: float) -> tuple[Rays, Rays]:
    half = 0.44 * scale
    centre = np.array([0, 0, half])
    with np.errstate(divide="ignore"):
        enter = (centre - np.sign(rays) * half - camera) / rays
        leave = (centre + np.sign(rays) * half - camera) / rays
    face = enter.argmax(axis=1)
    distance = enter.max(axis=1)
    hit = (distance > 0) & (distance < leave.min(axis=1))
    normal = np.zeros_like(rays)
    rows = np.arange(len(rays))
    normal[rows, face] = -np.sign(rays[rows, face])
    return np.where(hit, distance, np.inf), normal


INTERSECT = {
    "cube": _cube,
    "cylinder": _cylinder,
    "sphere": lambda camera, rays, scale: _sphere(camera, rays, 0.54 * scale, 0.54 * scale),
    "capsule": _capsule,
}
