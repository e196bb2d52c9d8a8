"""Settings that a run uses, those that change what it learns, and those in which runs differ.

Tables, studies, the comparison of settings and the form all rely on these definitions.
"""

from collections.abc import Sequence
from typing import Any

from engine.data import ENTRIES
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.run_config import OWN_DATA, RunConfig, all_settings

MACHINE = frozenset(
    {"device", "threads", "log_steps", "checkpoint_steps", "preview_steps", "score_steps", "keep_steps"}
)
"""Settings of the machine and of recording, which do not change what is learned."""


def unused_settings(objective: str, dataset: str, network: str) -> frozenset[str]:
    """Return the common settings that have no effect with this method, data set and network."""
    unused = {*METHODS[objective].ignores}
    if not ENTRIES[dataset].path_kind:
        unused.add("data_folder")
    if not ENTRIES[dataset].factors:
        unused.add("subset")
    if dataset != "images":
        unused.add("image_size")
    if not NETWORKS[network].normalises:
        unused.add("normalisation")
    return frozenset(unused)


def settings_in_use(config: RunConfig) -> dict[str, Any]:
    """Return the settings that a run uses, with their values; of epochs and steps, only the one in force."""
    unused = {*unused_settings(config.objective, config.dataset, config.network)}
    unused.add("epochs" if config.steps is not None else "steps")
    return {name: value for name, value in config.flat().items() if name not in unused}


def experiment_settings(config: RunConfig) -> tuple[tuple[str, Any], ...]:
    """Return the settings that change what a run learns; runs that agree in them are the same experiment.

    These are the settings in use, except `MACHINE` and, for built-in data sets, the folder of their files.
    """
    left_out = MACHINE if config.dataset in OWN_DATA else MACHINE | {"data_folder"}
    return tuple((name, value) for name, value in settings_in_use(config).items() if name not in left_out)


def differing_settings(configs: Sequence[RunConfig]) -> list[str]:
    """Return the names of the settings in which runs that use them differ, in the order of the form.

    A method's own setting means nothing for a run of another method, so it differs only between runs that have it. The
    length also differs if one run has it in epochs and another in steps.
    """
    used = [settings_in_use(config) for config in configs]
    lengths = {name for settings in used for name in ("epochs", "steps") if name in settings}
    found = []
    for name in all_settings():
        values = {settings[name] for settings in used if name in settings}
        if len(values) > 1 or (len(lengths) > 1 and name in lengths):
            found.append(name)
    return found
