"""Whether `regnety pick` gives what a full table of `regnety bench` says, for several budgets.

    python benchmarks/picks.py [--latency-ms 3 6 12 25 50 100] [--memory-mib 150] [--fresh] [--output FILE.json]

First all published models whose accuracy is known are measured with a batch of 1, as `bench` does it. Then `pick` is
asked for each budget, and finds what it needs in the cache that both share; with `--fresh` both measure anew. The two
agree where answer and runner-up are the same. Beside each answer stands what was measured both times, as a model at the
very edge of a budget may fall on either side of it.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from processes import processor, regnety_command


def asked(*arguments: str) -> list[dict[str, Any]]:
    result = subprocess.run([*regnety_command(), *arguments, "--format", "json", "--quiet"], stdout=subprocess.PIPE)
    assert result.returncode in (0, 1), arguments  # 1: none fits
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def of_table(table: list[dict[str, Any]], latency_ms: float, memory_mib: float | None) -> list[str]:
    """Answer and runner-up, by the definition."""
    fitting = [row for row in table if row["latency_p50_ms"] <= latency_ms]
    if memory_mib is not None:
        fitting = [row for row in fitting if row["memory_mib"] <= memory_mib]
    best = sorted({row["model"]: row["top1"] for row in fitting}.items(), key=lambda entry: -entry[1])
    return [name for name, _ in best[:2]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-ms", nargs="+", type=float, default=[3, 6, 12, 25, 50, 100])
    parser.add_argument("--memory-mib", type=float, default=150, help="asked for once more with each budget")
    parser.add_argument("--fresh", action="store_true", help="both measure anew")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    from regnety.inference.latency.timed_models import published_candidates

    names = [model.name for model in published_candidates()]
    fresh = ["--fresh"] if options.fresh else []
    table = asked("bench", *names, "--batch-sizes", "1", *fresh)
    print(f"{processor()}; {len(names)} models, {len(table)} rows")
    rows = []
    for latency_ms in options.latency_ms:
        for memory_mib in (None, options.memory_mib):
            budget = [] if memory_mib is None else ["--memory-mib", str(memory_mib)]
            found = asked("pick", "--latency-ms", str(latency_ms), *budget, *fresh)
            picked, expected = [row["model"] for row in found], of_table(table, latency_ms, memory_mib)
            rows.append({"latency_ms": latency_ms, "memory_mib": memory_mib, "pick": picked, "table": expected})
            print(f"{latency_ms:6g} ms {memory_mib or '':>6} MiB  {', '.join(picked) or 'none':50}", end="")
            print(
                "as the table" if picked == expected else f"the table says {', '.join(expected) or 'none'}", flush=True
            )
            for row in found:
                print(f"    {row['model']}: {row['engine']} {row['precision']}, {row['latency_p50_ms']:.2f} ms", end="")
                before = min(other["latency_p50_ms"] for other in table if other["model"] == row["model"])
                print(f", in the table {before:.2f} ms")
    agreeing = sum(row["pick"] == row["table"] for row in rows)
    print(f"{agreeing} of {len(rows)} agree")
    if options.output is not None:
        report = {"processor": processor(), "table": table, "picks": rows}
        options.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
