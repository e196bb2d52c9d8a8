"""Which plug-ins a run needs: those that its method, its network and its data set come from."""

from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.run_config import DATASET_TITLES, RunConfig
from engine.system.registry import Origin


def origins_of(config: RunConfig) -> tuple[Origin, ...]:
    """Return the plug-ins that settings need, each once; none where all is the application's own."""
    found = (
        METHODS.origin(config.objective),
        NETWORKS.origin(config.network),
        DATASET_TITLES.origin(config.dataset),
    )
    return tuple(dict.fromkeys(origin for origin in found if origin is not None))


def names_of(config: RunConfig) -> str:
    """Return the names of those plug-ins, e.g. "sparse-vae and blobs"; empty where there are none."""
    names = list(dict.fromkeys(origin.plugin for origin in origins_of(config)))
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
