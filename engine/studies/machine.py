"""How many runs of a study go side by side on this machine, and with how many threads each."""

import os
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.system.memory import available_memory

WORKER_MEMORY = 1.3e9
"""Bytes that training on dSprites takes, PyTorch included."""

MOST_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """So many `workers` side by side, with so many `threads` each (0: as PyTorch chooses), on a `device`.

    `resolved` is the device that it is on this machine.
    """

    workers: int
    threads: int
    device: str
    resolved: str


def plan_for(cells: int, device: str = "auto", workers: int | None = None, threads: int | None = None) -> Plan:
    """Choose what is not given for a study of so many cells. Raises ConfigError.

    On a CPU one thread for each run and a run for each core: a small network's threads mostly wait for each other. The
    threads depend on the cores and the study alone, not on what is done already or on free memory, so that a study
    gives the same numbers however often it is interrupted.
    """
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"workers is {workers}; it must be a whole number from 1 to {MOST_WORKERS}.")
    resolved = _resolved(device)
    if resolved != "cpu":
        return Plan(workers or 1, threads or 0, device, resolved)
    cores = _cores()
    if threads is None:
        threads = max(1, cores // (workers or min(cores, cells)))
    if workers is None:
        room = available_memory()
        fit = cores if room is None else int(room / WORKER_MEMORY)
        workers = max(1, min(cells, cores // max(1, threads), fit))
    return Plan(workers, threads, device, resolved)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _resolved(device: str) -> str:
    if device != "auto":
        return device
    from engine.networks.tensors import choose_device

    return choose_device(device).type
