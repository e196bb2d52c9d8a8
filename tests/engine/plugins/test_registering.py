"""A plug-in is registered with everything it provides, or refused with a sentence that says why."""

import warnings
from dataclasses import replace

import pytest

from engine.data import ENTRIES
from engine.errors import ConfigError, PluginError
from engine.methods.base import MethodSettings
from engine.methods.beta_vae import BetaVae
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.plugins.plugin import INTERFACE, Plugin
from engine.plugins.registering import PLUGINS, register, unregister
from engine.settings.absent import missing_words
from engine.settings.run_config import DATASET_TITLES, RunConfig
from engine.system.fields import Weight, setting
from engine.system.registry import Origin
from engine.system.user_code import forget_code, register_code

ORIGIN = Origin("", "", "f" * 64, "/home/ada/sparse.py")


class Sparse(BetaVae):
    title = "Sparse VAE"
    short = "sparse"


PLUGIN = Plugin(
    "sparse",
    "1.0",
    INTERFACE,
    methods={"sparse-vae": Sparse},
    networks={"small": NETWORKS["mlp"]},
    datasets={"blobs": replace(ENTRIES["digits"], name="blobs", title="Blobs")},
)


@pytest.fixture(autouse=True)
def clean():
    before = [dict(registry) for registry in (METHODS, NETWORKS, ENTRIES, DATASET_TITLES)]
    yield
    unregister("sparse")
    assert [dict(registry) for registry in (METHODS, NETWORKS, ENTRIES, DATASET_TITLES)] == before


def test_what_it_brings_is_used_by_name_and_known_to_be_its_own():
    register(PLUGIN, ORIGIN)
    config = RunConfig(objective="sparse-vae", network="small", dataset="blobs", beta=2)
    assert config.method_title == "Sparse VAE"
    assert DATASET_TITLES[config.dataset] == "Blobs"
    expected = Origin("sparse", "1.0", "f" * 64, "/home/ada/sparse.py")
    assert METHODS.origin("sparse-vae") == NETWORKS.origin("small") == ENTRIES.origin("blobs") == expected
    assert METHODS.origin("beta-vae") is None
    assert PLUGINS["sparse"].kinds == {"method": ("sparse-vae",), "network": ("small",), "data set": ("blobs",)}


def test_without_it_it_is_nowhere_listed_and_what_is_open_says_what_it_needs():
    register(PLUGIN, ORIGIN)
    config = RunConfig(objective="sparse-vae", network="small", dataset="blobs", beta=2)
    unregister("sparse")
    unregister("sparse")
    for registry, name in ((METHODS, "sparse-vae"), (NETWORKS, "small"), (ENTRIES, "blobs"), (DATASET_TITLES, "blobs")):
        assert name not in registry
        assert name not in list(registry)
    assert (config.method_title, config.value("beta")) == ("Sparse VAE", 2)
    assert missing_words(config) == (
        "The method Sparse VAE, the network Fully connected and the data set Blobs need the plug-in sparse 1.0, which "
        "is not loaded. Add or allow its file under Plug-ins in the settings or with main.py plugins, or install its "
        "package."
    )
    assert missing_words(RunConfig()) == ""


def test_a_name_that_no_plugin_ever_brought_is_unknown():
    for name in ("objective", "network", "dataset"):
        with pytest.raises(ConfigError, match=f"{name} is 'never'; it must be one of"):
            RunConfig.parse({name: "never"})


class Raising(BetaVae):
    title = short = "Raising"

    @classmethod
    def latents_of(cls, config):
        raise ZeroDivisionError("no latents")


class OneWarning(BetaVae):
    title = short = "One warning"

    @classmethod
    def warnings(cls, config, images):
        return 5


class Long(BetaVae):
    title = short = "Long"
    formula = "x" * 400


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Raising, r"sparse raised ZeroDivisionError: no latents \(test_registering.py, line \d+\)"),
        (
            OneWarning,
            r"sparse raised TypeError: Value after \* must be an iterable, not int\.$",
        ),  # in no file of its own
        (Long, "A description of sparse-vae is too long"),
    ],
)
def test_what_would_fail_in_the_form_or_in_a_run_is_found_at_once(method, words):
    register_code(__file__, "sparse")
    with pytest.raises(PluginError, match=words):
        register(replace(PLUGIN, methods={"sparse-vae": method}), ORIGIN)
    forget_code(__file__)


