"""What a forked process makes anew: of a process with many threads its child has one, the one that forked.

Whatever another thread of the parent held, or was to do, stays so in the child for ever: a lock stays locked, a pool of
threads is one of none. So locks that last, and engines, are told in the child, before anything else runs there.
"""

import os
import sys
import threading
import weakref
from collections import Counter
from types import TracebackType
from typing import Protocol


class ProcessBound(Protocol):
    """Something of one process."""

    def after_fork(self) -> None:
        """Begin anew, in the child, without touching what the parent's threads may hold."""


class ProcessLock:
    """A lock that is free in a forked child, whoever held it in the parent."""

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
        """Nobody in this process holds it."""
        self._lock = threading.Lock()


_bound: "weakref.WeakSet[ProcessBound]" = weakref.WeakSet()
_forks_since_loaded: Counter[str] = Counter()


def bind(to_this_process: ProcessBound) -> None:
    """Have something told in every forked child, as long as it lives."""
    _bound.add(to_this_process)


def forks_since_loaded(module: str) -> int:
    """How many forks lie between the process that imported a module and this one, where its threads are not."""
    return _forks_since_loaded[module]


def never_free(thing: object) -> None:
    """Leave something of the parent's alone for good: taking it down would wait for threads that are not here."""
    import ctypes  # NumPy has imported it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _after_fork_in_child() -> None:
    _forks_since_loaded.update(name for name in ("torch",) if name in sys.modules)
    for thing in list(_bound):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
