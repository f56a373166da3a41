"""How long `regnety finetune` takes with a classifier alone, from the command to the bundle and the report.

    python benchmarks/finetune_speed.py DATA FOLDER [--count 3000] [--rounds 3] [--output finetune_speed.json]

DATA has trash.zip (see `photograph_sets.py`); FOLDER gets the photographs. Whole processes, on trash's 480 photographs
of 512x384 and on as many of 400x530 as `photographs.py` writes, in ten classes by chance: they cost what others cost,
and what a classifier makes of them does not matter. The first run has an empty cache; the second has the embeddings of
the first, and another folder for the run. In these processes torch cannot be imported. Says where the time goes.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from processes import processor

HERE = Path(__file__).parent
STATES = ("first", "again")
CLASSES = 10
NO_TORCH = "import sys; sys.modules['torch'] = None; from regnety.cli.main import main; sys.exit(main())"
"""`import torch` fails in such a process, whoever tries."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=3000, help="photographs of 400x530 (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sets = {"trash": trash(options.data, options.folder), "400x530": written(options.folder, options.count)}
    measured = {name: in_rounds(data, options.folder, options.rounds) for name, data in sets.items()}
    facts = {"processor": processor(), "rounds": options.rounds, "load": os.getloadavg()[0], "measured": measured}
    print(f"{facts['processor']}\n\n{'':10}{'photographs':>12}{'first, s':>10}{'again, s':>10}")
    for name, row in measured.items():
        print(f"{name:10}{row['photographs']:12}{row['first']['seconds']:10.2f}{row['again']['seconds']:10.2f}")
        for state in STATES:
            print(f"  {state}: {row[state]['stages']}")
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def in_rounds(data: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Medians of both states; the stages are those of the last round."""
    seconds: dict[str, list[float]] = {state: [] for state in STATES}
    stages: dict[str, str] = {}
    for _ in range(rounds):
        shutil.rmtree(folder / "current", ignore_errors=True)
        for state in STATES:
            taken, stages[state] = one_run(data, folder / "current" / state, cache=folder / "current" / "cache")
            seconds[state].append(taken)
    row: dict[str, Any] = {"photographs": sum(1 for _ in data.glob("*/*"))}
    for state in STATES:
        row[state] = {
            "seconds": round(statistics.median(seconds[state]), 2),
            "all": [round(value, 2) for value in seconds[state]],
            "stages": stages[state],
        }
    return row


def one_run(data: Path, output: Path, *, cache: Path) -> tuple[float, str]:
    """Seconds, and what the command says of its stages."""
    arguments = ["finetune", str(data), "-o", str(output)]
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, *arguments],
        env=os.environ | {"REGNETY_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begin
    if done.returncode:
        sys.exit(done.stderr)
    found = re.search(r"\(([^()]*embeddings [\d.]+ s[^()]*)\)", done.stderr)
    return seconds, found.group(1) if found else ""


def trash(data: Path, folder: Path) -> Path:
    """Class folders of all 480 photographs."""
    if not (folder / "trash").exists():
        with zipfile.ZipFile(data / "trash.zip") as archive:
            archive.extractall(folder / "trash.incomplete")
        (folder / "trash.incomplete" / "trash").rename(folder / "trash")
        shutil.rmtree(folder / "trash.incomplete")
    return folder / "trash"


def written(folder: Path, count: int) -> Path:
    """Photographs in ten class folders."""
    place = folder / f"{count}x400x530"
    if not place.exists():
        flat = folder / f"{count}x400x530.flat"
        subprocess.run(
            [sys.executable, HERE / "photographs.py", flat, "--count", str(count), "--size", "400x530"], check=True
        )
        for number, path in enumerate(sorted(flat.iterdir())):
            target = flat / f"class {number % CLASSES}" / path.name
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        flat.rename(place)
    return place


if __name__ == "__main__":
    main()
