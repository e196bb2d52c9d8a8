"""Building the method of a run for its data set, with weights drawn from the seed."""

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
    """Return the shapes and settings that a run's networks must fit.

    Raises ConfigError if the data lack labels for a conditional model, lack what the method learns from, or have images
    that the network does not accept.
    """
    lacking = METHODS[config.objective].lacking(dataset.title, factors=dataset.factors is not None)
    if lacking:
        raise ConfigError(lacking)
    if unsuitable := network_lacking(config.objective, config.network, dataset.title, dataset.image_shape):
        raise ConfigError(unsuitable)
    if config.conditional and dataset.labels is None:
        raise ConfigError(
            f"conditional needs class labels, and {dataset.title} has none. Turn it off, or choose "
            "a data set with labels."
        )
    return spec_for(config, dataset.image_shape, dataset.classes)


def build(config: "RunConfig", dataset: "Dataset") -> Method:
    """Return the method for a run's settings and data set, with weights drawn from the seed.

    Raises ConfigError if the data do not suit the settings.
    """
    spec = spec_of(config, dataset)
    # Weights that `initialise` does not draw come from the seed, too; torch's global generator stays as it is.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        method = make(config, spec)
    method.initialise(torch.Generator().manual_seed(config.seed))
    return method
