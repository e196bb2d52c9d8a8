"""A network of the user's own: a class that makes its encoder and decoder, and says which images it takes."""

import pytest
import torch
from torch import nn

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.methods.building import build
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.networks.network import Network
from engine.runs.checkpoints import load_weights
from engine.runs.differences import unused_settings
from engine.settings.run_config import RunConfig
from engine.training.trainer import train


class Encoder(nn.Module):
    def __init__(self, pixels, latents):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(pixels))  # drawn where it is made, not by `initialise`
        self.statistics = nn.Linear(pixels, 2 * latents)

    def forward(self, images):
        return self.statistics(images.flatten(1) * self.scale).chunk(2, 1)


class Linear(Network):
    title = "Linear"
    about = "No hidden layer."
    sides = (28, 64)
    channels = (1,)

    def encoder(self, spec):
        return Encoder(spec.image_shape[0] ** 2, spec.latents)

    def decoder(self, spec):
        side = spec.image_shape[0]
        return nn.Sequential(nn.Linear(spec.latents + spec.classes, side**2), nn.Unflatten(1, (1, side, side)))

    def encoder_words(self, side, normalisation):
        return "one linear layer"

    def decoder_words(self):
        return "has one, too,"


@pytest.fixture(autouse=True)
def linear(monkeypatch):
    monkeypatch.setitem(NETWORKS, "linear", Linear())


def test_every_method_that_uses_the_chosen_network_trains_it(tmp_path, make_run):
    for objective, method in METHODS.items():
        if "network" in method.ignores or method.needs_factors:
            continue
        settings = {"objective": objective, "network": "linear", "conditional": method.conditional, "steps": 2}
        run = make_run(tmp_path, normalisation="none", **settings)
        list(train(run))
        names = load_weights(run.checkpoint_folder).tensors
        assert any(name.endswith("encoder.scale") for name in names), objective


def test_its_weights_are_those_of_the_seed_and_no_other_random_numbers_change(digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    config = RunConfig(dataset="mnist", network="linear")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build(config, dataset).networks.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = build(config, dataset).networks.state_dict()
    other = build(config.changed(seed=1), dataset).networks.state_dict()
    for name in one:
        assert torch.equal(one[name], again[name]), name
        assert not torch.equal(one[name], other[name]), name


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((28, 28, 1), ""),
        ((64, 64), ""),
        ((), ""),
        ((32, 32, 1), "takes images of 28 or 64 pixels, and Digits has images of 32 × 32. Choose another network."),
        ((64, 64, 3), "takes grey images, and Digits has colour images. Choose another network."),
    ],
)
def test_which_images_it_does_not_take_is_a_sentence(shape, words):
    assert Linear().lacking("Digits", shape) == (f"The network Linear {words}" if words else "")


def test_it_is_refused_before_anything_trains(tmp_path, make_run):
    run = make_run(tmp_path, dataset="digits", data_folder=None, network="linear", normalisation="none")
    with pytest.raises(ConfigError, match="takes images of 28 or 64 pixels, and Digits has images of 32 × 32"):
        next(iter(train(run, fresh=True)))
    assert not run.path.exists()


def test_a_method_with_networks_of_its_own_does_not_ask_it(tmp_path, make_run):
    run = make_run(tmp_path, objective="info-gan", dataset="digits", data_folder=None, network="linear", steps=1)
    list(train(run))
    assert run.state().state == "finished"


def test_the_normalisation_plays_no_part_in_one_that_has_none():
    assert "normalisation" in unused_settings("vae", "mnist", "linear")
    assert "normalisation" not in unused_settings("vae", "mnist", "plain")
