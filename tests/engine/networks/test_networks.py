"""The networks: shapes as documented, the label where it belongs, weights from the seed alone."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from engine.data import ArrayStore, Dataset
from engine.data import load_dataset as load
from engine.errors import CheckpointError, ConfigError
from engine.methods.building import build
from engine.networks.architectures import NETWORKS, NORMALISATIONS
from engine.networks.layers import Down, Residual, Up
from engine.networks.network import SIDES
from engine.networks.spec import NetworkSpec
from engine.networks.tensors import choose_device, to_images, to_tensor
from engine.networks.vae import VAE, initialise, sample
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig

# Output shapes (channels, side) as in the docstrings of Encoder and Decoder, and in the project's notes.
ENCODER = {28: [(32, 14), (64, 7), (128, 4), (256, 1)], 64: [(32, 32), (32, 16), (64, 8), (64, 4)]}
DECODER = {28: [(128, 4), (64, 7), (32, 14), (1, 28)], 64: [(64, 8), (32, 16), (32, 32), (1, 64)]}
KERNELS = {28: [4, 4, 3, 4], 64: [4, 4, 4, 4]}
LINEAR = {28: ([20], [256]), 64: ([256, 20], [256, 1024])}


def reports(image_shape, latents, classes=0):
    """The report's network."""
    return VAE(NetworkSpec(image_shape, latents, classes, "report", "batch"))


def outputs(model, kinds, run):
    """Shapes that layers of these kinds put out, in order, while `run` runs."""
    shapes = []
    handles = [
        layer.register_forward_hook(lambda layer, given, result: shapes.append(tuple(result.shape[1:])))
        for layer in model.modules()
        if isinstance(layer, kinds)
    ]
    run()
    for handle in handles:
        handle.remove()
    return shapes


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("side", [28, 64])
def test_the_encoder_has_the_documented_shapes(side):
    model = reports((side, side, 1), 10).eval()
    images = torch.rand(2, 1, side, side)
    assert outputs(model.encoder, nn.Conv2d, lambda: model.encode(images)) == [(c, s, s) for c, s in ENCODER[side]]
    assert outputs(model.encoder, nn.Linear, lambda: model.encode(images)) == [(n,) for n in LINEAR[side][0]]
    mean, log_variance = model.encode(images)
    assert mean.shape == log_variance.shape == (2, 10)


@pytest.mark.parametrize("side", [28, 64])
def test_the_decoder_mirrors_it(side):
    model = reports((side, side, 1), 10).eval()
    z = torch.randn(2, 10)
    shapes = outputs(model.decoder, nn.ConvTranspose2d, lambda: model.decode(z))
    assert shapes == [(c, s, s) for c, s in DECODER[side]]
    assert outputs(model.decoder, nn.Linear, lambda: model.decode(z)) == [(n,) for n in LINEAR[side][1]]
    convolutions = [m.kernel_size[0] for m in model.encoder.modules() if isinstance(m, nn.Conv2d)]
    transposed = [m.kernel_size[0] for m in model.decoder.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert convolutions == KERNELS[side]
    assert transposed == KERNELS[side][::-1]


@pytest.mark.parametrize("side", [28, 64])
def test_batch_normalisation_follows_every_convolution_but_the_last_of_the_decoder(side):
    model = reports((side, side, 1), 10)
    # The report: batch normalisation after each convolution. The logits themselves are not normalised.
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.encoder.modules()) == 4
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.decoder.modules()) == 3


def test_the_number_of_latents_is_free():
    model = reports((28, 28, 1), 3).eval()
    assert model.encode(torch.rand(2, 1, 28, 28))[0].shape == (2, 3)
    assert model.decode(torch.randn(2, 3)).shape == (2, 1, 28, 28)


@pytest.mark.parametrize("side", [28, 64])
def test_the_decoder_of_a_conditional_model_sees_the_label(side, rng):
    model = reports((side, side, 1), 10, classes=3)
    initialise(model, rng, glorot=False)
    model.eval()
    z = torch.randn(1, 10, generator=rng).repeat(3, 1)
    by_label = model.logits(z, torch.tensor([0, 1, 2]))
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.allclose(by_label[one], by_label[other])
    same = model.logits(z, torch.tensor([1, 1, 1]))
    torch.testing.assert_close(same[0], same[2])


def test_the_label_is_one_hot_beside_the_latents(rng):
    # Recomputed from the definition: the decoder of [z, one-hot].
    model = reports((28, 28, 1), 4, classes=3)
    initialise(model, rng, glorot=False)
    model.eval()
    z = torch.randn(3, 4, generator=rng)
    expected = model.decoder(torch.cat([z, torch.eye(3)[[2, 0, 1]]], dim=1))
    torch.testing.assert_close(model.logits(z, torch.tensor([2, 0, 1])), expected)


