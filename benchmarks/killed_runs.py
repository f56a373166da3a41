"""A run that is killed at a random moment and resumed: its command, and what it has ended with."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Kill:
    """A run that was killed once."""

    after_s: float
    during: str
    """`preparation`, before there was anything to go on with; `training`; or `nothing`, where the run had ended."""
    epochs_done: int
    """By the checkpoints that it left."""
    same: bool
    """Whether its end is that of the undisturbed run."""

    def __str__(self) -> str:
        end = "the same end" if self.same else "ANOTHER END"
        return f"{self.after_s:7.2f} s, {self.during}, {self.epochs_done} epochs done: {end}"


class RunCommand:
    """A command that writes a run into a folder, and goes on with what is there.

    Args:
        words: the command but for `--resume` and the folder.
        environment: variables besides those of this process.
    """

    def __init__(self, *words: str, **environment: str) -> None:
        self._words = words
        self._environment = {**os.environ, **environment}

    def start(self, output: Path) -> "subprocess.Popen[str]":
        """Begin a run, or resume it."""
        return subprocess.Popen(
            [*self._words, "--resume", "-o", str(output)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, output: Path) -> float:
        """Begin a run, or resume it, and wait for its end; seconds."""
        began = time.monotonic()
        process = self.start(output)
        _, said = process.communicate()
        if process.returncode != 0:
            sys.exit(f"{output}: {said}")
        return time.monotonic() - began

    def kill(self, output: Path, *, after_s: float, victim: Callable[[int], int] | None = None) -> bool:
        """Begin a run and kill it; False where it had ended by then.

        Args:
            output: its folder.
            after_s: seconds from its start.
            victim: the process to kill, by the one that was started; None kills this one.
        """
        process = self.start(output)
        try:
            _, said = process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid if victim is None else victim(process.pid), signal.SIGKILL)
            process.communicate()
            return process.returncode != 0
        if process.returncode != 0:
            sys.exit(f"{output}: {said}")
        return False


def epochs_done(output: Path) -> int:
    """By the checkpoints of a run."""
    return max((int(path.stem.removeprefix("epoch-")) for path in (output / CHECKPOINTS).glob("epoch-*.pt")), default=0)


def end_of_training(output: Path) -> dict[str, Any]:
    """The weights that a run has ended with, and its epochs but for their times."""
    metrics = output / "metrics.jsonl"
    rows = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()] if metrics.exists() else []
    return {
        "weights": hashlib.sha256((output / "bundle" / "model.safetensors").read_bytes()).hexdigest(),
        "epochs": [{key: value for key, value in row.items() if key != "seconds"} for row in rows],
    }
