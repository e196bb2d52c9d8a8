"""What all tests share: folders of their own, a small real data set, and a run trained on it."""

import os

# Idle OpenMP threads must sleep, not spin: several test processes may share the processors.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import gzip
import shutil
import struct
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[1]

STUDY = """
title = "Tiny"
about = "Two methods on the digits."
seeds = [0, 1]
metrics = ["reconstruction", "kl", "mig"]

[settings]
dataset = "digits"
network = "burgess"
batch_size = 32
steps = 60
capacity_max = 5
capacity_epochs = 1
log_steps = 10
checkpoint_steps = 10
preview_steps = 40

[quick]
seeds = [0]
epochs = 1

[[methods]]
title = "VAE"
objective = "vae"

[[methods]]
title = "Annealed, γ = 10"
objective = "annealed-relu"
gamma = 10
"""
BROKEN = """
[[methods]]
title = "Broken"
objective = "annealed-abs"
gamma = 100_000
learning_rate = 1
"""

PLUGIN = """from engine.methods.beta_vae import BetaVae
from engine.plugins.plugin import Plugin


class Odd(BetaVae):
    title = "Odd VAE"
    short = "Odd"

    def step(self, batch, context):
        terms = super().step(batch, context)
        if context.step == {step}:
            {body}
        return terms

    class Settings(BetaVae.Settings):
        "Settings of its own, which travel to the process that trains."


PLUGIN = Plugin("odd", "1.0", 1, methods={{"odd-vae": Odd}})
"""
"""A plug-in whose method does something at its 15th step, line 12."""

GALLERY = """
[samples.mnist]
images = 40
start = [3]

[[models]]
run = "tiny"
folder = "tiny-model"
title = "A tiny VAE"
story = "{active} of {latents} latents are in use after a KL of {kl}."
numbers = ["kl", "elbo", "mig"]
"""

hypothesis.settings.register_profile("studio", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("studio")


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory):
    """Keep the application's cache, runs and settings apart from those of the developer."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CACHE", "DATA", "CONFIG", "STATE"):
            patch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)  # drawn dSprites, prepared copies of data


@pytest.fixture(autouse=True)
def no_folders_chosen():
    """Let no test find the folders, of data sets among them, that another one chose."""
    from engine.system.paths import folders_file

    yield
    folders_file().unlink(missing_ok=True)


@pytest.fixture(scope="session")
def shared_data():
    """The original data sets beside the project, where they are present."""
    folder = PROJECT / "../shared/data"
    if not folder.is_dir():
        pytest.skip("the original data sets are not beside the project (../shared/data)")
    return folder.resolve()


def idx_bytes(array):
    """Bytes of an IDX file, as LeCun's page describes the format."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all processes share which run the tests side by side."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def drawn_dsprites(shared_folder, private_folders):
    """All of dSprites (377 MB), drawn once for all processes: each has a link to the one file in its cache."""
    from engine.data import dsprites

    own, shared = dsprites._packed_file(None), shared_folder / "dsprites.bits"
    with FileLock(shared_folder / "dsprites.lock"):
        if shared.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            own.unlink(missing_ok=True)
            os.link(shared, own)
        else:
            for _ in dsprites.prepare():
                pass
            os.link(own, shared)
    yield dsprites.load()
    shared.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def all_digits():
    """Scikit-learn's 1,797 handwritten digits as MNIST has its own: images uint8 (n, 28, 28), labels (n,)."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = (digits.images * 255 / 16).round().astype(np.uint8)
    images = np.stack([np.asarray(Image.fromarray(d).resize((28, 28), Image.Resampling.BILINEAR)) for d in small])
    return images, digits.target


def write_mnist(folder, train, test):
    """Write MNIST's four files, those for training compressed; each part is images and labels."""
    for prefix, (images, labels) in (("train", train), ("t10k", test)):
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            if prefix == "train":
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory, all_digits):
    """Those digits as MNIST's files: 1,500 for training and 297 for testing."""
    images, labels = all_digits
    return write_mnist(
        tmp_path_factory.mktemp("digits"), (images[:1500], labels[:1500]), (images[1500:], labels[1500:])
    )


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory, all_digits):
    """Few of them, where many runs are trained: 373 and 41. Batches of 8 make an epoch of 47 steps, as 32 do above."""
    images, labels = all_digits
    train, test = (images[:373], labels[:373]), (images[1500:1541], labels[1500:1541])
    return write_mnist(tmp_path_factory.mktemp("few-digits"), train, test)