def test_the_encoder_of_a_conditional_model_does_not_see_the_label():
    # It has as many inputs and outputs as the plain model's, and there is no way to hand it a label.
    plain, conditional = reports((28, 28, 1), 10), reports((28, 28, 1), 10, classes=10)
    shapes = [[tuple(p.shape) for p in model.encoder.parameters()] for model in (plain, conditional)]
    assert shapes[0] == shapes[1]
    with pytest.raises(TypeError):
        conditional.encode(torch.rand(1, 1, 28, 28), torch.tensor([1]))
    sizes = [sum(p.numel() for p in model.decoder.parameters()) for model in (plain, conditional)]
    assert sizes[1] - sizes[0] == 10 * 256  # ten more inputs of a linear layer with 256 outputs


def test_a_conditional_model_refuses_latents_without_labels():
    with pytest.raises(ValueError, match="labels"):
        reports((28, 28, 1), 10, classes=10).decode(torch.zeros(1, 10))


def test_decode_is_the_sigmoid_of_the_logits(rng):
    model = reports((64, 64, 1), 10)
    initialise(model, rng, glorot=False)
    model.eval()
    z = 3 * torch.randn(2, 10, generator=rng)
    expected = 1 / (1 + torch.exp(-model.logits(z).double()))
    torch.testing.assert_close(model.decode(z).double(), expected, atol=1e-6, rtol=0)


def test_samples_of_z_have_the_posteriors_mean_and_deviation(rng):
    mean = torch.tensor([[0.0, 3.0, -2.0]]).repeat(100_000, 1)
    log_variance = torch.tensor([[0.0, math.log(4.0), math.log(0.01)]]).repeat(100_000, 1)
    z = sample(mean, log_variance, rng)
    # Deviations 1, 2 and 0.1; the mean of 100,000 samples is off by more than 4 / sqrt(100,000) of them hardly ever.
    deviation = torch.tensor([1.0, 2.0, 0.1])
    assert ((z.mean(0) - mean[0]).abs() < 4 * deviation / 316).all()
    torch.testing.assert_close(z.std(0), deviation, rtol=0.02, atol=0)


def test_samples_depend_on_their_generator_alone():
    mean, log_variance = torch.zeros(5, 3), torch.zeros(5, 3)
    draws = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        draws.append(sample(mean, log_variance, torch.Generator().manual_seed(9)))
        state = torch.get_rng_state()
        sample(mean, log_variance, torch.Generator().manual_seed(9))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(*draws)


def test_gradients_reach_mean_and_variance_through_a_sample():
    # By hand: dz/dmean = 1, dz/dlog variance = (z - mean) / 2 for z = mean + exp(log variance / 2) * noise.
    mean = torch.zeros(4, 2, requires_grad=True)
    log_variance = torch.zeros(4, 2, requires_grad=True)
    z = sample(mean, log_variance, torch.Generator().manual_seed(0))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(4, 2))
    torch.testing.assert_close(log_variance.grad, z.detach() / 2)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_weights_depend_on_the_seed_alone(digits_folder):
    dataset = load("mnist", digits_folder)
    built = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # torch's global state must not matter
        built.append(weights(build(RunConfig(dataset="mnist", seed=5), dataset).networks))
    assert torch.equal(*built)
    assert not torch.equal(built[0], weights(build(RunConfig(dataset="mnist", seed=6), dataset).networks))


def test_initial_weights_are_spread_like_pytorchs_own():
    # PyTorch's default is uniform within 1 / sqrt(fan in), of deviation that over sqrt(3), for weights and biases.
    model = reports((64, 64, 1), 10)
    initialise(model, torch.Generator().manual_seed(0), glorot=False)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            fan_in, _ = nn.init._calculate_fan_in_and_fan_out(layer.weight)
            bound = 1 / math.sqrt(fan_in)
            assert layer.weight.abs().max() <= bound * 1.0001
            tolerance = 4 / math.sqrt(layer.weight.numel())
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=tolerance)
            if layer.bias is not None:
                assert layer.bias.abs().max() <= bound * 1.0001
                assert layer.bias.abs().sum() > 0
        elif isinstance(layer, nn.BatchNorm2d):
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
            assert torch.equal(layer.bias, torch.zeros_like(layer.bias))


def test_a_conditional_model_gets_as_many_inputs_as_there_are_classes(digits_folder):
    dataset = load("mnist", digits_folder)
    assert build(RunConfig(dataset="mnist", conditional=True), dataset).classes == 10
    assert build(RunConfig(dataset="mnist"), dataset).classes == 0


def test_a_conditional_model_of_data_without_labels_is_refused_by_name():
    images = np.zeros((4, 28, 28, 1), np.uint8)
    dataset = Dataset("faces", "Faces", ArrayStore(images), (28, 28, 1), {"all": np.arange(4)}, "a test")
    with pytest.raises(ConfigError, match="Faces has none"):
        build(RunConfig(conditional=True), dataset)


