"""What must be created again in a forked child: of the parent's threads it has only the one that forked.

A lock that another thread held stays locked in the child for ever, and a pool of threads has no threads left. So locks
and engines that outlive a call register here, and are reset in the child before anything else runs there.
"""

import os
import sys
import threading
import time
import weakref
from collections import Counter
from types import TracebackType
from typing import Protocol

LONGEST_IMPORT_S = 5.0
"""After which a fork no longer waits for an import of another thread, which may itself wait for the one that forks."""


class ProcessBound(Protocol):
    """Something that belongs to one process."""

    def after_fork(self) -> None:
        """Start over in the child, without touching what the parent's threads may hold."""


class ProcessLock:
    """A lock that is free in a forked child, even if a thread of the parent held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        bind(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def after_fork(self) -> None:
        """A new lock, as the thread that may hold the old one is not in this process."""
        self._lock = threading.Lock()


# Weak, so that registering keeps nothing alive: a process may make and drop thousands of predictors.
_bound: "weakref.WeakSet[ProcessBound]" = weakref.WeakSet()
_forks_since_loaded: Counter[str] = Counter()


def bind(to_this_process: ProcessBound) -> None:
    """Call something's `after_fork` in every forked child, as long as it lives."""
    _bound.add(to_this_process)


def forks_since_loaded(module: str) -> int:
    """How many forks lie between the process that imported a module and this one; its threads stayed behind."""
    return _forks_since_loaded[module]


def never_free(thing: object) -> None:
    """Never free an object of the parent's: its destructor would wait for threads that this process does not have."""
    import ctypes  # NumPy has imported it

    # one reference too many, so that the count never reaches 0, not even when the interpreter ends
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _wait_for_imports() -> None:
    """Let the imports of other threads end before a fork: their modules would stay locked in the child for ever.

    A worker imports Pillow at its first PNG, and an engine is imported when it starts.
    """
    own: set[str | None] = set()  # what this thread is in the middle of importing cannot end before the fork
    frame = sys._getframe()
    while frame is not None:
        own.add(frame.f_globals.get("__name__"))
        frame = frame.f_back  # type: ignore[assignment]
    end = time.monotonic() + LONGEST_IMPORT_S
    while time.monotonic() < end and any(
        getattr(getattr(module, "__spec__", None), "_initializing", False)
        # A copy is made in one step; a list of items may set off the garbage collection, and with it imports.
        for name, module in sys.modules.copy().items()
        if name not in own
    ):
        time.sleep(0.001)


def _after_fork_in_child() -> None:
    _forks_since_loaded.update(name for name in ("torch",) if name in sys.modules)
    for thing in list(_bound):  # a copy: resetting one may register others
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_wait_for_imports, after_in_child=_after_fork_in_child)
