"""Whether `regnety finetune --all-layers --time-limit` ends within its limit, and how much of it it uses.

    python benchmarks/time_limit.py SET FOLDER [--limits 30s=8 2m=1 10m=1] [--output time_limit.json]

SET is a data set, such as one that `photograph_sets.py` writes; FOLDER gets the runs. Each is a whole process, from the
command to its end, report included, with an empty cache. Each is kept in the JSON file at once: started again, the
script goes on. The exit status is 1 where a run passed its limit or used less than 85 % of it.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from processes import regnety_command, run
from stored_parts import StoredParts

USED = 0.85
"""The least share of a limit that counts as used."""
UNITS = {"s": 1, "m": 60, "h": 3600}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limits", nargs="+", default=["30s=8", "2m=1", "10m=1"], metavar="LIMIT=RUNS")
    parser.add_argument("--output", type=Path, default=Path("time_limit.json"), help="default: %(default)s")
    options = parser.parse_args()
    parts = StoredParts(options.output, {"set": options.set.name})
    shares = []
    print(f"{'limit':>6}{'run':>5}{'seconds':>9}{'used':>7}{'test top1':>11}")
    for limit, runs in (item.split("=") for item in options.limits):
        limit_s = float(limit[:-1]) * UNITS[limit[-1]]
        for number in range(int(runs)):
            part = parts.part(
                f"{limit}/{number}", lambda limit=limit, seed=number: measure(options.set, options.folder, limit, seed)
            )
            shares.append(part["seconds"] / limit_s)
            print(f"{limit:>6}{number:5}{part['seconds']:9.1f}{shares[-1]:7.1%}{part['test_top1'] or 0:11.1f}")
    good = sum(USED <= share <= 1 for share in shares)
    print(f"{good} of {len(shares)} ended within the limit and used at least {USED:.0%} of it")
    sys.exit(good < len(shares))


def measure(data: Path, folder: Path, limit: str, seed: int) -> dict[str, Any]:
    """One run with an empty cache."""
    shutil.rmtree(folder / "current", ignore_errors=True)
    (folder / "current").mkdir(parents=True)
    output = folder / "current" / "run"
    command = [*regnety_command(), "finetune", str(data), "-o", str(output), "--all-layers", f"--time-limit={limit}"]
    taken = run([*command, f"--seed={seed}", "--format=json"], REGNETY_CACHE=str(folder / "current" / "cache"))
    told = json.loads(taken.stdout)
    return {"seconds": round(taken.seconds, 2)} | {name: told[name] for name in ("test_top1", "image_size", "epochs")}


if __name__ == "__main__":
    main()
