"""Memory that a step has freed stays with the process until the next step, where the C library is glibc.

By itself glibc gives large blocks back to the system at once, and each step asks for all of them again: the system then
clears every page when it is first written to, which took a quarter of a step of regnety_002 (50,000 pages).
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# Parameters of mallopt (malloc.h), and what glibc has for them in a process that has freed large blocks before.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1
_USUAL_TRIM_THRESHOLD, _USUAL_MMAP_MAX = 64 << 20, 65536


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep it meanwhile. It changes nothing but time; what is kept at the end is used by later blocks of any size."""
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)  # no block is mapped by itself: such blocks are always given back
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _USUAL_MMAP_MAX)
        library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD)


@cache
def _glibc() -> Any:
    """The C library, where it is glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None
