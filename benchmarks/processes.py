"""One process from its start to its end: its time, and the most memory that it had.

Whoever measures imports nothing but the standard library: the peak that Linux reports for a process is never below what
the one that started it had.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

NOT_AS_USERS_HAVE_IT = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""The first makes every run compile what it imports."""
SAMPLED_EVERY_S = 0.002
"""An array of a megabyte takes about as long to be filled."""
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Run:
    """One process."""

    seconds: float
    peak_mib: float
    """Of all that was resident, files that were mapped among it."""
    peak_anonymous_mib: float
    """Of what no file stands behind: what the system cannot take back. Sampled; 0 where it is not asked for."""
    stdout: str


def run(command: list[str], *, sample_memory: bool = False, **environment: str) -> Run:
    """Start a process, wait for its end, and ask the system what it took.

    Args:
        command: its arguments.
        sample_memory: ask for its anonymous memory all the while, which only Linux tells.
        environment: variables besides those of this process.
    """
    environment = {key: value for key, value in os.environ.items() if key not in NOT_AS_USERS_HAVE_IT} | environment
    start_ns = time.monotonic_ns()
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr)
        anonymous_kib = _sample(process.pid) if sample_memory else 0
        _, status, usage = os.wait4(process.pid, 0)
        seconds = (time.monotonic_ns() - start_ns) / 1e9
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)}: {stderr.read()}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Run(seconds, usage.ru_maxrss * unit / MEBIBYTE, anonymous_kib / 1024, stdout.read())


def _sample(pid: int) -> int:
    """The largest RssAnon of a process until its end, in KiB."""
    largest = 0
    while True:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
        _, found, rest = status.partition("RssAnon:")
        if not found:  # it has ended and waits to be asked how
            return largest
        largest = max(largest, int(rest.split(maxsplit=1)[0]))
        time.sleep(SAMPLED_EVERY_S)


def processor() -> str:
    """Its name, the cores that this process may use, and its kind."""
    lines = _cpuinfo()
    if not lines:
        return platform.processor() or platform.machine()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {processor_kind()}"


def processor_kind() -> str:
    """`AVX-512 bf16`, `AVX2` or `no AVX2`: what targets depend on."""
    flags = next((line.split() for line in _cpuinfo() if line.startswith("flags")), [])
    return "AVX-512 bf16" if "avx512_bf16" in flags else "AVX2" if "avx2" in flags else "no AVX2"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []


def regnety_command() -> list[str]:
    """The installed command where there is one beside this interpreter."""
    script = Path(sys.executable).with_name("regnety")
    return [str(script)] if script.exists() else [sys.executable, "-m", "regnety"]
