"""One photograph, from the command to the answer: the whole process, beside the model page's own script with timm.

    python benchmarks/cold_start.py --timm-python PATH [--pairs 9] [--where] [--output cold_start.json]

Each pair is one run of the script, one of `regnety predict` with a warm cache and one with an empty one, in turn; all
of them ask regnety_002 with the same random weights about the same photograph. `--where` adds where the time of a run
with a warm cache goes. This process imports nothing but the standard library: the peak memory that Linux reports for a
process is never below that of the one that started it.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from processes import Run, processor, regnety_command, run

HERE = Path(__file__).parent
SHIM = """
import torch
library = torch.library.Library("torchvision", "DEF")  # torchvision's wheel wants these beside a torch for CPUs
library.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
library.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
"""
SCRIPT = """
import timm
model = timm.create_model({model!r}, pretrained=True, pretrained_cfg_overlay=dict(file={weights!r}))
model.eval()

import urllib
from PIL import Image
from timm.data import resolve_data_config
from timm.data.transforms_factory import create_transform

config = resolve_data_config({{}}, model=model)
transform = create_transform(**config)

filename = {photo!r}
img = Image.open(filename).convert('RGB')
tensor = transform(img).unsqueeze(0)

import torch
with torch.no_grad():
    out = model(tensor)
probabilities = torch.nn.functional.softmax(out[0], dim=0)

with open({classes!r}, "r") as f:
    categories = [s.strip() for s in f.readlines()]

top5_prob, top5_catid = torch.topk(probabilities, 5)
for i in range(top5_prob.size(0)):
    print(categories[top5_catid[i]], top5_prob[i].item())
"""
"""The page's, with its files on this disk instead of behind addresses."""


def timm_script(model: str, weights: Path, photo: Path, classes: Path) -> str:
    """The script for a model, its weights, a photograph, and its classes."""
    return SHIM + SCRIPT.format(model=model, weights=str(weights), photo=str(photo), classes=str(classes))


def measure(folder: Path, pairs: int, timm_python: str | None) -> dict[str, list[Run]]:
    """Runs by name, in turn, after one of each that is not counted."""
    model, photo = folder / "regnety_002.safetensors", folder / "photo.jpg"
    ours = [*regnety_command(), "predict", "--model", str(model), str(photo)]
    script = folder / "model_page.py"
    script.write_text(timm_script("regnety_002", model, photo, folder / "classes.txt"), "utf-8")
    runs: dict[str, list[Run]] = {"timm": [], "warm": [], "empty": []}
    for _ in range(pairs + 1):
        if timm_python is not None:
            runs["timm"].append(run([timm_python, str(script)]))
        runs["warm"].append(run(ours, REGNETY_CACHE=str(folder / "warm")))
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            runs["empty"].append(run(ours, REGNETY_CACHE=empty))
    return {name: taken[1:] for name, taken in runs.items() if taken}


def where(folder: Path, repeats: int) -> dict[str, float]:
    """Median milliseconds of each stage of a run with a warm cache."""
    stages: list[dict[str, float]] = []
    for _ in range(repeats):
        times = folder / "times.json"
        start_ns = time.monotonic_ns()
        command = [sys.executable, str(HERE / "stages.py"), str(times), str(start_ns), "predict", "--model"]
        run(
            [*command, str(folder / "regnety_002.safetensors"), str(folder / "photo.jpg")],
            REGNETY_CACHE=str(folder / "warm"),
        )
        end_ns = time.monotonic_ns()
        read = json.loads(times.read_text("utf-8"))
        stages.append({**read["spent_ns"], "end of the interpreter": end_ns - read["ended_ns"]})
    names = sorted({name for stage in stages for name in stage})
    medians = {name: statistics.median(stage.get(name, 0) for stage in stages) / 1e6 for name in names}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def same_answer(runs: dict[str, list[Run]]) -> bool:
    """Whether all runs name the same class first."""
    answers = {int(taken.stdout.splitlines()[1].split()[1]) for name in ("warm", "empty") for taken in runs[name]}
    answers |= {int(taken.stdout.split()[0]) for taken in runs.get("timm", [])}
    return len(answers) == 1


def report(runs: dict[str, list[Run]], stages: dict[str, float] | None) -> dict[str, object]:
    """What is written as JSON: medians, ratios, and every run."""
    medians = {
        name: {
            "seconds": statistics.median(each.seconds for each in taken),
            "peak_mib": statistics.median(each.peak_mib for each in taken),
        }
        for name, taken in runs.items()
    }
    ratios = {
        name: {
            "times_faster": medians["timm"]["seconds"] / medians[name]["seconds"],
            "share_of_peak_memory": medians[name]["peak_mib"] / medians["timm"]["peak_mib"],
        }
        for name in ("warm", "empty")
        if "timm" in medians
    }
    return {
        "processor": processor(),
        "python": platform.python_version(),
        "pairs": len(runs["warm"]),
        "same_answer": same_answer(runs),
        "medians": medians,
        "ratios": ratios,
        "where_ms": stages,
        "runs": {name: [[each.seconds, each.peak_mib] for each in taken] for name, taken in runs.items()},
    }


def print_report(facts: dict[str, object]) -> None:
    """The same, for people."""
    titles = {"timm": "the model page's script", "warm": "regnety predict", "empty": "regnety predict, empty cache"}
    print(
        f"{facts['processor']}; medians of {facts['pairs']}; same answer: {'yes' if facts['same_answer'] else 'NO'}\n"
    )
    print(f"{'':30}{'seconds':>9}{'peak MiB':>10}{'faster':>9}{'memory':>8}")
    for name, median in facts["medians"].items():
        line = f"{titles[name]:30}{median['seconds']:9.3f}{median['peak_mib']:10.0f}"
        if ratio := facts["ratios"].get(name):
            line += f"{ratio['times_faster']:8.1f}x{ratio['share_of_peak_memory']:8.2f}"
        print(line)
    if facts["where_ms"]:
        print(f"\n{'where a run goes':40}{'ms':>8}")
        for name, milliseconds in facts["where_ms"].items():
            if milliseconds >= 1:
                print(f"{name:40}{milliseconds:8.1f}")
        small = sum(milliseconds for milliseconds in facts["where_ms"].values() if milliseconds < 1)
        print(f"{'what takes less than a millisecond':40}{small:8.1f}")
        print(f"{'sum':40}{sum(facts['where_ms'].values()):8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-python", metavar="PATH", help="an interpreter with timm; without it only ours is run")
    parser.add_argument("--pairs", type=int, default=9, help="runs of each (default: %(default)s)")
    parser.add_argument("--where", action="store_true", help="where the time of a run goes")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cold_start.") as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(HERE / "inputs.py"), name], check=True)
        runs = measure(folder, options.pairs, options.timm_python)
        facts = report(runs, where(folder, options.pairs) if options.where else None)
    print_report(facts)
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
