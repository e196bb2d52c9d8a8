"""What the machine does, against the system's own files and calls, and a stand-in for NVIDIA's library."""

import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from engine.system.machine import Sampler


def test_memory_and_disk_are_what_the_system_says(tmp_path):
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        pytest.skip("memory is read from /proc")
    lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
    total = 1024 * int(lines["MemTotal"].split()[0])
    sample = Sampler(tmp_path)()
    assert sample.memory_total == total
    assert 0 < sample.memory < total
    assert sample.disk_total - sample.disk == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    assert 0 <= sample.processor <= 1


def test_a_folder_that_does_not_exist_yet_is_on_the_disk_of_its_parent(tmp_path):
    assert Sampler(tmp_path / "not" / "yet")().disk_total == Sampler(tmp_path)().disk_total


def nvml(shares):
    """NVIDIA's library with a GPU for each share; None is one that does not report."""
    made = ModuleType("pynvml")
    made.NVMLError = type("NVMLError", (Exception,), {})

    def rates(device):
        if shares[device] is None:
            raise made.NVMLError
        return SimpleNamespace(gpu=shares[device])

    made.nvmlInit = lambda: None
    made.nvmlDeviceGetCount = lambda: len(shares)
    made.nvmlDeviceGetHandleByIndex = lambda number: number
    made.nvmlDeviceGetMemoryInfo = lambda device: SimpleNamespace(used=device * 10, total=80)
    made.nvmlDeviceGetUtilizationRates = rates
    return made


def test_the_busiest_gpu_is_reported(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", nvml([5, 70, None]))
    sample = Sampler(tmp_path)()
    assert (sample.gpu, sample.gpu_memory, sample.gpu_memory_total) == (0.7, 10, 80)


def test_without_a_gpu_or_a_driver_none_is_reported(tmp_path, monkeypatch):
    broken = nvml([])

    def fail():
        raise broken.NVMLError

    for module in (None, nvml([]), nvml([None]), broken):
        broken.nvmlInit = fail
        monkeypatch.setitem(sys.modules, "pynvml", module)
        assert Sampler(tmp_path)().gpu is None
