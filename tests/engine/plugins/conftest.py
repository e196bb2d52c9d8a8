"""Plug-ins as files: a folder of their own, and a small one that works."""

import pytest

from engine.plugins.consent import Consent
from engine.plugins.loading import Plugins
from engine.plugins.registering import PLUGINS, unregister

SOUND = '''"""A β-VAE by another name."""

from engine.methods.beta_vae import BetaVae
from engine.plugins.plugin import Plugin


class Sound(BetaVae):
    title = "Sound VAE"
    short = "Sound"


PLUGIN = Plugin(name="sound", version="1.0", interface=1, methods={"sound-vae": Sound})
'''


@pytest.fixture(autouse=True)
def none_stays(monkeypatch):
    """Take away what a test has loaded."""
    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    yield
    for name in list(PLUGINS):
        unregister(name)


@pytest.fixture
def folder(tmp_path):
    """The plug-in folder."""
    folder = tmp_path / "config" / "plugins"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def start(folder):
    """Begin anew, as another process would."""

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
