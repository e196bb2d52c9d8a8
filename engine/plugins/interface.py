"""Everything that a plug-in may use: import from here, and from nowhere else in the application.

A plug-in is a Python file, or a module of an installed package, that defines ``PLUGIN = Plugin(...)``. This module
holds interface `INTERFACE`: whatever is listed here keeps its name and its meaning as long as that number stays.
Examples of each kind are in ``resources/examples``, and CONTRIBUTING.md explains them.

Importing this module loads no torch, so that the application starts at once; the functions and classes below "With
torch" load it when they are first imported. Import them inside the functions that need them.

A plug-in
    `Plugin` lists what it provides; `INTERFACE` is the version of the interface that it was written for.

A method
    Derive from `PenaltyMethod` if it minimises a reconstruction loss plus a penalty on Gaussian codes (`Codes`), from
    `GaussianMethod` if it has its own training step, from `Method` for anything else. Its settings derive from
    `MethodSettings`, each made by `setting`; one annotated `Weight` may follow a schedule over the run (by default, if
    its default is a `Schedule`), and a step sees its current value in `self.settings`. A `Term` is a curve of the
    method. A step gets a `Batch` and a `Context`; `encode` returns a `Posterior`. `Latent` says what a latent is and of
    which `Kind`, `Supervision` what a method learns from besides the images, a `Sampler` such as `Independent` which
    images a step sees. `RunConfig` holds the settings of the run: those of all methods by name, and the method's own
    under `method`.

A network
    Derive from `Network`; `NetworkSpec` says what it must fit. `SIDES` and `CHANNELS` are those that images can have.

A metric
    Derive from `Metric`; its columns are made by `column`, each `Need` is something that it requires, and it returns a
    number, a `Score`, or the reason why there is none. It is computed from a `Representation`.

A data set
    An `Entry`, whose `load` returns a `Dataset`: an `ArrayStore` or `BitStore` with images, `Factors`, and splits (from
    `split_90_10` if it has none). `prepared_folder` is where it may keep what it has downloaded or drawn; `prepare` is
    a `Job` that yields `Progress` and `Finished`.

Errors
    The messages of `DataError` and `ConfigError` are shown to the user: sentences on what happened and what to do.

With torch
    `reconstruction_per_image`, `kl_per_latent` and `sample` are the parts of a VAE; `update` takes a step of an
    optimiser. `GaussianEncoder` computes mean and log-variance from features. `mutual_information` is that of MIG.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.data import ArrayStore, BitStore, Dataset, Entry, Factors
from engine.data.cache import prepared_folder, split_90_10
from engine.errors import ConfigError, DataError
from engine.evaluation.catalogue import Need
from engine.evaluation.metric import Metric, Score, column
from engine.jobs.events import Finished, Job, Progress
from engine.methods.base import Batch, Context, Method, MethodSettings, Posterior, Supervision, Term
from engine.methods.gaussian import Codes, GaussianMethod, PenaltyMethod
from engine.methods.latents import Kind, Latent
from engine.methods.samplers import Independent, Sampler
from engine.methods.updates import update
from engine.networks.network import CHANNELS, SIDES, Network
from engine.networks.spec import NetworkSpec
from engine.plugins.plugin import INTERFACE, Plugin
from engine.settings.run_config import RunConfig
from engine.system.fields import Weight, setting
from engine.system.schedule import Schedule

if TYPE_CHECKING:
    from engine.evaluation.mig import mutual_information
    from engine.evaluation.representation import Representation
    from engine.methods.terms import kl_per_latent, reconstruction_per_image
    from engine.networks.layers import GaussianEncoder
    from engine.networks.vae import sample

__all__ = [
    "CHANNELS",
    "INTERFACE",
    "SIDES",
    "ArrayStore",
    "Batch",
    "BitStore",
    "Codes",
    "ConfigError",
    "Context",
    "DataError",
    "Dataset",
    "Entry",
    "Factors",
    "Finished",
    "GaussianEncoder",
    "GaussianMethod",
    "Independent",
    "Job",
    "Kind",
    "Latent",
    "Method",
    "MethodSettings",
    "Metric",
    "Need",
    "Network",
    "NetworkSpec",
    "PenaltyMethod",
    "Plugin",
    "Posterior",
    "Progress",
    "Representation",
    "RunConfig",
    "Sampler",
    "Schedule",
    "Score",
    "Supervision",
    "Term",
    "Weight",
    "column",
    "kl_per_latent",
    "mutual_information",
    "prepared_folder",
    "reconstruction_per_image",
    "sample",
    "setting",
    "split_90_10",
    "update",
]

_LOADED_ON_USE = {
    "GaussianEncoder": "engine.networks.layers",
    "Representation": "engine.evaluation.representation",
    "kl_per_latent": "engine.methods.terms",
    "mutual_information": "engine.evaluation.mig",
    "reconstruction_per_image": "engine.methods.terms",
    "sample": "engine.networks.vae",
}


def __getattr__(name: str) -> Any:
    if name in _LOADED_ON_USE:
        return getattr(import_module(_LOADED_ON_USE[name]), name)
    raise AttributeError(f"the interface for plug-ins has no {name!r}; its docstring lists what it has")
