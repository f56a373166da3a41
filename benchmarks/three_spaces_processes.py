"""Trains populations of the study of three spaces, some at a time, each as a command of its own."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import regnety_command

from regnety import Population
from regnety.architecture.description import AnyDesign

LOOK_S = 0.2
"""Seconds between two looks at the processes."""
TELL_S = 60.0
"""Seconds between two lines on how far they are."""
SHOWN = 5
"""Last lines of the log of a command that failed."""


@dataclass(frozen=True)
class Part:
    """A population: what `regnety design run` is asked for."""

    name: str
    """Of its folder."""
    designs: Sequence[AnyDesign]
    settings: Sequence[str]
    """Each as for --set."""
    how: Sequence[str] = ()
    """Other options."""


def are_trained(parts: Sequence[Part], data: Path, folder: Path, *, at_a_time: int, ends: float) -> bool:
    """Train populations, or what is left of them; whether all are finished.

    Args:
        parts: of which the first begin first.
        data: the pictures.
        folder: of the study.
        at_a_time: processes, each with one thread.
        ends: moment of `time.monotonic` from which on nothing begins.
    """
    waiting, running = list(parts), {}
    told = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < at_a_time and time.monotonic() < ends:
                part = waiting.pop(0)
                running[part.name] = _started(part, data, folder, ends)
            if not running:
                return False
            time.sleep(LOOK_S)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                _look_at_end(name, running.pop(name), folder)
                print(_state(folder / name), flush=True)
            if running and time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                print("; ".join(_state(folder / name) for name in running), flush=True)
    finally:
        for process in running.values():
            process.terminate()  # as with Ctrl-C, it keeps what it has
        for process in running.values():
            process.wait()
    return not any(Population.load(folder / part.name).counts()["open"] for part in parts)


def _started(part: Part, data: Path, folder: Path, ends: float) -> "subprocess.Popen[bytes]":
    designs = folder / f"{part.name}.jsonl"
    designs.write_text("".join(json.dumps({"design": each.as_dict()}) + "\n" for each in part.designs), "utf-8")
    command = [
        *regnety_command(),
        "design",
        "run",
        str(designs),
        "--data",
        str(data),
        "--output",
        str(folder / part.name),
    ]
    command += [word for setting in part.settings for word in ("--set", setting)]
    command += [*part.how, "--resume"]
    left = ends - time.monotonic()
    if left < float("inf"):
        command += ["--time-limit", f"{max(1.0, left):.0f}s"]
    with (folder / f"{part.name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _look_at_end(name: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    if process.returncode != 0:
        log = folder / f"{name}.log"
        lines = log.read_text("utf-8", "replace").splitlines()[-SHOWN:]
        raise SystemExit("\n".join([f"{name}: ended with status {process.returncode}; {log} ends with:", *lines]))


def _state(folder: Path) -> str:
    if not (folder / "population.json").exists():
        return f"{folder.name}: begins"
    counts = Population.load(folder).counts()
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"{folder.name}: {counts['done']} of {sum(counts.values())} done{failed}"
