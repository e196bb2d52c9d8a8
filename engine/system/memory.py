"""Memory: how much there is, and how it comes from the system, where the C library lets us say."""

import ctypes
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

# glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MIB = 2**20


def keep_freed_memory() -> None:
    """Let freed memory wait for the next training step instead of going back to the system.

    A step allocates and frees the same 100 MB each time, in pieces of up to 8 MB at 64 x 64 pixels and batch 64.
    Given back, every page of them is zeroed anew by the system: a seventh of the step. One arena for all threads,
    since glibc keeps nothing of a thread's own beyond 64 MB. Call it before threads start; elsewhere than on a Linux
    with glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)  # the largest that glibc takes
        mallopt(M_TRIM_THRESHOLD, 512 * MIB)
        mallopt(M_ARENA_MAX, 1)


def available_memory() -> int | None:
    """Bytes that programs can still take without swapping; half of all where only that is known, None where nothing."""
    with suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        if found := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
            return int(found.group(1)) * 1024
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None
