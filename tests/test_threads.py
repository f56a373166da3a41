"""Tasks on threads: in order, each once, and over when they are no longer wanted."""

import threading
import time
from contextlib import closing

import pytest

from commands import python
from regnety.threads import in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(in_threads(work, range(60), threads=4)) == [number * number for number in range(60)]
    assert list(in_threads(work, [])) == []


def test_an_error_is_raised_at_its_items_turn_and_ends_the_rest() -> None:
    done = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        time.sleep(0.001)
        done.append(number)
        return number

    results = in_threads(work, range(10_000), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert len(done) < 1000


def test_what_is_closed_leaves_no_thread() -> None:
    before = threading.active_count()
    with closing(in_threads(time.sleep, [0.001] * 10_000, threads=3)) as results:
        next(results)
    assert threading.active_count() == before


def test_ctrl_c_ends_a_hundred_thousand_tasks_that_have_just_begun() -> None:
    code = (
        "import os, signal, threading, time\nfrom regnety.threads import in_threads\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n    list(in_threads(time.sleep, [0.001] * 100_000))\n"
        "except KeyboardInterrupt:\n    print('stopped')"
    )
    assert python(code).stdout == "stopped\n"
