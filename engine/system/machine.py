"""What the machine does: processor, memory, GPU and disk, as the system reports them."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of the machine at one moment. Shares are from 0 to 1, sizes in bytes."""

    processor: float
    """Share of all cores that was busy since the previous sample."""
    memory: int
    memory_total: int
    disk: int
    """Used on the disk of the runs folder."""
    disk_total: int
    gpu: float | None = None
    """Share of the time in which the busiest GPU worked; None without NVIDIA's library (nvidia-ml-py)."""
    gpu_memory: int = 0
    gpu_memory_total: int = 0


class Sampler:
    """Takes samples; `folder` is on the disk to report. Used from one thread only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nvml: Any = None
        self._devices: list[Any] | None = None
        psutil.cpu_percent()  # the first call has nothing to compare with

    def __call__(self) -> Sample:
        """Return the state of the machine."""
        memory, disk = psutil.virtual_memory(), self._disk()
        gpu = self._busiest()
        return Sample(
            psutil.cpu_percent() / 100,
            memory.total - memory.available,
            memory.total,
            *disk,
            *(gpu or (None, 0, 0)),
        )

    def _disk(self) -> tuple[int, int]:
        """Return the used and all bytes of the disk; that of the nearest folder that exists."""
        for folder in (self._folder, *self._folder.parents):
            try:
                usage = psutil.disk_usage(str(folder))
            except OSError:
                continue
            return usage.used, usage.used + usage.free  # without what is reserved for the system
        return 0, 0

    def _busiest(self) -> tuple[float, int, int] | None:
        """Return utilisation, used and all memory of the busiest GPU; None if there is none that can be read."""
        if self._devices is None:
            self._devices = self._find_devices()
        found: list[tuple[float, int, int]] = []
        for device in self._devices:
            try:
                memory = self._nvml.nvmlDeviceGetMemoryInfo(device)
                share = self._nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
            except self._nvml.NVMLError:  # a virtual GPU may not report it
                continue
            found.append((share, int(memory.used), int(memory.total)))
        return max(found, default=None)

    def _find_devices(self) -> list[Any]:
        try:
            self._nvml = importlib.import_module("pynvml")
        except ImportError:
            return []
        try:
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
            return [self._nvml.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
        except self._nvml.NVMLError:  # no driver
            return []
