"""The processes of a training that share each step: the first one leads and holds the run, the others follow it.

The leader says what comes next over a channel of its own, on which followers wait without computing: while it saves,
draws previews, computes scores or is paused. A process that ends, however it ends, closes its connections, which ends
the others.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from engine.data.fingerprint import Fingerprint
from engine.errors import ConfigError
from engine.settings.run_config import RunConfig
from engine.training.place import Place
from engine.training.sharing import LostError, Sharing, exchanging

END, START = 0, -1

WAITING = timedelta(days=365)
"""How long followers wait for the leader, which may be paused."""

MOST = 64
"""Processes of a training that this application starts itself."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a follower starts with: the run's settings and data, and its state at a step."""

    config: RunConfig
    data: Fingerprint
    device: str
    threads: int
    networks: Mapping[str, torch.Tensor]
    optimisers: Mapping[str, Any]
    noise: torch.Tensor


class Team:
    """This process among those of a training, which it joins when it is made. Raises LostError if they do not meet."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sharing = Sharing(place.rank, place.size)
        if torch.cuda.is_available():
            torch.cuda.set_device(place.local % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with exchanging():
            if place.meeting is None:
                dist.init_process_group(backend)
            else:
                _stay_on_this_machine()
                torch.set_num_threads(max(1, torch.get_num_threads() // place.size))
                store = dist.FileStore(str(place.meeting), place.size)  # type: ignore[attr-defined]
                dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.size)
            self._channel: Any = dist.new_group(backend="gloo", timeout=WAITING)

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.place.size

    # The leader

    def start(self, start: Start) -> None:
        """Have the others start, and wait until they are ready. Raises LostError."""
        self._send(START)
        with exchanging():
            dist.broadcast_object_list([start], 0, self._channel)
        self.meet()
        self.meet()

    def step(self, step: int) -> None:
        """Have the others take a step, counted from 1, with this process. Raises LostError."""
        self._send(step)

    def end(self) -> None:
        """Let the others end, if they are still there."""
        with suppress(LostError):
            self._send(END)
        self.leave()

    # A follower

    def started(self) -> Start | None:
        """Wait for the leader to start; None if it ends without. Raises LostError."""
        if self.next() == END:
            return None
        found: list[Any] = [None]
        with exchanging():
            dist.broadcast_object_list(found, 0, self._channel)
        start: Start = found[0]
        return start

    def next(self) -> int:
        """Wait for what comes next: a step, counted from 1, or END. Raises LostError."""
        received = torch.zeros(1, dtype=torch.int64)
        with exchanging():
            dist.broadcast(received, 0, self._channel)
        return int(received)

    # Both

    def meet(self) -> None:
        """Wait until all processes are here. Raises LostError."""
        with exchanging():
            dist.barrier(self._channel)

    def leave(self) -> None:
        """Close the connections to the others."""
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def _send(self, number: int) -> None:
        with exchanging():
            dist.broadcast(torch.tensor([number]), 0, self._channel)


def check_processes(number: int, device: str) -> None:
    """Raise ConfigError unless this machine has a GPU for each of a number of processes; the CPU has room for several.

    `device` is the setting: "auto", "cpu", "cuda" or "mps".
    """
    if not 1 <= number <= MOST:
        raise ConfigError(f"--gpus is {number}; it must be a whole number from 1 to {MOST}.")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number > 1 and device != "cpu" and gpus < number:
        raise ConfigError(
            f"--gpus is {number}, and PyTorch finds {gpus or 'no'} GPU{'' if gpus == 1 else 's'} (CUDA) on this "
            "machine. With --device cpu, as many processes share the CPU."
        )


def _stay_on_this_machine(names: Callable[[], list[tuple[int, str]]] = socket.if_nameindex) -> None:
    """Have processes of one machine listen on its loopback interface only."""
    with suppress(OSError):
        for name in {name for _, name in names()} & {"lo", "lo0"}:
            for library in ("GLOO", "NCCL"):
                os.environ.setdefault(f"{library}_SOCKET_IFNAME", name)
