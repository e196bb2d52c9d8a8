"""Plug-ins as files: a folder of their own, and a small one that works; and the examples, registered for one test."""

import pytest

from engine.data import ENTRIES
from engine.evaluation.catalogue import METRICS
from engine.evaluation.metric import PLUGIN_METRICS
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.plugins.loading import Plugins
from engine.plugins.registering import PLUGINS, register, unregister
from engine.plugins.sources import read_file
from engine.settings import absent
from engine.settings.run_config import DATASET_TITLES
from engine.system.consent import Consent
from engine.system.paths import RESOURCES
from engine.system.registry import Origin

EXAMPLES = RESOURCES / "examples" / "plugins"
SOUND = '''"""A β-VAE by another name."""

from engine.methods.beta_vae import BetaVae
from engine.plugins.plugin import Plugin


class Sound(BetaVae):
    title = "Sound VAE"
    short = "Sound"


PLUGIN = Plugin(name="sound", version="1.0", interface=1, methods={"sound-vae": Sound})
'''

REGISTRIES = (METHODS, NETWORKS, ENTRIES, DATASET_TITLES, METRICS, PLUGIN_METRICS, PLUGINS)


@pytest.fixture(autouse=True)
def no_plugin_stays(monkeypatch):
    """Take away what a test registered, and the stand-ins that it left."""
    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for name in list(PLUGINS):
        unregister(name)
    assert [dict(registry) for registry in REGISTRIES] == before
    forget_stand_ins()


def forget_stand_ins():
    """As in a process that never had the plug-ins."""
    for registry in REGISTRIES:
        registry._stand_ins = {}
    absent.DATASETS_ABSENT.clear()


@pytest.fixture
def load_example():
    """Register an example by its file's name, as if it had this fingerprint: `load_example(name)`."""

    def load(name, fingerprint=""):
        source = read_file(EXAMPLES / f"{name}.py")
        plugin = source.execute()
        register(plugin, Origin("", "", fingerprint or source.fingerprint, source.place))
        return plugin

    return load


@pytest.fixture
def without_plugins():
    """Take all plug-ins away, as in a process that never had them."""

    def take_away():
        for name in list(PLUGINS):
            unregister(name)
        forget_stand_ins()

    return take_away


@pytest.fixture
def folder(tmp_path):
    """The plug-in folder."""
    folder = tmp_path / "config" / "plugins"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def start(folder):
    """Start over, like another process."""

    def make():
        for name in list(PLUGINS):
            unregister(name)
        return Plugins(folder, Consent(folder.parent / "plugins.json"))

    return make


@pytest.fixture
def sound(folder):
    """A plug-in that works, in the folder, not allowed."""
    path = folder / "sound.py"
    path.write_text(SOUND)
    return path
