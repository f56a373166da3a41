"""Memory between steps: no page is asked of the system twice."""

import os
import subprocess
import sys

import pytest

from regnety.training import freed_memory
from regnety.training.freed_memory import freed_memory_kept

PROGRAM = """
import resource, sys
import torch
from regnety.training.freed_memory import freed_memory_kept

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(1 << 24)  # 64 MiB: 16,384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
pages()
usual = pages()
with freed_memory_kept():
    for _ in range(4):  # until the room that was freed is large enough for an aligned block of the same size
        kept = pages()
print(usual, kept)
"""


@pytest.mark.skipif(freed_memory._glibc() is None, reason="needs glibc")
def test_freed_memory_is_used_again() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    usual, kept = map(int, done.stdout.split())
    assert kept < 1000
    if usual < 10_000:
        pytest.skip("huge pages everywhere: there is little to be spared")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    freed_memory._glibc.cache_clear()
    try:
        assert freed_memory._glibc() is None
        with freed_memory_kept():
            pass
    finally:
        freed_memory._glibc.cache_clear()
