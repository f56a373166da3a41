"""Whether a run over all layers that is killed at a random moment and resumed ends as one that nobody disturbed.

    python benchmarks/finetune_kills.py DATA [--kills 20] [--epochs 6] [--time-limit 40s] [--output finetune_kills.json]

Each run of `regnety finetune --all-layers` is killed once by SIGKILL, after a random share of the time of an
undisturbed one, and resumed to its end. Its weights, its epochs and its mistakes are compared with those of an
undisturbed run of the same plan. Without a time limit the plan is the same for all. With one, each run plans by what it
measures: then the run that it is compared with is made from its own plan. Some kills come before the plan is made, or
after the end; they are counted apart.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from processes import processor

CHECKPOINTS, PLAN = "checkpoints", "plan.json"
MADE_BY_TRAINING = (CHECKPOINTS, "metrics.jsonl", "summary.csv", "result.json")
"""What is removed from a finished run, to train again by its plan."""


@dataclass(frozen=True)
class Kill:
    """A run that was killed once."""

    after_s: float
    during: str
    """`preparation`, before the plan was made; `training`; or `nothing`, where the run had ended by then."""
    epochs_done: int
    """By the checkpoints that it left."""
    same: bool
    """Whether weights, epochs and mistakes are those of the undisturbed run."""


class Commands:
    """Runs of `regnety finetune` on the same data, one after the other.

    Args:
        data: the photographs.
        how: options besides data, output and resume.
        cache: the cache folder of all of them, which has the embeddings after the first.
    """

    def __init__(self, data: Path, how: list[str], cache: Path) -> None:
        self._data, self._how = data, how
        self._environment = {**os.environ, "REGNETY_CACHE": str(cache)}

    def start(self, output: Path) -> "subprocess.Popen[str]":
        """Begin a run, or resume it."""
        command = [sys.executable, "-m", "regnety", "finetune", str(self._data), "-o", str(output), "--all-layers"]
        return subprocess.Popen(
            [*command, "--resume", *self._how],
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

    def kill(self, output: Path, *, after_s: float) -> bool:
        """Begin a run and kill it; False where it had ended by then."""
        process = self.start(output)
        try:
            _, said = process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        if process.returncode != 0:
            sys.exit(f"{output}: {said}")
        return False


def end_of(output: Path) -> dict[str, Any]:
    """What a run ended with, but for times and places."""
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text("utf-8").splitlines()]
    with (output / "mistakes.csv").open(encoding="utf-8", newline="") as file:
        mistakes = list(csv.reader(file))
    return {
        "weights": hashlib.sha256((output / "bundle" / "model.safetensors").read_bytes()).hexdigest(),
        "epochs": [{key: value for key, value in row.items() if key != "seconds"} for row in rows],
        "mistakes": mistakes,
    }


def undisturbed_run_of(output: Path, commands: Commands) -> dict[str, Any]:
    """The end of a run that follows the plan of a finished one from its first step."""
    other = output.with_name(f"{output.name}-undisturbed")
    shutil.copytree(output, other)
    for name in MADE_BY_TRAINING:
        place = other / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    commands.finish(other)
    assert (other / PLAN).read_bytes() == (output / PLAN).read_bytes()
    return end_of(other)


def kill_once(output: Path, commands: Commands, *, after_s: float, expected: dict[str, Any] | None) -> Kill:
    """Kill a run, resume it to its end, and compare; `expected` is the end, None where it depends on the plan."""
    was_killed = commands.kill(output, after_s=after_s)
    epochs = [int(path.stem.removeprefix("epoch-")) for path in (output / CHECKPOINTS).glob("epoch-*.pt")]
    during = ("training" if (output / PLAN).exists() else "preparation") if was_killed else "nothing"
    commands.finish(output)
    end = end_of(output)
    if expected is None:
        expected = undisturbed_run_of(output, commands)
    return Kill(round(after_s, 2), during, max(epochs, default=0), end == expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="photographs, as `regnety finetune` takes them")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=6, help="where there is no time limit")
    parser.add_argument("--time-limit", help="as that of the command")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="for the runs; a temporary one by default")
    parser.add_argument("--output", type=Path, help="JSON")
    arguments = parser.parse_args()
    how = ["--time-limit", arguments.time_limit] if arguments.time_limit else ["--epochs", str(arguments.epochs)]
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        commands = Commands(arguments.data, how, folder / "cache")
        commands.finish(folder / "first")  # fills the cache
        seconds = commands.finish(folder / "alone")
        expected = None if arguments.time_limit else end_of(folder / "alone")
        print(f"{processor()}; {' '.join(how)}; undisturbed {seconds:.1f} s", flush=True)
        kills = []
        for number in range(arguments.kills):
            after_s = moments.uniform(0, seconds)
            kill = kill_once(folder / f"run-{number:02d}", commands, after_s=after_s, expected=expected)
            kills.append(kill)
            end = "the same end" if kill.same else "ANOTHER END"
            print(f"{kill.after_s:7.2f} s, {kill.during}, {kill.epochs_done} epochs done: {end}", flush=True)
    same = sum(kill.same for kill in kills)
    killed = sum(kill.during != "nothing" for kill in kills)
    print(f"{killed} of {len(kills)} runs were killed; {same} of {len(kills)} ended the same")
    if arguments.output:
        measured = {"processor": processor(), "how": how, "undisturbed_s": seconds, "kills": list(map(asdict, kills))}
        arguments.output.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    sys.exit(same < len(kills))


if __name__ == "__main__":
    main()
