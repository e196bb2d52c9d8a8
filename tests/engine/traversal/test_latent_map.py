"""The latent map: principal components, planes, the manifold, groups, the lasso, UMAP, and the files it is saved as."""

import csv

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image
from sklearn.decomposition import PCA

from engine.data import Dataset, Factors
from engine.data.dataset import ArrayStore
from engine.errors import ConfigError
from engine.export.latent_map import Manifold, MapPicture
from engine.export.traversal import Look
from engine.methods.latents import Latent
from engine.traversal import decode, encode, find_codes, find_manifold, find_umap, inside, mosaic, plane_of_latents
from engine.traversal.groups import Grouping, groupings
from engine.traversal.latent_map import Codes, principal_plane

GAUSSIAN = (Latent.gaussian(),) * 5


def finished(job):
    """Return the result of a job."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def means():
    """A cloud with five standard deviations, turned and moved away from 0."""
    rng = np.random.default_rng(3)
    turned, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    return rng.normal(size=(400, 5)) * [3, 2, 1, 0.5, 0.1] @ turned + [1, -2, 0, 3, 0]


@pytest.fixture(scope="module")
def codes(trained):
    return finished(find_codes(trained))


def test_principal_components_are_those_of_scikit_learn(means):
    plane, theirs = principal_plane(means, GAUSSIAN), PCA(2).fit(means)
    np.testing.assert_allclose(plane.centre, theirs.mean_)
    np.testing.assert_allclose(plane.share, theirs.explained_variance_ratio_)
    signs = np.sign((plane.axes * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(plane.axes, theirs.components_ * signs[:, None], atol=1e-10)
    np.testing.assert_allclose(plane.points(means), theirs.transform(means) * signs, atol=1e-9)
    assert (np.take_along_axis(plane.axes, np.abs(plane.axes).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_categories_have_no_part_in_principal_components(means):
    categories = np.random.default_rng(0).integers(10, size=len(means))
    mixed = np.column_stack([100.0 * categories, means])
    plane = principal_plane(mixed, (Latent.categorical(10), *GAUSSIAN))
    assert (plane.axes[:, 0] == 0).all()
    np.testing.assert_allclose(plane.axes[:, 1:], principal_plane(means, GAUSSIAN).axes, atol=1e-10)


def test_there_is_no_plane_where_fewer_than_two_dimensions_vary(means):
    line = np.outer(means[:, 0], np.ones(5))
    assert principal_plane(line, GAUSSIAN) is None
    assert principal_plane(np.ones((10, 5)), GAUSSIAN) is None


@pytest.mark.parametrize("kind", ["latents", "principal"])
def test_moving_a_code_in_a_plane_changes_nothing_across_it(means, kind):
    plane = plane_of_latents(3, 1, 5) if kind == "latents" else principal_plane(means, GAUSSIAN)
    z, goal = means[:7], np.random.default_rng(1).normal(size=(7, 2))
    moved = plane.move(z, goal)
    np.testing.assert_allclose(plane.points(moved), goal)
    across = np.eye(5) - plane.axes.T @ plane.axes  # the projection onto what the plane leaves out
    np.testing.assert_allclose((moved - z) @ across, 0, atol=1e-12)
    if kind == "latents":
        np.testing.assert_allclose(moved[:, [3, 1]], goal)
        np.testing.assert_array_equal(moved[:, [0, 2, 4]], z[:, [0, 2, 4]])


def test_a_plane_needs_two_latents_that_exist():
    for pair in ((2, 2), (0, 5), (-1, 0)):
        with pytest.raises(ConfigError, match="two different latents"):
            plane_of_latents(*pair, 5)


def test_codes_are_the_encoders_means_of_the_test_images(trained, codes):
    np.testing.assert_array_equal(codes.images, trained.dataset.splits["test"])
    expected = encode(trained, trained.dataset.images(codes.images)).mean
    np.testing.assert_allclose(codes.means, expected, atol=2e-5)
    assert codes.words == "297 test images, step 60"
    [by_class] = codes.groupings
    np.testing.assert_array_equal(by_class.numbers, trained.dataset.labels[codes.images])


def test_the_manifold_has_the_highest_row_first_and_keeps_other_latents(trained, codes):
    z = codes.means[5].astype(float)
    tiles = finished(find_manifold(trained, plane_of_latents(4, 2, 10), z, (-1.0, 0.0, 2.0), (-3.0, 1.5), None))
    assert tiles.shape == (2, 3, 28, 28, 1)
    for row, up in enumerate((1.5, -3.0)):
        for column, across in enumerate((-1.0, 0.0, 2.0)):
            wanted = z.copy()
            wanted[4], wanted[2] = across, up
            np.testing.assert_array_equal(tiles[row, column], decode(trained, wanted[None])[0])
    whole = mosaic(tiles)
    assert whole.shape == (56, 84)
    np.testing.assert_array_equal(whole[28:, 56:], tiles[1, 2, ..., 0])


def test_the_lasso_selects_what_matplotlib_finds_inside():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, 2))
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    star = np.column_stack([np.cos(angles), np.sin(angles)]) * np.where(np.arange(40) % 2, 0.9, 0.3)[:, None]
    np.testing.assert_array_equal(inside(points, star), Polygon(star).contains_points(points))
    assert 0 < inside(points, star).sum() < 500


def test_images_are_grouped_by_class_and_by_every_factor_that_varies():
    factors = Factors(("shape", "size", "side"), (np.array([1.0, 2.0]), np.array([0.1, 0.2, 0.3]), np.array([0.0])),
                      {"shape": ("square", "heart")})  # fmt: skip
    images = np.zeros((6, 8, 8, 1), np.uint8)
    labels = np.array([0, 0, 1, 1, 1, 1])
    data = Dataset("toy", "Toy", ArrayStore(images), (8, 8, 1), {"all": np.arange(6)}, "", labels, ("a", "b"), factors)
    by_class, shape, size = groupings(data, np.array([1, 3, 5]))
    assert (by_class.title, by_class.names, by_class.ordered) == ("class", ("a", "b"), False)
    assert by_class.numbers.tolist() == [0, 1, 1]
    assert (shape.names, shape.ordered, shape.numbers.tolist()) == (("square", "heart"), False, [0, 1, 1])
    assert (size.names, size.ordered, size.numbers.tolist()) == (("0.1", "0.2", "0.3"), True, [1, 0, 2])
    assert size.counts(np.array([True, False, True])).tolist() == [0, 1, 1]


FAKE = """
import numpy as np


