"""DC-IGN: its gradients against a slow plain computation, its sign, its batches; the transformations by other means."""

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage

from engine.data import ArrayStore, Dataset, Factors
from engine.errors import ConfigError
from engine.methods.base import Batch, Context, Posterior
from engine.methods.building import build
from engine.methods.dc_ign import clamped
from engine.methods.samplers import Kinds
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.methods.transformations import moved, thickened
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.studies.methods_text import methods_text

SETTINGS = {"dataset": "arrays", "latents": 6, "batch_size": 16}


def made(data, objective="dc-ign", **settings):
    return build(RunConfig.parse(SETTINGS | {"objective": objective} | settings), data).train()


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


# The gradients


def test_active_entries_get_the_true_gradient_and_the_others_only_that_towards_their_average(rng):
    """Step 7 of the paper's procedure, entry by entry; the true gradient by central differences of the plain loss."""
    mean, log_variance = (torch.randn(4, 3, generator=rng, dtype=torch.float64, requires_grad=True) for _ in range(2))
    noise = torch.randn(4, 3, generator=rng, dtype=torch.float64)
    decoder = torch.randn(3, 5, generator=rng, dtype=torch.float64)
    images = torch.rand(4, 5, generator=rng, dtype=torch.float64)
    active = torch.tensor([False, True, False])

    def plain(means, log_variances):
        """Of posteriors as they are: BCE and KL, summed, mean over the batch, in numpy."""
        z = means + np.exp(log_variances / 2) * noise.numpy()
        pixels = 1 / (1 + np.exp(-z @ decoder.numpy()))
        bce = -(images.numpy() * np.log(pixels) + (1 - images.numpy()) * np.log(1 - pixels)).sum(1)
        return (bce + 0.5 * (means**2 + np.exp(log_variances) - 1 - log_variances).sum(1)).mean()

    (of_mean, spread), (of_log_variance, other) = clamped(mean, active), clamped(log_variance, active)
    z = of_mean + (of_log_variance / 2).exp() * noise
    bce = reconstruction_per_image((z @ decoder)[:, None, None], images[:, None, None])
    (bce + kl_per_latent(of_mean, of_log_variance).sum(1)).mean().add(0.01 * (spread + other)).backward()

    values = [of_mean.detach().numpy(), of_log_variance.detach().numpy()]
    np.testing.assert_array_equal(values[0][:, [0, 2]], np.tile(mean.detach().numpy().mean(0)[[0, 2]], (4, 1)))
    for which, tensor in enumerate((mean, log_variance)):
        original = tensor.detach().numpy()
        for image, latent in np.ndindex(4, 3):
            if active[latent]:
                ends = []
                for by in (1e-6, -1e-6):
                    shifted = [value.copy() for value in values]
                    shifted[which][image, latent] += by
                    ends.append(plain(*shifted))
                expected = (ends[0] - ends[1]) / 2e-6
            else:
                expected = 0.01 * (original[image, latent] - original[:, latent].mean()) / 4  # the batch's mean
            assert tensor.grad[image, latent].item() == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_descending_the_penalty_brings_inactive_latents_together_and_leaves_active_ones(rng):
    values = torch.randn(32, 4, generator=rng, requires_grad=True)
    active = torch.tensor([True, False, False, True])
    before = values.detach().clone()
    optimiser = torch.optim.SGD([values], lr=1.0)
    for _ in range(5):
        optimiser.zero_grad()
        clamped(values, active)[1].backward()
        optimiser.step()
    after = values.detach()
    assert torch.equal(after[:, active], before[:, active])
    assert (after[:, ~active].std(0) < 0.9 * before[:, ~active].std(0)).all()
    torch.testing.assert_close(after.mean(0), before.mean(0))  # together, not towards 0