def test_images_survive_the_way_to_the_network_and_back():
    images = np.arange(256, dtype=np.uint8).repeat(12).reshape(4, 16, 16, 3)
    tensor = to_tensor(images)
    assert tensor.shape == (4, 3, 16, 16)
    assert tensor.dtype == torch.float32
    assert (tensor.min(), tensor.max()) == (0, 1)
    np.testing.assert_array_equal(to_images(tensor), images)


def test_probabilities_become_the_nearest_grey_level():
    assert to_images(torch.tensor([[[0.0, 0.001, 0.003, 0.5, 0.999, 1.0]]]))[0, :, 0].tolist() == [
        0,
        0,
        1,
        128,
        255,
        255,
    ]


def test_a_named_device_is_taken_as_it_is():
    assert choose_device("cpu") == torch.device("cpu")


def test_a_loaded_model_gives_the_values_it_was_trained_to(tiny_run, digits_folder):
    dataset = load("mnist", digits_folder)
    trained = load_model(tiny_run, dataset)
    assert trained.step == 60
    assert not trained.model.networks.training
    image = to_tensor(dataset.images(np.array([3])))
    with torch.no_grad():
        alone = trained.model.encode(image)[0]
        beside = trained.model.encode(to_tensor(dataset.images(np.array([3, 4, 5, 6]))))[0][:1]
    # In eval mode an image's posterior does not depend on the images beside it.
    torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-5)


def test_weights_that_do_not_fit_the_settings_are_refused_in_words(tiny_copy, digits_folder):
    tiny_copy.config = tiny_copy.config.changed(latents=7)
    with pytest.raises(CheckpointError, match="do not fit its settings"):
        load_model(tiny_copy, load("mnist", digits_folder))


def test_labels_are_given_only_to_a_conditional_model(tiny_run, digits_folder):
    dataset = load("mnist", digits_folder)
    assert load_model(tiny_run, dataset).labels(np.array([0, 1])) is None


def test_a_run_without_a_checkpoint_says_so(tmp_path, make_run, digits_folder):
    run = make_run(tmp_path, name="fresh")
    with pytest.raises(CheckpointError, match="fresh has no weights yet"):
        load_model(run, load("mnist", digits_folder))


@pytest.mark.parametrize(
    ("kind", "plain", "arguments", "side"),
    [
        (Down, nn.Conv2d, (8, 6, 4), 4),
        (Down, nn.Conv2d, (8, 6, 4), 5),
        (Up, nn.ConvTranspose2d, (8, 6, 4, 1, 0, 0, 1, False), 1),
        (Up, nn.ConvTranspose2d, (8, 1, 4, 2, 1), 7),
        (Up, nn.ConvTranspose2d, (8, 1, 3, 2, 1, 1), 4),
        (Up, nn.ConvTranspose2d, (8, 3, 4, 2, 1), 7),
    ],
)
def test_convolutions_computed_as_matrix_products_agree_with_torch(rng, kind, plain, arguments, side):
    """Values and all gradients against torch's own layers, in double precision."""
    ours, theirs = kind(*arguments).double(), plain(*arguments).double()
    theirs.load_state_dict(ours.state_dict())
    ours.to(memory_format=torch.channels_last)
    images = torch.randn(3, 8, side, side, generator=rng, dtype=torch.float64)
    results = []
    for layer in (ours, theirs):
        given = images.clone().requires_grad_()
        put_out = layer(given)
        put_out.square().sum().backward()
        results.append([put_out, given.grad, *(parameter.grad for parameter in layer.parameters())])
    torch.testing.assert_close(*results)


# The networks to choose from

KINDS = [
    (network, normalisation)
    for network in NETWORKS
    for normalisation in NORMALISATIONS
    if NETWORKS[network].normalises or normalisation == "none"
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("network", "normalisation"), KINDS)
def test_every_network_takes_and_gives_images_of_every_side(network, normalisation, side, channels):
    with torch.device("meta"):
        model = VAE(NetworkSpec((side, side, channels), 7, 3, network, normalisation))
        mean, log_variance = model.encode(torch.rand(2, channels, side, side))
        assert mean.shape == log_variance.shape == (2, 7)
        assert model.logits(mean, torch.tensor([0, 1])).shape == (2, channels, side, side)


def parameters(network, side=64, normalisation="none", latents=10):
    with torch.device("meta"):
        return sum(
            p.numel() for p in VAE(NetworkSpec((side, side, 1), latents, 0, network, normalisation)).parameters()
        )


