"""How the C library gives and takes memory: networks ask for the same large arrays again and again."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# Options of mallopt in glibc's malloc.h, and the largest values that it takes or that make sense.
_OPTIONS = {"M_MMAP_THRESHOLD": (-3, 32 * 1024**2), "M_TRIM_THRESHOLD": (-1, 2_000_000_000), "M_TOP_PAD": (-2, 2**28)}


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to about 2 GB, instead of handing it back at once.

    By default glibc returns every large array to the kernel, which clears its pages before they are used again: on
    two cores that is a third of the time that networks take.

    Returns
    -------
    bool
        Whether it was done; False where the C library is another one, and nothing changes.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        # Another C library, such as musl, has neither the name nor the function.
        return False
    taken = [mallopt(option, value) for option, value in _OPTIONS.values()]
    return all(answer == 1 for answer in taken)
