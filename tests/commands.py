"""The command line and the interpreter as real processes."""

import os
import struct
import subprocess
import sys
from unittest.mock import patch

import pytest

from regnety.cli.main import run

TIMEOUT_S = 120
"""A process that takes longer hangs; the slowest takes some seconds."""


def regnety(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`regnety ARGUMENTS`, with more environment variables."""
    return _run([sys.executable, "-m", "regnety", *map(str, arguments)], environment)


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs code, with warnings as errors."""
    return _run([sys.executable, "-W", "error", "-c", code, *map(str, arguments)], environment)


def regnety_here(capfd: pytest.CaptureFixture[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """`regnety ARGUMENTS` within this process, where torch has been imported already."""
    command = ["regnety", *map(str, arguments)]
    with patch.object(sys, "argv", command):
        status = run()
    out, err = capfd.readouterr()
    return subprocess.CompletedProcess(command, status, out, err)


def on_terminal(line: list[str], columns: int, **environment: str) -> str:
    """What a command writes to a terminal of that width. Where there are no such terminals the test is skipped."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        line, stdout=slave, stderr=subprocess.DEVNULL, env={**clean, "TERM": "xterm-256color", **environment}
    )
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 1 << 16)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    os.close(master)
    assert process.wait(TIMEOUT_S) == 0
    return text.decode().replace("\r\n", "\n")


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The only line on stderr of a command that failed before any work, without the program's name."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("regnety: "), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("regnety: ").removesuffix("\n")


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=TIMEOUT_S,
        check=False,
    )
