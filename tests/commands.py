"""The command line and the interpreter as real processes."""

import os
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