class UMAP:
    def __init__(self, random_state):
        self.seed = random_state

    def fit_transform(self, means):
        return np.column_stack([means.sum(axis=1), np.full(len(means), self.seed)])
"""


def test_umap_is_another_packages_in_a_process_of_its_own(tmp_path, monkeypatch, means):
    grouping = Grouping("class", ("a",), np.zeros(len(means), np.int64))
    mixed = np.column_stack([np.full(len(means), 100.0), means]).astype(np.float32)
    codes = Codes(np.arange(len(means)), mixed, (grouping,), "all", len(means), 1, None)
    kinds = (Latent.categorical(10), *GAUSSIAN)
    monkeypatch.setattr("engine.traversal.latent_map.has_umap", lambda: False)
    with pytest.raises(ConfigError, match="pip install umap-learn"):
        finished(find_umap(codes, kinds))
    (tmp_path / "umap.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("engine.traversal.latent_map.has_umap", lambda: True)
    points = finished(find_umap(codes, kinds))
    np.testing.assert_allclose(points, np.column_stack([means.sum(axis=1), np.zeros(len(means))]), atol=1e-5)


@pytest.fixture
def picture(trained, codes):
    plane = plane_of_latents(4, 2, 10)
    tiles = finished(find_manifold(trained, plane, codes.means[0].astype(float), (-1.0, 1.0), (-1.0, 1.0), None))
    selected = codes.groupings[0].numbers == 3
    return MapPicture(codes, plane.points(codes.means), ("z4", "z2"), codes.groupings[0], np.ones(297, bool), selected,
                      Manifold(tiles, (-2.0, 2.0, -2.0, 2.0)), "about")  # fmt: skip


def test_the_points_are_saved_as_a_table_and_as_arrays(picture, codes, trained, tmp_path):
    picture.save(tmp_path / "map.csv", Look())
    with (tmp_path / "map.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 297
    row = rows[100]
    assert int(row["image"]) == codes.images[100]
    assert float(row["x"]) == pytest.approx(float(codes.means[100, 4]), rel=1e-4)
    assert float(row["z7"]) == pytest.approx(float(codes.means[100, 7]), rel=1e-4)
    assert row["class"] == trained.dataset.label_names[trained.dataset.labels[codes.images[100]]]
    assert sum(int(row["selected"]) for row in rows) == (trained.dataset.labels[codes.images] == 3).sum()

    picture.save(tmp_path / "map.npz", Look())
    with np.load(tmp_path / "map.npz") as arrays:
        np.testing.assert_array_equal(arrays["means"], codes.means)
        np.testing.assert_array_equal(arrays["manifold"], picture.manifold.tiles)
        assert arrays["axes"].tolist() == ["z4", "z2"]


def test_the_map_is_saved_as_a_figure_with_and_without_labels(picture, tmp_path):
    picture.save(tmp_path / "map.png", Look(width=10, dpi=100))
    with Image.open(tmp_path / "map.png") as image:
        assert abs(image.width - 394) <= 1  # 10 cm
        assert image.info["Description"] == "about"
    picture.save(tmp_path / "map.svg", Look(labels=False))
    assert "about" not in (tmp_path / "map.svg").read_text().split("</metadata>")[1]
    with pytest.raises(ConfigError, match="known format"):
        picture.save(tmp_path / "map.gif", Look())
