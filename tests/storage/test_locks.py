"""Locks, held by processes that end in different ways."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regnety.storage.locks import locked

HELD_BY_ANOTHER = """
import os, signal, sys
from pathlib import Path
from regnety.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["release", "kill"])
def test_a_lock_ends_with_whoever_holds_it(end: str, tmp_path: Path) -> None:
    place = tmp_path / "folder" / "file"
    command = [sys.executable, "-c", HELD_BY_ANOTHER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        give_way = holder.kill if end == "kill" else holder.stdin.close
        waited = []
        with locked(place, on_wait=lambda: waited.extend([holder.poll(), give_way()])):
            assert holder.wait(20) == (-signal.SIGKILL if end == "kill" else 0)
    assert waited == [None, None], "it was alive when it was waited for"
    with locked(place, on_wait=lambda: pytest.fail("nobody has it")):
        pass
