"""Runs that are alike but for the seed: of the same settings, data and code."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeAlias, TypeVar

from engine.runs.differences import experiment_settings
from engine.runs.run import Run

Key: TypeAlias = tuple[Hashable, ...]

Member = TypeVar("Member")


def experiment_key(run: Run) -> Key:
    """Return what runs that differ only in their seed have in common.

    These are the settings that change what is learned, the data and plug-ins that the run was trained with, before and
    after it was resumed with others, and the number of steps that a point of its curves is a mean of.
    """
    settings = tuple((name, value) for name, value in experiment_settings(run.config) if name != "seed")
    data = (run.trained_on, run.class_order, *((former.step, former.data) for former in run.former))
    code = tuple(use.fingerprint for use in run.plugins)
    before = tuple((each.step, *(use.fingerprint for use in each.plugins)) for each in run.former_plugins)
    return (settings, run.config.log_steps, data, code, before)


def seed_groups(
    members: Iterable[Member], key_of: Callable[[Member], Key], seed_of: Callable[[Member], int]
) -> list[list[Member]]:
    """Return groups that agree in their key, in order of first occurrence, each sorted by seed.

    Each seed counts once: another run of a seed that a group already has tells nothing new about the spread over seeds,
    so it is a group of its own.
    """
    groups: dict[Key, dict[int, Member]] = {}
    found: list[dict[int, Member]] = []
    for member in members:
        key, seed = key_of(member), seed_of(member)
        if key not in groups:
            groups[key] = {}
            found.append(groups[key])
        if seed in groups[key]:
            found.append({seed: member})
        else:
            groups[key][seed] = member
    return [[group[seed] for seed in sorted(group)] for group in found]