@pytest.fixture(scope="session")
def make_run(digits_folder):
    """Make an untrained run on the small digits: `make_run(folder, name=None, **settings)`."""
    from engine.runs.run import Run
    from engine.settings.run_config import RunConfig

    defaults = {
        "dataset": "mnist",
        "data_folder": digits_folder,
        "objective": "vae",
        "network": "burgess",  # the smallest
        "normalisation": "batch",
        "batch_size": 32,
        "steps": 60,
        "device": "cpu",
        "log_steps": 10,
        "checkpoint_steps": 25,
        "preview_steps": 30,
    }

    def make(folder, name=None, **settings):
        return Run.create(folder, RunConfig.parse(defaults | settings), name)

    return make


@pytest.fixture(scope="module")
def narrow():
    """InfoGAN and FactorVAE's discriminator with 32 units where their authors have 1,000: those weigh 200 MB a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.methods.factor_vae.UNITS", 32)
        patch.setattr("engine.networks.info_gan.UNITS", 32)
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, make_run):
    """A run trained for 60 steps. Shared by the whole session: tests that write to it take `tiny_copy`."""
    from engine.training.trainer import train

    run = make_run(tmp_path_factory.mktemp("tiny"), name="tiny")
    for _ in train(run):
        pass
    return run


@pytest.fixture
def tiny_copy(tmp_path, tiny_run):
    """A copy of the trained run, for one test to change."""
    from engine.runs.run import Run

    return Run.open(Path(shutil.copytree(tiny_run.path, tmp_path / "tiny")))


@pytest.fixture(scope="session")
def study_file():
    """Write a study of two methods and two seeds, 60 steps each on the digits: `study_file(folder, *changes)`.

    Each change is a pair, what is in the file and what stands there instead; `broken` adds a method that fails.
    """

    def write(folder, *changes, name="tiny", broken=False):
        text = STUDY + (BROKEN if broken else "")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """No plug-in of another test: a folder of its own, and what this one loads is removed again."""
    from engine.plugins.loading import Plugins
    from engine.plugins.registering import PLUGINS, unregister
    from engine.system.consent import Consent

    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    folder = tmp_path / "plugins"
    folder.mkdir()
    yield Plugins(folder, Consent(tmp_path / "plugins.json"))
    for name in list(PLUGINS):
        unregister(name)


@pytest.fixture
def odd_plugin(plugins):
    """Load a plug-in whose method does something at its 15th step: `odd_plugin("raise ValueError")`."""
    from engine.plugins.registering import unregister

    def load(body, step=15):
        unregister("odd")
        plugins._loaded.clear()
        (plugins.folder / "odd.py").write_text(PLUGIN.format(body=body, step=step))
        plugins.rescan()
        plugins.allow(plugins.find("odd"))
        plugins.load()
        assert plugins.find("odd").problem == ""
        return plugins

    return load


@pytest.fixture(scope="session")
def tiny_gallery(tmp_path_factory, tiny_run):
    """A gallery of one model, made from the run trained for 60 steps. Tests that damage it copy it."""
    from engine.gallery.making import build_gallery

    folder = tmp_path_factory.mktemp("gallery")
    spec = folder / "gallery.toml"
    spec.write_text(GALLERY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.gallery.making.COMPARED", 2)
        patch.setattr("engine.evaluation.evaluate.usual_metrics", lambda: ["kl", "elbo", "active_latents", "mig"])
        for _ in build_gallery(spec, tiny_run.path.parent, folder):
            pass
    return folder
