"""Models shared by several tests, and a study that was run to its end."""

import copy
import gzip
import pickle
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from engine.data import load_dataset
from engine.runs.trained import load_model
from engine.studies import load_study, run_study
from engine.traversal import mean_kl


@pytest.fixture(scope="session")
def make_small_run(make_run, few_digits):
    """`make_run` on few images, for tests that train several: an epoch has as many steps."""
    return partial(make_run, data_folder=few_digits, batch_size=8)


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
    from engine.training.trainer import train

    run = make_run(tmp_path_factory.mktemp("conditional"), name="by label", conditional=True, steps=10)
    for _ in train(run):
        pass
    return load_model(run, load_dataset("mnist", digits_folder))


@pytest.fixture(scope="session")
def label_alone(conditional):
    """That model with a decoder that sees only the label, so that a wrong label gives a wrong image, whatever z is."""
    model = copy.deepcopy(conditional.model)
    weight = model.networks.decoder.hidden[0].weight
    with torch.no_grad():
        weight[:, : model.latents] = 0
        weight[:, model.latents :] *= 300
        pictures = model.decode(torch.zeros(10, model.latents), torch.arange(10))
    assert torch.cdist(pictures.flatten(1), pictures.flatten(1)).add(torch.eye(10)).min() > 0.5
    return replace(conditional, model=model)


@pytest.fixture(scope="session")
def digit_files(digits_folder):
    """Images uint8 (1797, 28, 28) and labels int64 (1797,) of the digits, from the bytes of their files."""

    def read(kind, header):
        train = gzip.decompress((digits_folder / f"train-{kind}-ubyte.gz").read_bytes())
        return np.frombuffer(train[header:] + (digits_folder / f"t10k-{kind}-ubyte").read_bytes()[header:], np.uint8)

    return read("images-idx3", 16).reshape(-1, 28, 28), read("labels-idx1", 8).astype(np.int64)


@pytest.fixture(scope="session")
def study(tmp_path_factory, study_file):
    """Two methods, two seeds, 60 steps on the digits."""
    return load_study(study_file(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="session")
def _finished_study(shared_folder, study):
    """Run that study to its end with one worker, once for all test processes."""
    folder, events = shared_folder / "study-runs", shared_folder / "study-events.pickle"
    with FileLock(shared_folder / "study.lock"):
        if not events.exists():
            events.write_bytes(pickle.dumps(list(run_study(study, folder, workers=1, threads=1))))
    return folder, pickle.loads(events.read_bytes())


@pytest.fixture(scope="session")
def study_runs(_finished_study):
    """The runs folder of that study, all trained and evaluated. Tests that write to it use `study_copy`."""
    return _finished_study[0]


@pytest.fixture(scope="session")
def study_events(_finished_study):
    """The events of the job that ran that study."""
    return _finished_study[1]


@pytest.fixture
def study_copy(tmp_path, study_runs):
    """A copy of those runs for a single test."""
    return Path(shutil.copytree(study_runs, tmp_path / "runs"))
