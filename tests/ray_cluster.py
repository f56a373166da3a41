"""A real Ray cluster on this machine, of one node in processes of their own, which ends with whoever started it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType

HOST = "127.0.0.2"
"""A loopback address that Ray takes as it is; for 127.0.0.1 it takes the machine's own."""
ENVIRONMENT = {"RAY_AUTH_MODE": "disabled"}
"""Of the cluster and of whoever uses it: a token would be kept in the user's home."""
STARTING_S = 120.0
OPTIONS = (
    "--head",
    "--block",
    f"--node-ip-address={HOST}",
    "--num-cpus=2",
    f"--object-store-memory={200 << 20}",
    "--include-dashboard=false",
    "--disable-usage-stats",
)
_PROGRAM = """
import os, signal, subprocess, sys
ray = subprocess.Popen([sys.executable, "-m", "ray.scripts.scripts", "start", *sys.argv[1:]], start_new_session=True)
sys.stdin.read()  # until whoever started this ends, however that happens
os.killpg(ray.pid, signal.SIGTERM)
try: ray.wait(3)
except subprocess.TimeoutExpired: os.killpg(ray.pid, signal.SIGKILL)
"""


class RayCluster:
    """The cluster; as a context manager it runs.

    Args:
        environment: more variables of its processes, and so of the workers.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.address = f"{HOST}:{free.getsockname()[1]}"
        self._folder = tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True)

    def __enter__(self) -> "RayCluster":
        port = self.address.partition(":")[2]
        place = [f"--port={port}", f"--temp-dir={self._folder.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _PROGRAM, *OPTIONS, *place],
            env={**os.environ, **ENVIRONMENT, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + STARTING_S
        while True:
            try:
                socket.create_connection((HOST, int(port)), timeout=1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, "Ray does not start"
                time.sleep(0.2)

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STARTING_S)
        self._folder.cleanup()

    @property
    def process_number(self) -> int:
        """The process that all of the cluster's are below."""
        return self._process.pid

    def worker_processes(self) -> list[int]:
        """Of the actors that have a model."""
        return [number for number, title in descendants(self._process.pid) if title.startswith("ray::MapWorker")]

    def kill_worker(self, number: int) -> None:
        """As the kernel does where memory ends."""
        os.kill(number, signal.SIGKILL)


def descendants(top: int) -> list[tuple[int, str]]:
    """Numbers and titles of all processes below one."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    parents, titles = {}, {}
    for line in table.splitlines():
        number, parent, title = line.split(None, 2)
        parents[int(number)], titles[int(number)] = int(parent), title
    found = []
    for number in parents:
        above = number
        while above in parents and above != top:
            above = parents[above]
        if above == top and number != top:
            found.append((number, titles[number]))
    return found