def test_the_plain_network_is_the_reports_without_normalisation():
    # By hand, kernel weights and a bias for each channel: the convolutions 1-32-32-64-64 of 4 x 4 both ways, the layers
    # 1024-256-20 and 10-256-1024.
    convolutions = [(1, 32), (32, 32), (32, 64), (64, 64)]
    encoder = sum(16 * i * o + o for i, o in convolutions) + (1024 * 256 + 256) + (256 * 20 + 20)
    decoder = sum(16 * i * o + i for i, o in convolutions) + (10 * 256 + 256) + (256 * 1024 + 1024)
    assert parameters("plain") == parameters("report") == encoder + decoder
    # With it, a scale and a shift in the place of each bias but that of the pixels.
    assert parameters("report", normalisation="batch") == encoder + decoder + (32 + 32 + 64 + 64) + (64 + 32 + 32)


def test_burgess_has_the_layers_of_its_paper():
    # Burgess et al. 2018, appendix A.1: four convolutions of 32 channels, 4 x 4, stride 2, then two layers of 256; the
    # decoder is the transpose. YannDubs' EncoderBurgess and DecoderBurgess are the same.
    convolutions = [(1, 32), (32, 32), (32, 32), (32, 32)]
    encoder = sum(16 * i * o + o for i, o in convolutions) + (512 * 256 + 256) + (256 * 256 + 256) + (256 * 20 + 20)
    decoder = (10 * 256 + 256) + (256 * 256 + 256) + (256 * 512 + 512) + sum(16 * i * o + i for i, o in convolutions)
    assert parameters("burgess") == encoder + decoder


def test_the_fully_connected_network_is_that_of_chen():
    # rtqichen/beta-tcvae, vae_quant.py: 4096-1200-1200-2z with ReLU; z-1200-1200-1200-4096 with tanh.
    encoder = [(4096, 1200), (1200, 1200), (1200, 20)]
    decoder = [(10, 1200), (1200, 1200), (1200, 1200), (1200, 4096)]
    assert parameters("mlp") == sum(i * o + o for i, o in encoder + decoder)
    model = VAE(NetworkSpec((64, 64, 1), 10, 0, "mlp", "none"))
    kinds = [type(layer).__name__ for layer in model.modules() if isinstance(layer, nn.ReLU | nn.Tanh)]
    assert kinds == ["ReLU"] * 2 + ["Tanh"] * 3


@pytest.mark.parametrize("network", ["burgess", "residual", "plain"])
@pytest.mark.parametrize("side", SIDES)
def test_the_decoder_goes_back_through_the_sides_of_the_encoder(network, side):
    spec = NetworkSpec((side, side, 1), 4, 0, network, "group")
    model = VAE(spec)
    sides = NETWORKS[network].layers[side].sides(side)
    there = outputs(model.encoder, Down, lambda: model.encode(torch.rand(1, 1, side, side)))
    back = outputs(model.decoder, Up, lambda: model.logits(torch.rand(1, 4)))
    assert [shape[1] for shape in there] == sides[1:]
    assert [shape[1] for shape in back] == sides[-2::-1]
    assert sides[-1] <= 4 or (network, side) == ("plain", 128)  # it has the four layers of 64 pixels


def test_a_residual_block_adds_to_its_input(rng):
    # With its last scale at 0 it is the identity of what is not negative (He et al. 2016).
    block = Residual(8, "group")
    nn.init.zeros_(block.layers[-1].weight)
    maps = torch.randn(2, 8, 5, 5, generator=rng)
    torch.testing.assert_close(block(maps), maps.relu())


def test_glorot_weights_are_spread_as_its_paper_says():
    # Uniform within sqrt(6 / (fan in + fan out)), so of deviation sqrt(2 / (fan in + fan out)); biases 0.
    model = VAE(NetworkSpec((64, 64, 1), 10, 0, "plain", "none"))
    initialise(model, torch.Generator().manual_seed(0), glorot=True)
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            area = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            fans = area * (layer.weight.shape[0] + layer.weight.shape[1])
            assert layer.weight.abs().max() <= math.sqrt(6 / fans)
            assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fans), rel=0.1)
            assert (layer.bias == 0).all()


def test_group_normalisation_sees_one_image_at_a_time(rng):
    model = VAE(NetworkSpec((32, 32, 1), 4, 0, "plain", "group")).train()
    images = torch.rand(3, 1, 32, 32, generator=rng)
    alone = torch.cat([model.encode(images[i : i + 1])[0] for i in range(3)])
    torch.testing.assert_close(model.encode(images)[0], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_transposed_convolution_from_one_pixel_has_its_bias(normalisation, rng):
    """28 pixels begin at a single one, where the convolution is a matrix product: the same as torch's own."""
    up = VAE(NetworkSpec((28, 28, 1), 4, 0, "plain", normalisation)).decoder.pixels[0]
    pixels = torch.randn(2, 256, 1, 1, generator=rng)
    torch.testing.assert_close(up(pixels), nn.ConvTranspose2d.forward(up, pixels), rtol=1e-4, atol=1e-5)
