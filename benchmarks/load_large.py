"""A large model loaded and asked about one photograph: the whole process, beside the model page's script with timm.

    python benchmarks/load_large.py --timm-python PATH [--model regnety_320] [--pairs 5] [--output load_large.json]

The same random weights stand in a safetensors file and in one of torch. For each of the two, every pair is one run of
the script and one of `regnety predict` with each engine, with an empty cache and with a warm one, in turn. The files
are in the system's page cache, as after a download. This process imports nothing but the standard library
(`processes.py` says why).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cold_start import timm_script
from processes import Run, processor, regnety_command, run

HERE = Path(__file__).parent
ENGINES = ("onnxruntime", "openvino")
CONVERT = "import sys; from regnety import convert_model; convert_model(*sys.argv[1:], to='timm')"


def measure(folder: Path, weights: Path, model: str, pairs: int, timm_python: str | None) -> dict[str, list[Run]]:
    """Runs by name, in turn, after one of each that is not counted."""
    photo = folder / "photo.jpg"
    script = folder / "model_page.py"
    script.write_text(timm_script(model, weights, photo, folder / "classes.txt"), "utf-8")
    runs: dict[str, list[Run]] = {}
    for _ in range(pairs + 1):
        if timm_python is not None:
            runs.setdefault("timm", []).append(run([timm_python, str(script)], sample_memory=True))
        for engine in ENGINES:
            ours = [*regnety_command(), "predict", "--model", str(weights), str(photo), "--engine", engine]
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                for name in ("empty", "warm"):
                    taken = run(ours, sample_memory=True, REGNETY_CACHE=cache)
                    runs.setdefault(f"{engine}, {name}", []).append(taken)
    return {name: taken[1:] for name, taken in runs.items()}


def summary(runs: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """Medians, and their ratios to timm's."""
    rows = []
    for name, taken in runs.items():
        rows.append(
            {
                "what": name,
                "seconds": statistics.median(each.seconds for each in taken),
                "peak_mib": statistics.median(each.peak_mib for each in taken),
                "peak_anonymous_mib": statistics.median(each.peak_anonymous_mib for each in taken),
                "answer": taken[0].stdout.split()[0] if name == "timm" else taken[0].stdout.splitlines()[1].split()[1],
            }
        )
        if "timm" in runs:
            rows[-1]["times_faster"] = rows[0]["seconds"] / rows[-1]["seconds"]
            rows[-1]["share_of_peak_memory"] = rows[-1]["peak_mib"] / rows[0]["peak_mib"]
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'':24}{'seconds':>9}{'peak MiB':>10}{'anonymous':>11}{'faster':>9}{'memory':>8}{'answer':>8}")
    for row in rows:
        line = f"{row['what']:24}{row['seconds']:9.2f}{row['peak_mib']:10.0f}{row['peak_anonymous_mib']:11.0f}"
        if "times_faster" in row:
            line += f"{row['times_faster']:8.1f}x{row['share_of_peak_memory']:8.2f}"
        print(f"{line}{row['answer']:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-python", metavar="PATH", help="an interpreter with timm; without it only ours is run")
    parser.add_argument("--model", default="regnety_320", help="(default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    facts: dict[str, Any] = {"processor": processor(), "model": options.model, "pairs": options.pairs}
    print(f"{facts['processor']}; {options.model}; medians of {options.pairs}")
    with tempfile.TemporaryDirectory(prefix="load_large.") as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(HERE / "inputs.py"), name, options.model], check=True)
        safetensors = folder / f"{options.model}.safetensors"
        of_torch = safetensors.with_suffix(".pth")
        subprocess.run([sys.executable, "-c", CONVERT, str(safetensors), str(of_torch)], check=True)
        for weights in (safetensors, of_torch):
            rows = summary(measure(folder, weights, options.model, options.pairs, options.timm_python))
            facts[weights.suffix[1:]] = rows
            print(f"\n{weights.suffix}")
            print_table(rows)
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
