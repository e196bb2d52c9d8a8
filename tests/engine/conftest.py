"""Models that several tests look into."""

import pytest

from engine.data import load_dataset
from engine.models.loading import load_model
from engine.traversal import mean_kl


@pytest.fixture(scope="session")
def trained(tiny_run, digits_folder):
    """The model of the run that was trained for 60 steps."""
    return load_model(tiny_run, load_dataset("mnist", digits_folder))


@pytest.fixture(scope="session")
def kl(trained):
    """Mean KL of its latents."""
    return mean_kl(trained)


@pytest.fixture(scope="session")
def conditional(tmp_path_factory, make_run, digits_folder):
    """A conditional model, trained for a few steps."""
    from engine.training import train

    run = make_run(tmp_path_factory.mktemp("conditional"), name="by label", conditional=True, steps=10)
    for _ in train(run):
        pass
    return load_model(run, load_dataset("mnist", digits_folder))
