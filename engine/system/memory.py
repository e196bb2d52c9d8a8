"""Memory: how much is available, and how the C library takes it from the system."""

import ctypes
import sys

import psutil

# glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MIB = 2**20


def keep_freed_memory() -> None:
    """Keep freed memory for the next training step instead of returning it to the system.

    Each step allocates and frees the same 100 MB, in blocks of up to 8 MB (64 x 64 pixels, batch size 64). If they were
    returned, the system would zero every page again, which takes a seventh of the step. All threads share one arena,
    since glibc keeps no more than 64 MB in a thread's own. Call this before starting threads; it has no effect except
    on Linux with glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * MIB)  # the largest value that glibc accepts
        mallopt(M_TRIM_THRESHOLD, 512 * MIB)
        mallopt(M_ARENA_MAX, 1)


def available_memory() -> int:
    """Return the bytes available without swapping."""
    return int(psutil.virtual_memory().available)
