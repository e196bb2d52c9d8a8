"""A process that takes each step of a training together with the one that leads it; it writes nothing."""

import torch

from engine.data import fingerprint_of, load_prepared, prepare
from engine.errors import DataError
from engine.runs.plugins_used import require_plugins
from engine.training.steps import Steps
from engine.training.team import Start, Team


def follow(team: Team) -> None:
    """Take the leader's steps until it ends.

    Raises StudioError if the data or a plug-in of the run are not there or differ, or if another process is gone.
    """
    try:
        start = team.started()
        if start is None:
            return
        steps = _ready(team, start)
        while step := team.next():
            steps.take(step)
    finally:
        team.leave()


def _ready(team: Team, start: Start) -> Steps:
    """The leader's state in this process; its data are prepared once per machine."""
    config = start.config
    require_plugins(config)
    torch.set_num_threads(start.threads)
    if team.place.local == 0:
        for _ in prepare(*config.data):
            pass
    team.meet()
    dataset = load_prepared(*config.data)
    if changes := start.data.changes(fingerprint_of(dataset)):
        raise DataError(f"The data differ between the machines of this training ({changes}).")
    steps = Steps(config, dataset, torch.device(start.device), team.sharing)
    steps.method.networks.load_state_dict(start.networks)
    for name, optimiser in steps.stepper.optimisers.items():
        optimiser.load_state_dict(start.optimisers[name])
    steps.stepper.noise.set_state(start.noise)
    steps.method.train()
    team.meet()
    return steps
