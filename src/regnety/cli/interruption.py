"""SIGTERM, by which schedulers and supervisors end a process, as an exception that work can end on as on Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM came, and the process is to end as its sender expects: with status 143."""


@contextmanager
def terminated_as(kind: type[KeyboardInterrupt]) -> Iterator[None]:
    """Raise an exception of that kind where SIGTERM comes."""

    def interrupt(*_: object) -> None:
        raise kind

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
