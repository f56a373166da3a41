"""Processes that train together, as `torchrun` starts them, but forked from one that has imported torch already."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_PROGRAM = """
import json, os, sys
import torch
import torch.distributed
import regnety.training.run
import regnety.cli.commands.train
from regnety.cli.main import main

def rank(number, request):
    os.environ.update(
        RANK=str(number), LOCAL_RANK=str(number), WORLD_SIZE=str(request["count"]),
        LOCAL_WORLD_SIZE=str(request["count"]), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(request["port"]),
    )
    if request["count"] == 0:
        del os.environ["LOCAL_RANK"]
    for stream, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{request['folder']}/{number}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    sys.argv[1:] = request["arguments"]
    main()

print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    children = []
    for number in range(max(1, request["count"])):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                rank(number, request)
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        children.append(child)
    print(json.dumps(children), flush=True)
    # as torchrun: when one fails the others are ended
    statuses = {}
    while len(statuses) < len(children):
        child, status = os.waitpid(-1, 0)
        statuses[child] = os.waitstatus_to_exitcode(status)
        if statuses[child] != 0:
            for other in set(children) - set(statuses):
                os.kill(other, 15)
    print(json.dumps([statuses[child] for child in children]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """What the processes of a run left."""

    statuses: list[int]
    out: list[str]
    err: list[str]


class Ranks:
    """Starts them; as a context manager it has what they are forked from."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="ranks")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # sums over several threads differ in their last bits
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read_line() == "ready"
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()

    def run(self, count: int, arguments: Sequence[str]) -> Ended:
        """`regnety` with these arguments in so many processes; 0 is one that is not told of any others."""
        self.start(count, arguments)
        return self.wait()

    def start(self, count: int, arguments: Sequence[str]) -> list[int]:
        """The same, without waiting; the numbers of the processes."""
        self._place = Path(tempfile.mkdtemp(dir=self._folder.name))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        request = {"count": count, "port": port, "folder": str(self._place), "arguments": list(arguments)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        processes: list[int] = json.loads(self._read_line())
        return processes

    def kill(self, process: int) -> None:
        """As the kernel does where memory ends."""
        os.kill(process, signal.SIGKILL)

    def wait(self) -> Ended:
        """The end of what was started."""
        statuses: Any = json.loads(self._read_line())
        texts = {
            stream: [(self._place / f"{rank}.{stream}").read_text("utf-8") for rank in range(len(statuses))]
            for stream in ("out", "err")
        }
        return Ended(statuses, texts["out"], texts["err"])

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that they are forked from has ended"
        return line.strip()
