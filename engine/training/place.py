"""The place of a process among those that train a run together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a process: number `rank` of `size`, and number `local` of those on its machine.

    They meet through a new file, or, without one, as the environment says that `torchrun` sets.
    """

    rank: int
    size: int
    local: int
    meeting: Path | None = None


def place_given(environment: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place that `torchrun` gives this process; None if it was not started by it, or alone.

    Raises ConfigError if the environment is incomplete.
    """
    if "TORCHELASTIC_RUN_ID" not in environment or environment.get("WORLD_SIZE", "1") == "1":
        return None
    try:
        rank, size, local = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    except (KeyError, ValueError):
        raise ConfigError("The environment names torchrun, but not RANK, WORLD_SIZE and LOCAL_RANK.") from None
    return Place(rank, size, local)
