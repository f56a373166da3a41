"""Whether a run over all layers that is killed at a random moment and resumed ends as one that nobody disturbed.

    python benchmarks/finetune_kills.py DATA [--kills 20] [--epochs 6] [--time-limit 40s] [--output finetune_kills.json]

Each run of `regnety finetune --all-layers` is killed once by SIGKILL, after a random share of the time of an
undisturbed one, and resumed to its end. Its weights, its epochs and its mistakes are compared with those of an
undisturbed run of the same plan. Without a time limit the plan is the same for all. With one, each run plans by what it
measures: then the run that it is compared with is made from its own plan, or is the classifier alone where the time
before the kill, which counts, has left none for all layers. Some kills come before the plan is made, or
after the end; they are counted apart.
"""

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from killed_runs import CHECKPOINTS, Kill, RunCommand, end_of_training, epochs_done
from processes import processor

PLAN = "plan.json"
NO_TIME = "1s"
"""A limit that leaves none for all layers."""
MADE_BY_TRAINING = (CHECKPOINTS, "metrics.jsonl", "summary.csv", "result.json")
"""What is removed from a finished run, to train again by its plan."""


def end_of(output: Path) -> dict[str, Any]:
    """What a run ended with, but for times and places."""
    with (output / "mistakes.csv").open(encoding="utf-8", newline="") as file:
        return {**end_of_training(output), "mistakes": list(csv.reader(file))}


def undisturbed_run_of(output: Path, command: RunCommand) -> dict[str, Any]:
    """The end of a run that follows the plan of a finished one from its first step."""
    other = output.with_name(f"{output.name}-undisturbed")
    shutil.copytree(output, other)
    for name in MADE_BY_TRAINING:
        place = other / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    command.finish(other)
    assert (other / PLAN).read_bytes() == (output / PLAN).read_bytes()
    return end_of(other)


def kill_once(
    output: Path, command: RunCommand, *, after_s: float, expected: dict[str, Any] | None, classifier: dict[str, Any]
) -> Kill:
    """Kill a run, resume it to its end, and compare.

    Args:
        output: of the run.
        command: of the run.
        after_s: when it is killed.
        expected: the end; None where it depends on the plan.
        classifier: the end of a run whose limit leaves no time for all layers, as the time before a kill counts.
    """
    was_killed = command.kill(output, after_s=after_s)
    epochs = epochs_done(output)
    during = ("training" if (output / PLAN).exists() else "preparation") if was_killed else "nothing"
    command.finish(output)
    end = end_of(output)
    if expected is None:
        expected = undisturbed_run_of(output, command) if (output / PLAN).exists() else classifier
    return Kill(round(after_s, 2), during, epochs, end == expected)


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
        words = (sys.executable, "-m", "regnety", "finetune", str(arguments.data), "--all-layers", *how)
        command = RunCommand(*words, REGNETY_CACHE=str(folder / "cache"))
        command.finish(folder / "first")  # fills the cache
        seconds = command.finish(folder / "alone")
        expected = None if arguments.time_limit else end_of(folder / "alone")
        classifier = {}
        if arguments.time_limit:
            RunCommand(*words[:-1], NO_TIME, REGNETY_CACHE=str(folder / "cache")).finish(folder / "classifier")
            classifier = end_of(folder / "classifier")
        print(f"{processor()}; {' '.join(how)}; undisturbed {seconds:.1f} s", flush=True)
        kills = []
        for number in range(arguments.kills):
            after_s = moments.uniform(0, seconds)
            kill = kill_once(
                folder / f"run-{number:02d}", command, after_s=after_s, expected=expected, classifier=classifier
            )
            kills.append(kill)
            print(kill, flush=True)
    same = sum(kill.same for kill in kills)
    killed = sum(kill.during != "nothing" for kill in kills)
    print(f"{killed} of {len(kills)} runs were killed; {same} of {len(kills)} ended the same")
    if arguments.output:
        measured = {"processor": processor(), "how": how, "undisturbed_s": seconds, "kills": list(map(asdict, kills))}
        arguments.output.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    sys.exit(same < len(kills))


if __name__ == "__main__":
    main()
