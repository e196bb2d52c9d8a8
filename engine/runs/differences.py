"""Which settings a run looks at, which of them change what it learns, and in which of them runs differ.

The one place that says so: tables, studies, the comparison of settings and the form take it from here.
"""

from collections.abc import Sequence
from typing import Any

from engine.data import ENTRIES
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.run_config import OWN_DATA, RunConfig, all_settings

MACHINE = frozenset({"device", "threads", "log_steps", "checkpoint_steps", "preview_steps", "keep_steps"})
"""Settings of the machine and of what is recorded, which do not change what is learnt."""


def not_looked_at(objective: str, dataset: str, network: str) -> frozenset[str]:
    """Common settings that play no part with this method, data set and network."""
    unused = {*METHODS[objective].ignores}
    if not ENTRIES[dataset].path_kind:
        unused.add("data_folder")
    if dataset != "images":
        unused.add("image_size")
    if not NETWORKS[network].normalises:
        unused.add("normalisation")
    return frozenset(unused)


def settings_in_use(config: RunConfig) -> dict[str, Any]:
    """The settings that a run looks at, with their values; of the two lengths, the one that is in force."""
    unused = {*not_looked_at(config.objective, config.dataset, config.network)}
    unused.add("epochs" if config.steps is not None else "steps")
    return {name: value for name, value in config.flat().items() if name not in unused}


def what_matters(config: RunConfig) -> tuple[tuple[str, Any], ...]:
    """The settings that change what a run learns; runs in which they agree are the same experiment.

    Left out are what the run does not look at, `MACHINE`, and, for the data sets that the application knows, where
    their files are.
    """
    left_out = MACHINE if config.dataset in OWN_DATA else MACHINE | {"data_folder"}
    return tuple((name, value) for name, value in settings_in_use(config).items() if name not in left_out)


def differing_settings(configs: Sequence[RunConfig]) -> list[str]:
    """Names of the settings in which those runs differ that look at them, in the order of the form.

    A method's own setting says nothing of a run of another method, so it differs only between runs that both have it.
    The length differs also where one run has it in epochs and another in steps.
    """
    used = [settings_in_use(config) for config in configs]
    lengths = {name for settings in used for name in ("epochs", "steps") if name in settings}
    found = []
    for name in all_settings():
        values = {settings[name] for settings in used if name in settings}
        if len(values) > 1 or (len(lengths) > 1 and name in lengths):
            found.append(name)
    return found
