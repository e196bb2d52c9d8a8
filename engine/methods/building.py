"""The method of a run on its data set, with the weights that its seed draws."""

from typing import TYPE_CHECKING

import torch

from engine.errors import ConfigError
from engine.methods.base import Method
from engine.methods.registry import METHODS, make, network_lacking, spec_for
from engine.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from engine.data.dataset import Dataset
    from engine.settings.run_config import RunConfig


def spec_of(config: "RunConfig", dataset: "Dataset") -> NetworkSpec:
    """Return what networks must fit.

    Raises ConfigError when a conditional model is asked for data without labels, a method for data without what it
    learns from, or a network for images that it does not take.
    """
    lacking = METHODS[config.objective].lacking(dataset.title, factors=dataset.factors is not None)
    if lacking:
        raise ConfigError(lacking)
    if not_taken := network_lacking(config.objective, config.network, dataset.title, dataset.image_shape):
        raise ConfigError(not_taken)
    if config.conditional and dataset.labels is None:
        raise ConfigError(
            f"conditional needs class labels, and {dataset.title} has none. Turn it off, or choose "
            "a data set with labels."
        )
    return spec_for(config, dataset.image_shape, dataset.classes)


def build(config: "RunConfig", dataset: "Dataset") -> Method:
    """Make the method that a configuration and its data set ask for, with weights drawn from the seed.

    Raises ConfigError when the data lack what is asked for.
    """
    spec = spec_of(config, dataset)
    # A network may have weights that `initialise` does not draw: they come from the seed, too, and no other
    # random numbers change.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        method = make(config, spec)
    method.initialise(torch.Generator().manual_seed(config.seed))
    return method
