"""Traversals vary the right latent, from the right point, in the order of KL."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.runs.divergence import active_latents
from engine.runs.trained import load_model
from engine.traversal import choose_latents, decode, latent_kl, mean_kl, traverse

IMAGE = 1600


def posterior(trained, indices):
    images = torch.tensor(trained.dataset.images(np.asarray(indices)) / 255, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.no_grad():
        return trained.model.encode(images)


def test_mean_kl_agrees_with_torch_distributions(trained, kl):
    mean, log_variance = posterior(trained, trained.dataset.splits["test"])
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean(0)
    np.testing.assert_allclose(kl, expected, rtol=1e-3, atol=1e-5)


def test_the_image_at_the_posterior_mean_is_the_reconstruction(trained, kl):
    own = posterior(trained, [IMAGE])[0][0]
    for latent in range(10):
        value = float(own[latent])
        result = traverse(trained, IMAGE, [latent], kl, (value, value), 2)
        assert result.values == ((value, value),)
        np.testing.assert_array_equal(result.images[0, 0], result.reconstruction)
        np.testing.assert_array_equal(result.images[0, 1], result.reconstruction)


def test_every_image_decodes_the_posterior_mean_with_one_latent_replaced(trained, kl):
    latents, values = (7, 2), (-2.0, 0.0, 2.0)
    result = traverse(trained, IMAGE, latents, kl, (-2, 2), 3)
    mean = posterior(trained, [IMAGE])[0]
    assert result.images.shape == (2, 3, 28, 28, 1)
    assert result.values == (values, values)
    for row, latent in enumerate(latents):
        for column, value in enumerate(values):
            z = mean.clone()
            z[0, latent] = value
            with torch.no_grad():
                expected = torch.sigmoid(trained.model.logits(z))[0, 0].numpy() * 255
            assert np.abs(result.images[row, column, ..., 0] - expected).max() <= 0.51


def test_original_and_posterior_are_the_images_own(trained, kl):
    result = traverse(trained, IMAGE, [0], kl)
    mean, log_variance = posterior(trained, [IMAGE])
    np.testing.assert_array_equal(result.original, trained.dataset.images(np.array([IMAGE]))[0])
    np.testing.assert_allclose(result.mean, mean[0], atol=1e-5)
    np.testing.assert_allclose(result.deviation, np.exp(log_variance[0].numpy()) ** 0.5, rtol=1e-4)
    assert result.step == 60
    assert result.label is None


def test_the_default_range_is_the_papers(trained, kl):
    # Figures 2 to 5: from -3 to +3.
    [values] = traverse(trained, IMAGE, [0], kl).values
    assert (values[0], values[-1]) == (-3, 3)
    assert np.allclose(np.diff(values), 6 / (len(values) - 1))


def test_latents_are_ordered_by_kl(trained, kl):
    mean, log_variance = posterior(trained, trained.dataset.splits["test"])
    by_hand = (0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)).mean(0).tolist()
    chosen = choose_latents(kl)
    assert sorted(chosen) == list(range(10))
    ordered = [by_hand[latent] for latent in chosen]
    assert all(a >= b - 1e-4 for a, b in pairwise(ordered))
    result = traverse(trained, IMAGE, chosen, kl, steps=2)
    assert result.latents == chosen
    np.testing.assert_allclose(result.kl, ordered, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (1, 3, 2, 0)),
        ({"latents": [0, 3]}, (3, 0)),
        ({"min_kl": 0.5}, (1, 3, 2)),
        ({"min_kl": 3}, ()),
        ({"latents": []}, (1, 3, 2, 0)),
    ],
)
def test_latents_are_chosen_by_name_or_by_kl(arguments, expected):
    # By hand from these KLs.
    assert choose_latents(np.array([0.01, 2.5, 0.5, 1.0]), **arguments) == expected


@pytest.mark.parametrize("latent", [-1, 4, 99])
def test_the_error_for_a_missing_latent_says_how_many_there_are(latent):
    with pytest.raises(ConfigError, match=f"no latent {latent}; the model has 4"):
        choose_latents(np.ones(4), [0, latent])


@pytest.mark.parametrize("image", [-1, 1797, 10**12])
def test_the_error_for_a_missing_image_says_how_many_there_are(trained, kl, image):
    with pytest.raises(ConfigError, match=f"no image {image}; MNIST has 1,797"):
        traverse(trained, image, [0], kl)


def test_decoding_is_deterministic_and_leaves_torchs_random_state_alone(trained, kl):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = traverse(trained, IMAGE, range(10), kl)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second = traverse(trained, IMAGE, range(10), kl)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.reconstruction, second.reconstruction)


def test_an_image_does_not_depend_on_its_batch(trained):
    z = np.random.default_rng(0).normal(0, 2, (11, 10))
    together = decode(trained, z)
    for i in range(11):
        np.testing.assert_array_equal(together[i], decode(trained, z[i : i + 1])[0])
    np.testing.assert_array_equal(together[::-1], decode(trained, z[::-1]))


def test_an_unconditional_model_accepts_no_label(trained, kl):
    with pytest.raises(ConfigError, match="tiny is not conditional"):
        traverse(trained, IMAGE, [0], kl, label=3)


def test_a_conditional_model_decodes_with_the_images_own_label_or_another(conditional):
    kl = mean_kl(conditional)
    own = int(conditional.dataset.labels[IMAGE])
    plain = traverse(conditional, IMAGE, [0], kl, steps=3)
    assert plain.label == own
    np.testing.assert_array_equal(plain.images, traverse(conditional, IMAGE, [0], kl, steps=3, label=own).images)
    other = traverse(conditional, IMAGE, [0], kl, steps=3, label=(own + 1) % 10)
    assert other.label == (own + 1) % 10
    assert not np.array_equal(plain.images, other.images)
    for result in (plain, other):
        made = decode(conditional, result.mean[None], np.array([result.label]))[0]
        np.testing.assert_array_equal(result.reconstruction, made)


@pytest.mark.parametrize("label", [-1, 10])
def test_the_error_for_a_missing_label_says_how_many_there_are(conditional, label):
    with pytest.raises(ConfigError, match=f"no label {label}; MNIST has 10"):
        traverse(conditional, IMAGE, [0], mean_kl(conditional), label=label)


def test_the_kl_of_latents_is_that_of_the_evaluation_of_the_same_weights(tiny_copy, digits_folder):
    # Issue 15: one run had 9 active latents on one page and 5 on another.
    from engine.evaluation.evaluate import evaluate

    dataset = load_dataset("mnist", digits_folder)
    before = latent_kl(load_model(tiny_copy, dataset), images=100)
    assert before.over == "100 of 297 images; evaluate the run for more"
    for _ in evaluate(tiny_copy, ("active_latents",)):
        pass
    kept = tiny_copy.evaluation()
    after = latent_kl(load_model(tiny_copy, dataset), images=100)
    assert after.values.tolist() == kept["kl_per_latent"]
    assert active_latents(after.values) == kept["metrics"]["active_latents"]["value"]
    assert "Metrics page" in after.over
    tiny_copy.write_evaluation(kept | {"checkpoint": "1-of-other-weights"})
    assert latent_kl(load_model(tiny_copy, dataset), images=100).values.tolist() == before.values.tolist()
