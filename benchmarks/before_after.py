"""This state of regnety beside an earlier one, as whole processes: has anything become slower?

    python benchmarks/before_after.py --before PYTHON [--pairs 15] [--rounds 5] [--job 100000] [--output FILE.json]

PYTHON is the interpreter of an environment in which the earlier state is installed; the later one runs with the
interpreter of this script. Both answer the same questions in turn, the first of each pair changing from pair to pair,
after one run of each that is not counted. The figures are medians; the ratio is the median over the pairs of the
earlier state's time divided by the later one's, so above 1 is faster than before:

- `import regnety`;
- one photograph, regnety_002, with a warm cache, from the command to the answer;
- 1,000 photographs of 500x375 to a CSV file, regnety_002;
- a job of 100,000 small photographs to a CSV file with the model that comes with the package.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from processes import processor, run

HERE = Path(__file__).parent
STATES = ("before", "after")
DIFFERENT = 1000
"""Photographs of a job that are not the same; the others are hard links to them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, metavar="PYTHON", help="interpreter with the earlier state")
    parser.add_argument("--pairs", type=int, default=15, help="runs of what is short (default: %(default)s)")
    parser.add_argument("--photographs", type=int, default=1000, help="of 500x375 (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of those (default: %(default)s)")
    parser.add_argument("--job", type=int, default=100_000, help="photographs of the job (default: %(default)s)")
    parser.add_argument("--job-rounds", type=int, default=3, help="runs of the job (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where what is asked about is kept; a temporary folder by default")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="before_after.") as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        measured = measure(folder, options)
    facts = {"processor": processor(), "python": platform.python_version(), "measured": measured}
    print(f"{facts['processor']}\n\n{'':24}{'before, s':>11}{'after, s':>11}{'ratio':>8}{'pairs':>7}")
    for title, row in measured.items():
        print(f"{title:24}{row['before_s']:11.3f}{row['after_s']:11.3f}{row['ratio']:8.3f}{row['pairs']:7}")
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Medians and ratios of each question, by its name."""
    python = {"before": options.before, "after": sys.executable}
    photographs, small = folder / f"{options.photographs}x500x375", folder / f"{options.job}x96x72"
    weights, photo = folder / "regnety_002.safetensors", folder / "photo.jpg"
    if not weights.exists():
        subprocess.run([sys.executable, HERE / "inputs.py", folder], check=True)
    write_photographs(photographs, options.photographs, "500x375")
    write_small(small, options.job)

    def command(state: str, *arguments: str | Path) -> list[str]:
        return [python[state], "-m", "regnety", *map(str, arguments)]

    def in_turn(pairs: int, command_of: Callable[[str], list[str]]) -> dict[str, float]:
        seconds: dict[str, list[float]] = {state: [] for state in STATES}
        for pair in range(pairs + 1):
            for state in STATES if pair % 2 else STATES[::-1]:
                (folder / f"{state}.csv").unlink(missing_ok=True)
                taken = run(command_of(state), REGNETY_CACHE=str(folder / f"cache-{state}"))
                if pair:
                    seconds[state].append(taken.seconds)
        ratios = [before / after for before, after in zip(seconds["before"], seconds["after"], strict=True)]
        return {
            "before_s": statistics.median(seconds["before"]),
            "after_s": statistics.median(seconds["after"]),
            "ratio": statistics.median(ratios),
            "pairs": pairs,
        }

    def labels(images: Path, state: str, *model: str | Path) -> list[str]:
        return command(state, "predict", images, "--quiet", "-o", folder / f"{state}.csv", *model)

    return {
        "import regnety": in_turn(2 * options.pairs, lambda state: [python[state], "-c", "import regnety"]),
        "one photograph": in_turn(
            options.pairs, lambda state: command(state, "predict", photo, "--quiet", "--model", weights)
        ),
        f"{options.photographs:,} photographs": in_turn(
            options.rounds, lambda state: labels(photographs, state, "--model", weights)
        ),
        f"a job of {options.job:,}": in_turn(
            options.job_rounds, lambda state: labels(small, state, "--model", "regnety_cifar10")
        ),
    }


def write_photographs(folder: Path, count: int, size: str) -> None:
    """In another process, as this one is to stay small."""
    command = [sys.executable, HERE / "photographs.py", folder, "--count", str(count), "--size", size]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write_small(folder: Path, count: int) -> None:
    """So many photographs of 96x72, a thousand of them different."""
    if folder.is_dir():
        return
    different = folder.with_name(f"{DIFFERENT}x96x72")
    write_photographs(different, min(count, DIFFERENT), "96x72")
    folder.mkdir()
    for number in range(count):
        os.link(different / f"{number % DIFFERENT:06d}.jpg", folder / f"{number:06d}.jpg")


if __name__ == "__main__":
    main()
