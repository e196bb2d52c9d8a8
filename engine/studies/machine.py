"""Number of parallel runs of a study on this machine, and of threads for each."""

import os
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.system.memory import available_memory

WORKER_MEMORY = 1.3e9
"""Bytes that training on dSprites takes, including PyTorch."""

MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """Number of parallel `workers`, `threads` for each (0: PyTorch's choice), and `device`.

    `resolved` is the actual device on this machine.
    """

    workers: int
    threads: int
    device: str
    resolved: str


def plan_for(cells: int, device: str = "auto", workers: int | None = None, threads: int | None = None) -> Plan:
    """Choose the plan for a study with some number of cells, as far as it is not given. Raises ConfigError.

    On a CPU, each core runs one run with one thread, since the threads of a small network mostly wait for each other.
    The number of threads depends only on the cores and the study, not on the cells done or on free memory, so that an
    interrupted study gives the same results.
    """
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(f"workers is {workers}; it must be a whole number from 1 to {MAX_WORKERS}.")
    resolved = _resolved(device)
    if resolved != "cpu":
        return Plan(workers or 1, threads or 0, device, resolved)
    cores = _cores()
    if threads is None:
        threads = max(1, cores // (workers or min(cores, cells)))
    if workers is None:
        fit = int(available_memory() / WORKER_MEMORY)
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
