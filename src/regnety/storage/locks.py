"""Locks against other processes and threads; the system releases them when a process ends, also by a kill."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from regnety.errors import RecipeError
from regnety.text import reason_of


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a place against all other processes and threads; its folder is created.

    The system releases the lock when the process ends, also by a kill.

    Args:
        path: the place; the lock stands beside it.
        on_wait: called before waiting for a lock that somebody else holds; it may raise instead.
    """
    from filelock import FileLock, Timeout  # late: start-up takes no lock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def alone_in(run: Path, name: str, *, doing: str) -> Iterator[None]:
    """Be the only process that works in a folder, which is created. A killed process does not keep it locked.

    Args:
        run: the folder.
        name: of the lock, `.NAME.lock`.
        doing: what the other process does there, for the message: `training`.

    Raises:
        RecipeError: another process works there, or the folder cannot be created or written to.
    """

    def refuse() -> None:
        raise RecipeError(f"{run}: another process is {doing} there; wait for it, or name another output")

    with ExitStack() as stack:
        try:
            stack.enter_context(locked(run / name, on_wait=refuse))
        except OSError as error:
            raise RecipeError(f"{run}: cannot be created or written to: {reason_of(error)}") from error
        yield
