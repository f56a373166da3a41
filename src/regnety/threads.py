"""Many small tasks on threads, which a Ctrl-C ends at any moment."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None = None
) -> Generator[Result]:
    """The result for each item, in their order; later ones are in work meanwhile.

    Args:
        work: called for each item, in any thread. What it raises is raised here, at that item's turn.
        items: all of them.
        threads: how many; None is one on each core.
    """
    # Not a pool of the standard library's: it is given all of its tasks first, which takes a while for 100,000, and a
    # Ctrl-C just then may leave one of its locks taken for ever. These threads take their tasks without a lock.
    waiting = deque(enumerate(items))
    done: SimpleQueue[tuple[int, Result | None, BaseException | None]] = SimpleQueue()

    def take() -> None:
        while True:
            try:
                number, item = waiting.popleft()
            except IndexError:
                return
            try:
                done.put((number, work(item), None))
            except BaseException as error:  # raised again below: nobody would see it here
                done.put((number, None, error))

    workers = [Thread(target=take, daemon=True) for _ in range(min(threads or os.cpu_count() or 1, len(items)))]
    early: dict[int, tuple[Result | None, BaseException | None]] = {}
    try:
        for worker in workers:
            worker.start()
        for number in range(len(items)):
            while number not in early:
                place, found, failure = done.get()
                early[place] = found, failure
            result, error = early.pop(number)
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # without an error it is the work's
    finally:
        waiting.clear()  # otherwise Ctrl-C would wait for all of them
        for worker in workers:
            if worker.ident is not None:
                worker.join()