def test_steps_with_a_large_penalty_make_the_network_constant_in_inactive_latents(data, rng):
    """The sign in the whole method: batches of one kind, with and without the penalty, for a few steps of Adam."""
    images, factors = torch.rand(16, 1, 32, 32, generator=rng), torch.zeros(16, 4, dtype=torch.long)
    factors[:, 1] = torch.arange(16) % 4  # x: latent 0
    last = []
    for invariance in (0, 1000):
        method = made(data, invariance=invariance, learning_rate=1e-3)
        optimisers = method.optimisers()
        for step in range(1, 21):
            context = Context(step, 10, 120, torch.Generator().manual_seed(step), optimisers)
            found = method.step(Batch(images, None, factors), context)
        last.append(found["inconstancy"].item())
    assert last[1] < 0.1 * last[0]


def test_a_step_minimises_the_loss_of_clamped_posteriors(data, rng):
    method = made(data, invariance=7)
    images, factors = torch.rand(8, 1, 32, 32, generator=rng), torch.zeros(8, 4, dtype=torch.long)
    factors[:, 0] = torch.arange(8) % 3  # shape, which is intrinsic: latents 3 to 5
    encode = method.encode
    method.encode = lambda images: Posterior(*(10 * values + 1 for values in encode(images)))  # far from the prior
    with torch.no_grad():
        mean, log_variance = (values.clone() for values in method.encode(images))
        spread = sum(((v - v.mean(0)) ** 2)[:, :3].sum().item() for v in (mean, log_variance)) / 2 / 8
        for values in (mean, log_variance):
            values[:, :3] = values[:, :3].mean(0)
        noise = torch.empty(8, 6).normal_(generator=torch.Generator().manual_seed(1))
        each = reconstruction_per_image(method.logits(mean + (log_variance / 2).exp() * noise), images)
        kl = kl_per_latent(mean, log_variance).sum(1)
    context = Context(1, 10, 120, torch.Generator().manual_seed(1), method.optimisers())
    terms = method.step(Batch(images, None, factors), context)
    assert terms["inconstancy"].item() == pytest.approx(spread, rel=1e-4)
    assert terms["loss"].item() == pytest.approx((each + kl).mean().item() + 7 * spread, rel=1e-5)


# The batches


@pytest.mark.parametrize(
    ("intrinsic", "varies", "active"),
    [
        ("1", [1], [0]),
        ("1", [3], [2]),
        ("1", [0], [3, 4, 5]),
        ("1, 3", [1], [0]),
        ("1, 3", [3], [1]),
        ("1, 3", [0, 2], [2, 3, 4, 5]),
        ("1, 3", [2], [2, 3, 4, 5]),
        ("", [3], [3]),
        ("1", [], []),
    ],
)
def test_each_factor_has_a_latent_and_the_intrinsic_ones_have_the_rest(data, intrinsic, varies, active):
    factors = torch.zeros(8, 4, dtype=torch.long)
    factors[:, varies] = torch.arange(8)[:, None] % 2
    method = made(data, intrinsic=intrinsic)
    images, found = method.varied(Batch(torch.zeros(8, 1, 32, 32), None, factors), None)
    assert torch.nonzero(found).flatten().tolist() == active
    assert not images.any()


def test_one_kind_varies_in_each_batch_as_often_as_the_ratio_says(data):
    method = made(data, intrinsic="1, 3", ratio=3, batch_size=64)
    sampler = method.sampler(data, data.training)
    found = []
    values = {(1,): set(), (3,): set(), (0, 2): set()}
    for step in range(500):
        classes = data.factors.classes(sampler(step))
        kind = tuple(np.flatnonzero((classes != classes[:1]).any(0)))
        found.append(kind)
        values[kind].update(map(tuple, classes[:, list(kind)]))
    # x, brightness, and shape with y: 1 : 1 : 3. Their shares within four standard deviations.
    for kind, share in {(1,): 0.2, (3,): 0.2, (0, 2): 0.6}.items():
        assert found.count(kind) / 500 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 500))
    assert {kind: len(seen) for kind, seen in values.items()} == {(1,): 4, (3,): 2, (0, 2): 15}
    again = method.sampler(data, data.training)
    assert [again(step).tolist() for step in (499, 3)] == [sampler(step).tolist() for step in (499, 3)]


