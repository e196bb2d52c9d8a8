"""Latent space: starting points, walks, and models whose data set is gone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from engine.errors import CheckpointError, ConfigError, DataError, RunError
from engine.networks.spec import NetworkSpec
from engine.networks.vae import VAE
from engine.runs.checkpoints import save_checkpoint
from engine.runs.run import Run
from engine.runs.trained import load_model_with_data_if_present, load_model_without_data
from engine.settings.run_config import RunConfig
from engine.traversal import (
    between,
    class_grid,
    decode,
    difference,
    encode,
    mean_kl,
    start_from_image,
    start_from_picture,
    start_from_prior,
    traverse,
    traverse_from,
    walk,
)

IMAGE = 1600


def test_posteriors_are_the_encoders_and_deviations_are_roots_of_variances(trained):
    indices = np.arange(0, 1700, 13)  # more than one batch
    found = encode(trained, trained.dataset.images(indices))
    images = torch.tensor(trained.dataset.images(indices) / 255, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.no_grad():
        mean, log_variance = trained.model.encode(images)
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)
    np.testing.assert_allclose(found.log_variance, log_variance, atol=1e-5)
    np.testing.assert_allclose(found.deviation**2, np.exp(found.log_variance), rtol=1e-12)
    assert {array.dtype for array in (found.mean, found.deviation, found.log_variance)} == {np.dtype(np.float64)}


def test_a_start_is_an_image_with_its_posterior_and_its_words(conditional):
    start = start_from_image(conditional, IMAGE)
    posterior = encode(conditional, conditional.dataset.images(np.array([IMAGE])))
    np.testing.assert_array_equal(start.original, conditional.dataset.images(np.array([IMAGE]))[0])
    np.testing.assert_array_equal(start.mean, posterior.mean[0])
    np.testing.assert_array_equal(start.deviation, posterior.deviation[0])
    assert (start.label, start.words) == (int(conditional.dataset.labels[IMAGE]), "image 1,600")


def test_a_data_set_image_as_users_picture_gives_the_same_traversal(trained, kl):
    picture = trained.dataset.images(np.array([IMAGE]))[0]
    start = start_from_picture(trained, picture, "drawn")
    assert (start.words, start.label) == ("drawn", None)
    ours, theirs = traverse_from(trained, start, [3], kl, steps=3), traverse(trained, IMAGE, [3], kl, steps=3)
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.original, theirs.original)


def test_a_picture_of_another_shape_is_rejected(trained):
    with pytest.raises(DataError, match=r"\(32, 32, 1\); tiny takes \(28, 28, 1\)"):
        start_from_picture(trained, np.zeros((32, 32, 1), np.uint8), "drawn")


def test_a_start_from_the_prior_is_its_mean_or_a_sample(trained, kl):
    start = start_from_prior(trained)
    assert (start.original, start.words) == (None, "the prior")
    np.testing.assert_array_equal(start.mean, np.zeros(10))
    np.testing.assert_array_equal(start.deviation, np.ones(10))
    result = traverse_from(trained, start, [2], kl, steps=3)
    assert result.original is None
    np.testing.assert_array_equal(result.images[0, 1], decode(trained, np.zeros((1, 10)))[0])
    samples = np.stack([start_from_prior(trained, draw).mean for draw in range(400)])
    # 4,000 numbers of a standard normal: their mean has a deviation of 0.016, their variance of 0.022.
    assert abs(samples.mean()) < 0.08
    assert abs(samples.var() - 1) < 0.11
    np.testing.assert_array_equal(samples[7], start_from_prior(trained, 7).mean)


def test_a_conditional_start_without_an_image_uses_the_given_label_or_the_first(conditional):
    assert start_from_prior(conditional).label == 0
    assert start_from_prior(conditional, label=4).label == 4
    with pytest.raises(ConfigError, match="no label 10"):
        start_from_prior(conditional, label=10)
    picture = conditional.dataset.images(np.array([IMAGE]))[0]
    assert start_from_picture(conditional, picture, "drawn").label == 0
    assert start_from_picture(conditional, picture, "drawn", label=4).label == 4


def test_labels_must_be_given_exactly_to_conditional_models(trained, conditional):
    with pytest.raises(ConfigError, match="tiny is not conditional"):
        decode(trained, np.zeros((1, 10)), np.array([1]))
    with pytest.raises(ConfigError, match="by label is conditional"):
        decode(conditional, np.zeros((1, 10)))


def test_decoding_uses_one_thread_and_does_not_limit_others(trained, monkeypatch):
    seen = []
    plain = trained.model.decode

    def watched(*arguments):
        with ThreadPoolExecutor(1) as other:
            seen.append((torch.get_num_threads(), other.submit(torch.get_num_threads).result()))
        return plain(*arguments)

    monkeypatch.setattr(trained.model, "decode", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        decode(trained, np.zeros((1, 10)))
        assert seen == [(1, 2)]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_class_grid_agrees_with_traversals_of_each_label(conditional):
    start = start_from_image(conditional, IMAGE)
    grid = class_grid(conditional, start, 5, (-2, 1), 3)
    assert grid.shape == (10, 3, 28, 28, 1)
    for label in (0, 9):
        row = traverse_from(conditional, start, [5], np.zeros(10), (-2, 1), 3, label)
        np.testing.assert_array_equal(grid[label], row.images[0])


def test_a_class_grid_needs_classes_and_an_existing_latent(trained, conditional):
    with pytest.raises(ConfigError, match="tiny is not conditional"):
        class_grid(trained, start_from_prior(trained), 0)
    with pytest.raises(ConfigError, match="no latent 10"):
        class_grid(conditional, start_from_prior(conditional), 10)


def test_a_difference_is_the_range_of_each_pixel():
    # By hand, three values of a picture of 1 x 2 pixels.
    images = np.array([[10, 200], [250, 200], [5, 201]], np.uint8).reshape(3, 1, 2, 1)
    np.testing.assert_array_equal(difference(images), np.array([245, 1], np.uint8).reshape(1, 2, 1))


# Walks, against the closed form


def test_a_straight_walk_is_evenly_spaced():
    a, b = np.array([1.0, -2.0]), np.array([3.0, 4.0])
    expected = [[1, -2], [1.5, -0.5], [2, 1], [2.5, 2.5], [3, 4]]
    np.testing.assert_allclose(between(a, b, 5, spherical=False), expected)


def test_a_spherical_walk_on_the_unit_circle_turns_by_equal_angles():
    points = between(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 5, spherical=True)
    angles = np.radians([0, 22.5, 45, 67.5, 90])
    np.testing.assert_allclose(points, np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-12)


def test_a_spherical_walk_has_exact_ends_and_a_norm_that_changes_evenly():
    a, b = np.random.default_rng(0).normal(size=(2, 10)) * [[1], [3]]
    points = between(a, b, 7, spherical=True)
    np.testing.assert_array_equal(points[[0, -1]], [a, b])
    norms = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(norms, np.linspace(np.linalg.norm(a), np.linalg.norm(b), 7))
    unit = points / norms[:, None]
    turns = np.arccos((unit[1:] * unit[:-1]).sum(axis=1))
    np.testing.assert_allclose(turns, turns[0])


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0], [1.0, 2.0]])
def test_a_spherical_walk_without_a_unique_arc_is_straight(b):
    # Parallel, opposite, the origin, the same point.
    a, b = np.array([1.0, 2.0]), np.array(b)
    for one, other in ((a, b), (b, a)):
        np.testing.assert_allclose(
            between(one, other, 4, spherical=True), between(one, other, 4, spherical=False), atol=1e-9
        )


@pytest.mark.parametrize("spherical", [False, True])
def test_a_walk_leads_from_one_reconstruction_to_the_other(conditional, spherical):
    a, b = start_from_image(conditional, 10), start_from_image(conditional, IMAGE)
    assert a.label != b.label
    pictures = walk(conditional, a, b, 5, spherical=spherical)
    assert pictures.shape == (5, 28, 28, 1)
    for start, picture in ((a, pictures[0]), (b, pictures[-1])):
        own = decode(conditional, start.mean[None], np.array([start.label]))[0]
        np.testing.assert_array_equal(picture, own)


def test_a_walk_has_the_label_of_the_nearer_end_and_in_the_middle_that_of_the_other(label_alone):
    a, b = start_from_image(label_alone, 10), start_from_image(label_alone, IMAGE)
    of_a, of_b = decode(label_alone, np.zeros((2, 10)), np.array([a.label, b.label]))
    pictures = walk(label_alone, a, b, 5, spherical=False)
    np.testing.assert_array_equal(pictures, np.stack([of_a, of_a, of_b, of_b, of_b]))


# Without the data set


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [28, 32, 64, 128])
def test_image_shape_and_classes_follow_from_the_weights(tmp_path, side, channels, classes):
    run = Run.create(
        tmp_path,
        RunConfig.parse(
            {"dataset": "images", "data_folder": tmp_path / "gone", "latents": 7, "conditional": classes > 0}
        ),
    )
    spec = NetworkSpec((side, side, channels), 7, classes, run.config.network, run.config.normalisation)
    save_checkpoint(run.checkpoint_folder, 5, VAE(spec), {})
    trained = load_model_without_data(run)
    assert trained.model.image_shape == (side, side, channels)
    assert (trained.model.classes, trained.dataset.classes, trained.step) == (classes, classes, 5)
    assert (len(trained.dataset), trained.has_data) == (0, False)


def test_without_its_data_a_model_still_decodes_and_encodes_the_same(trained, tiny_run):
    bare = load_model_without_data(tiny_run)
    z = np.random.default_rng(0).normal(size=(3, 10))
    np.testing.assert_array_equal(decode(bare, z), decode(trained, z))
    picture = trained.dataset.images(np.array([IMAGE]))
    np.testing.assert_array_equal(encode(bare, picture).mean, encode(trained, picture).mean)
    assert bare.dataset.title == "MNIST"
    with pytest.raises(ConfigError, match="no image 0; MNIST has 0"):
        start_from_image(bare, 0)


def test_without_its_data_kl_is_the_last_logged_value(tiny_run):
    last = tiny_run.metrics_file.read_text().splitlines()[-1].split(",")
    assert last[0] == "60"
    np.testing.assert_allclose(mean_kl(load_model_without_data(tiny_run)), [float(v) for v in last[7:]])


def test_kl_of_kept_weights_is_from_their_step_and_zero_without_curves(tiny_copy):
    lines = tiny_copy.metrics_file.read_text().splitlines()
    model = load_model_without_data(tiny_copy)
    save_checkpoint(tiny_copy.checkpoint_folder, 35, model.model.networks, {})
    expected = [float(v) for v in next(line for line in lines if line.startswith("30,")).split(",")[7:]]
    np.testing.assert_allclose(mean_kl(load_model_without_data(tiny_copy)), expected)
    tiny_copy.metrics_file.unlink()
    np.testing.assert_array_equal(mean_kl(load_model_without_data(tiny_copy)), np.zeros(10))


def test_a_run_is_loaded_without_its_data_only_if_they_are_gone(tmp_path, tiny_copy):
    trained, missing = load_model_with_data_if_present(tiny_copy)
    assert (trained.has_data, missing) == (True, "")
    tiny_copy.config = tiny_copy.config.changed(data_folder=tmp_path / "gone")
    trained, missing = load_model_with_data_if_present(tiny_copy)
    assert not trained.has_data
    assert "gone does not exist" in missing


def test_nothing_is_drawn_or_downloaded_to_start_from_the_prior(tiny_copy, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny_copy.config = tiny_copy.config.changed(data_folder=None)
    trained, missing = load_model_with_data_if_present(tiny_copy)
    assert not trained.has_data
    assert missing == "MNIST: needs download (or choose a folder)."
    assert list(tmp_path.rglob("*.gz*")) == []


def test_weights_that_fit_no_network_of_the_settings_are_rejected(tiny_copy):
    tiny_copy.config = tiny_copy.config.changed(latents=9)
    with pytest.raises(CheckpointError, match="do not fit its settings"):
        load_model_without_data(tiny_copy)


def test_weights_of_a_diverged_run_get_a_message(tiny_copy):
    broken = load_model_without_data(tiny_copy)
    with torch.no_grad():
        broken.model.networks.encoder.statistics.bias.fill_(float("nan"))
    with pytest.raises(RunError, match="not numbers"):
        start_from_picture(broken, np.zeros((28, 28, 1), np.uint8), "drawn")