def test_one_thread_goes_through_the_methods_while_another_registers():
    seen = []
    for name in METHODS:
        if not seen:
            register(PLUGIN, ORIGIN)
        seen.append(name)
    assert "sparse-vae" not in seen
    assert "sparse-vae" in METHODS


class NoTitle(BetaVae):
    title = ""


class TextSettings(MethodSettings):
    tau: Weight = setting("0 to 2 over 50 %", "τ", "A weight.", ge=0, le=10)


class TextDefault(Sparse):
    Settings = TextSettings


def with_setting(name):
    """A method with a setting of this name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's, of some names
        fields = {"__annotations__": {name: float}, name: setting(1.0, "Title", "Help."), "__module__": __name__}
        return type(
            "Own", (BetaVae,), {"title": "Own", "short": "own", "Settings": type("S", (MethodSettings,), fields)}
        )


class TwoLines(BetaVae):
    about = "one\ntwo"


class OwnLabel(BetaVae):
    supervision = "unsupervised"


class Incomplete(METHODS["vae"].__mro__[2]):  # GaussianMethod without a step
    title = short = "Incomplete"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interface": 2}, "was made for version 2 of the interface for plug-ins; this version of Disentangle Studio"),
        ({"name": "Sparse VAE"}, "'Sparse VAE' cannot be the name of the plug-in"),
        ({"name": 3}, "3 cannot be the name of the plug-in"),
        ({"version": ""}, "version of the plug-in sparse must be text such as '1.0', and is ''"),
        ({"methods": {}, "networks": {}, "datasets": {}}, "provides nothing"),
        ({"methods": [Sparse]}, "methods must be a dict of names and methods, and is a list"),
        ({"methods": {"beta-vae": Sparse}}, "already a method beta-vae, from the application itself"),
        ({"methods": {"sparse_vae": Sparse}}, "'sparse_vae' cannot be the name of the method"),
        ({"methods": {"sparse-vae": 3}}, "must be a class that derives from Method, and is an int"),
        ({"methods": {"sparse-vae": NoTitle}}, "needs title, a line of text"),
        ({"methods": {"sparse-vae": TextDefault}}, "is text; a schedule is Schedule.parse('0 to 2 over 50 %')."),
        ({"methods": {"sparse-vae": with_setting("seed")}}, "a setting seed, which is the name of a setting that all"),
        ({"methods": {"sparse-vae": with_setting("schedules")}}, "a setting schedules, which is the name of something"),
        ({"methods": {"sparse-vae": with_setting("copy")}}, "a setting copy, which is the name of something that all"),
        ({"methods": {"sparse-vae": TwoLines}}, "about of the method sparse-vae must be a line of text"),
        (
            {"methods": {"sparse-vae": OwnLabel}},
            "supervision of the method sparse-vae must be one of Supervision.NONE, Supervision.WEAK, Supervision.FULL",
        ),
        ({"networks": {"small": Sparse}}, "The network small must be a Network, and is a class Sparse"),
        ({"datasets": {"other": PLUGIN.datasets["blobs"]}}, "The data set other calls itself 'blobs'"),
        ({"datasets": {"blobs": None}}, "must be an Entry, and is a NoneType"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_nothing_is_added(changes, words):
    with pytest.raises(PluginError, match=r"^/home/ada/sparse\.py: ") as caught:
        register(replace(PLUGIN, **changes), ORIGIN)
    assert words in str(caught.value)


def test_a_second_plugin_of_the_name_is_refused_and_says_where_the_first_is():
    register(PLUGIN, ORIGIN)
    other = replace(PLUGIN, methods={"other": Sparse}, networks={}, datasets={})
    with pytest.raises(PluginError, match=r"There is already a plug-in sparse \(/home/ada/sparse.py\)"):
        register(other, Origin("", "", "0" * 64, "/tmp/other.py"))
    with pytest.raises(PluginError, match=r"There is already a method sparse-vae, from the plug-in sparse 1\.0"):
        register(replace(PLUGIN, name="third"), ORIGIN)


def test_what_is_no_plugin_is_refused():
    with pytest.raises(PluginError, match="PLUGIN must be a Plugin, and is a dict"):
        register({}, ORIGIN)