def test_in_a_grid_with_holes_only_images_that_are_there_are_chosen(data):
    kept = np.random.default_rng(0).permutation(120)[:50]
    factors = Factors(data.factors.names, data.factors.values, table=data.factors.classes(kept))
    images = ArrayStore(np.zeros((50, 32, 32, 1), np.uint8))
    holed = Dataset("arrays", "Holed", images, (32, 32, 1), {"all": np.arange(50)}, "drawn", factors=factors)
    sampler = made(holed).sampler(holed, np.arange(0, 50, 2))
    for step in range(50):
        chosen = sampler(step)
        assert set(chosen) <= set(range(0, 50, 2))
        assert np.ptp(factors.table[chosen], axis=0).astype(bool).sum() <= 1


@pytest.mark.parametrize(
    ("objective", "settings", "words"),
    [
        ("dc-ign", {"intrinsic": "5"}, "There is no factor 5 in Squares: it has 4."),
        ("dc-ign", {"latents": 3}, "set at least 4 latents, or make more factors intrinsic"),
        ("dc-ign-transformations", {"latents": 4}, "set at least 5 latents, or leave out transformations"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_with_a_sentence(data, objective, settings, words):
    with pytest.raises(ConfigError, match=words):
        made(data, objective, **settings).sampler(data, data.training)


def test_data_without_factors_are_refused_with_a_sentence(data):
    images = ArrayStore(np.zeros((9, 32, 32, 1), np.uint8))
    bare = Dataset("digits", "Digits", images, (32, 32, 1), {"all": np.arange(9)}, "drawn")
    with pytest.raises(ConfigError, match="DC-IGN learns from images chosen by their ground-truth factors"):
        made(bare)
    constant = Factors(("a",), (np.zeros(1),), table=np.zeros((9, 1), np.int64))
    one = Dataset("digits", "Digits", images, (32, 32, 1), {"all": np.arange(9)}, "drawn", factors=constant)
    with pytest.raises(ConfigError, match="No factor of Digits varies"):
        made(one).sampler(one, one.training)


def test_invalid_numbers_of_factors_are_refused():
    for wrong in ("0", "1, 65", "shape"):
        with pytest.raises(ConfigError, match="it must be whole numbers from 1, separated by commas"):
            RunConfig.parse({"objective": "dc-ign", "intrinsic": wrong})
    assert RunConfig.parse({"objective": "dc-ign", "intrinsic": "3 1,3"}).method.intrinsic == (1, 3)


# Our adaptation: transformations


def test_a_quarter_turn_is_numpys_and_a_shift_by_whole_pixels_moves_them(rng):
    images = torch.rand(3, 2, 8, 8, generator=rng, dtype=torch.float64)
    none = torch.zeros(3, dtype=torch.float64)
    turned = moved(images, torch.tensor([0.0, 90.0, 180.0], dtype=torch.float64), none, none)
    for number in range(3):
        expected = np.rot90(images[number].numpy(), number, axes=(1, 2))
        np.testing.assert_allclose(turned[number].numpy(), expected, atol=1e-12)
    shifted = moved(images, none, torch.tensor([0, 2 / 8, -1 / 8]).double(), torch.tensor([1 / 8, 0, -3 / 8]).double())
    for number, (right, down) in enumerate([(0, 1), (2, 0), (-1, -3)]):
        expected = ndimage.shift(images[number].numpy(), (0, down, right), order=1)
        np.testing.assert_allclose(shifted[number].numpy(), expected, atol=1e-12)


def test_first_it_is_turned_then_moved():
    """A dot to the right of the centre is above it after a quarter turn, and then two pixels further right."""
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 7] = 1
    found = moved(image, torch.tensor([90.0]), torch.tensor([2 / 9]), torch.tensor([0.0]))[0, 0]
    assert divmod(int(found.argmax()), 9) == (1, 6)


def test_thicker_strokes_are_grey_value_dilations_mixed_between_whole_pixels(rng):
    images = torch.rand(4, 1, 12, 12, generator=rng)
    found = thickened(images, torch.tensor([0.0, 1.0, 3.0, 0.25]))
    for number, pixels in ((0, 0), (1, 1), (2, 3)):
        expected = ndimage.grey_dilation(images[number, 0].numpy(), (2 * pixels + 1, 2 * pixels + 1), mode="nearest")
        np.testing.assert_allclose(found[number, 0].numpy(), expected, atol=1e-6)
    wider = ndimage.grey_dilation(images[3, 0].numpy(), (3, 3), mode="nearest")
    np.testing.assert_allclose(found[3, 0].numpy(), 0.75 * images[3, 0].numpy() + 0.25 * wider, atol=1e-6)


def test_one_image_is_transformed_in_one_way_or_different_images_in_the_same_way(data):
    """Kinds of batch by what differs: undo nothing, but compare the images with those of a single transformation."""
    method = made(data, "dc-ign-transformations", ratio=1, batch_size=8)
    sampler = method.sampler(data, data.training)
    noise, seen = torch.Generator().manual_seed(0), set()
    for step in range(1, 40):
        chosen = sampler(step - 1)
        images = torch.from_numpy(data.images(chosen)).permute(0, 3, 1, 2) / 255
        state = noise.get_state()
        found, active = method.varied(Batch(images, None), Context(step, 15, 120, noise, {}))
        which = torch.nonzero(active).flatten().tolist()
        seen.add(tuple(which))
        # What the drawn numbers must have done: -45 to 45 degrees, -12 to 12 % of the side, 0 to 2 pixels.
        drawn = torch.empty(8, 4).uniform_(generator=torch.Generator().set_state(state))
        rotation, right, down, thickness = (
            low + (high - low) * (drawn[:, n] if which == [n] else drawn[0, n].repeat(8))
            for n, (low, high) in enumerate([(-45, 45), (-0.12, 0.12), (-0.12, 0.12), (0, 2)])
        )
        torch.testing.assert_close(found, moved(thickened(images, thickness), rotation, right, down))
        assert (len(set(chosen)) == 1) is (len(which) == 1)
    assert seen == {(0,), (1,), (2,), (3,), (4, 5)}


def test_a_transformation_without_a_range_has_no_latent_and_no_batches(data):
    method = made(data, "dc-ign-transformations", ratio=1, rotation=0, thickness=0, latents=3)
    actives = set()
    for step in range(1, 30):
        context = Context(step, 15, 120, torch.Generator().manual_seed(0), {})
        _, active = method.varied(Batch(torch.zeros(4, 1, 32, 32), None), context)
        actives.add(tuple(torch.nonzero(active).flatten().tolist()))
    assert actives == {(0,), (1,), (2,)}


def test_a_methods_text_says_what_the_batches_are_and_that_the_adaptation_is_ours(tmp_path):
    words = []
    for objective, dataset in (("dc-ign", "dsprites"), ("dc-ign-transformations", "mnist")):
        config = RunConfig.parse({"objective": objective, "dataset": dataset, "ratio": 1, "steps": 5})
        words.append(methods_text([Run.create(tmp_path, config)]))
    assert "in batches of 64 images that agree in all factors except one or except the intrinsic ones" in words[0]
    assert "our" not in words[0].split()
    assert "(our adaptation to images without factors: transformations are applied to them) with λ = 0.01" in words[1]
    assert "which is our adaptation" in words[1]


def test_the_kind_of_a_step_is_a_function_of_seed_and_step():
    kinds = [Kinds([1, 1, 10], seed) for seed in (0, 0, 1)]
    one, same, other = ([kind(step) for step in range(200)] for kind in kinds)
    assert one == same != other
    assert [kinds[0](step) for step in (7, 3)] == [one[7], one[3]]
    counts = {number: len(list(group)) for number, group in itertools.groupby(sorted(one))}
    assert counts[2] == pytest.approx(200 * 10 / 12, abs=4 * np.sqrt(200 * 10 / 144))
