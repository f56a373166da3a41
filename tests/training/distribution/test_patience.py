"""How long workers wait for each other."""

import os
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, time
from datetime import timedelta
import torch
from regnety.training.distribution import workers
workers.STEP_PATIENCE = timedelta(seconds=2)
with workers.joined() as own:
    assert own.led(lambda: time.sleep(4) or 7) == 7
    if own.rank:
        time.sleep(60)  # as if its machine had gone without a word
    began = time.monotonic()
    try:
        own.sum(torch.zeros(1))
    finally:
        print(f"waited {time.monotonic() - began:.0f} s", flush=True)
"""


@pytest.mark.slow
def test_long_for_work_of_the_first_and_not_for_one_that_is_gone() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **places, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    )
    try:
        out, err = first.communicate(timeout=50)
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert first.returncode == 1
    assert out == "waited 2 s\n"
    last = err.strip().splitlines()[-1]
    assert "AnotherWorkerEndedError: another worker of this run has ended, or cannot be reached (" in last
