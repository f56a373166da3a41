"""A folder of photographs to a file of labels, as whole processes: beside timm's loop and the best made by hand.

    python benchmarks/files_to_labels.py --timm-python PATH [--model regnety_002] [--count 1000] [--size 500x375]
        [--rounds 3] [--folder DIR] [--output files_to_labels.json]

Each round runs every contender once, in turn; the figures are medians over the rounds, and ratios medians of the
ratios within a round. Photographs and weights are made here (`photographs.py`, `answering_model.py`: random weights,
whose answers are as different as the photographs). The contenders:

- timm's loop as its users start it (batches of 256, 2 workers) and tuned (batches of 32);
- OpenVINO and Pillow by hand, one after the other, on timm's own export, in bf16 where the processor has it;
- `regnety predict` as it comes (with the plan that its first run found), in float32, with Pillow's pixels, as a draft.

Then what the stages cost alone, on the same files with all cores, and what share of that the pipeline reaches. Whether
the answers are the same, `same_answers.py` counts. `regnety` runs with the interpreter of this script, which needs
torch for the weights.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from processes import processor, regnety_command, run

HERE = Path(__file__).parent
PEERS = HERE / "peers"
CLOSE_CALL = 0.01
"""Difference of the two best probabilities."""


def prepare(folder: Path, model: str, count: int, size: str, timm_python: str) -> tuple[Path, Path, Path]:
    """The photographs, the weights and timm's export; in other processes, as this one is to stay small."""
    photographs = folder / f"{count}x{size}"
    weights, graph = folder / f"{model}.safetensors", folder / f"{model}-timm" / "timm.b1.onnx"
    subprocess.run(
        [sys.executable, HERE / "photographs.py", photographs, "--count", str(count), "--size", size], check=True
    )
    if not (folder / f"{model}-bundle").exists():
        subprocess.run([sys.executable, HERE / "answering_model.py", folder, model, photographs], check=True)
    if not graph.exists():
        graph.parent.mkdir()
        export = [timm_python, PEERS / "timm_model.py", model, weights, graph.parent, "--batch-sizes", "1"]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
    return photographs, weights, graph


def contenders(
    folder: Path, answers: Path, model: str, photographs: Path, weights: Path, graph: Path, timm_python: str, bf16: bool
) -> dict[str, list[str]]:
    """Commands by name, each of which writes ANSWERS/NAME.csv."""
    from regnety import model_info

    published = model_info(model).published  # its tag says what the model is shown, as timm's plain names have moved
    name = model if published is None else published.name
    timm_loop = [timm_python, str(PEERS / "timm_loop.py"), name, str(weights), str(photographs)]
    by_hand = [timm_python, str(PEERS / "openvino_by_hand.py"), str(graph), str(photographs)]
    ours = [*regnety_command(), "predict", str(photographs), "--model", str(weights), "--quiet"]

    def to(name: str) -> str:
        return str(answers / f"{name}.csv")

    commands = {
        "timm, 256": [*timm_loop, to("timm, 256"), "256", "2"],
        "timm, 32": [*timm_loop, to("timm, 32"), "32", "2"],
        "by hand, f32": [*by_hand, to("by hand, f32"), "f32"],
        "by hand, bf16": [*by_hand, to("by hand, bf16"), "bf16"],
        "regnety": [*ours, "-o", to("regnety")],
        "regnety, f32": [*ours, "--precision", "f32", "-o", to("regnety, f32")],
        "regnety, exact": [*ours, "--exact", "-o", to("regnety, exact")],
        "regnety, f32, exact": [*ours, "--precision", "f32", "--exact", "-o", to("regnety, f32, exact")],
        "regnety, draft": [*ours, "--draft", "-o", to("regnety, draft")],
    }
    if not bf16:
        del commands["by hand, bf16"]
    return commands


def first_classes(path: Path) -> dict[str, tuple[int, float]]:
    """By the name of the file: the best class, and how far ahead of the second it is."""
    ranked: dict[str, list[tuple[int, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ranked.setdefault(Path(row["filename"]).name, []).append((int(row["index"]), float(row["prob"])))
    return {name: (rows[0][0], rows[0][1] - rows[1][1]) for name, rows in ranked.items()}


def race(commands: dict[str, list[str]], rounds: int, cache: Path) -> dict[str, dict[str, Any]]:
    environment = {"REGNETY_CACHE": str(cache / "ours"), "OPENVINO_CACHE": str(cache / "openvino")}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    peak: dict[str, float] = {}
    for number in range(rounds + 1):  # the first fills the caches and is not counted
        for name, command in commands.items():
            taken = run(command, **environment)
            print(f"{'warming' if number == 0 else f'round {number}'}: {name}: {taken.seconds:.2f} s", file=sys.stderr)
            if number:
                seconds[name].append(taken.seconds)
            peak[name] = max(peak.get(name, 0), taken.peak_mib)
    return {name: {"seconds": seconds[name], "peak_mib": peak[name]} for name in commands}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-python", default=sys.executable, metavar="PATH")
    parser.add_argument("--model", default="regnety_002")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", default="500x375")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders; all if not given")
    parser.add_argument("--folder", type=Path, help="where photographs and weights are kept for another run")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        here = processor()
        places = prepare(folder, options.model, options.count, options.size, options.timm_python)
        answers = Path(temporary) / "answers"
        answers.mkdir()
        commands = contenders(folder, answers, options.model, *places, options.timm_python, bf16=here.endswith("bf16"))
        if options.only:
            commands = {name: commands[name] for name in options.only}
        results = race(commands, options.rounds, Path(temporary) / "cache")
        print(f"{options.model}, {options.count} photographs of {options.size}; {here}\n")
        baselines = [name for name in ("timm, 256", "timm, 32", "by hand, f32", "by hand, bf16") if name in commands]
        head = "".join(f"{f'over {name}':>20}" for name in baselines)
        print(f"{'':22}{'seconds':>9}{'images/s':>10}{'peak MiB':>10}{head}")
        for name, result in results.items():
            median = statistics.median(result["seconds"])
            result["images_per_s"] = options.count / median
            result["over"] = {
                base: statistics.median(b / a for a, b in zip(result["seconds"], results[base]["seconds"], strict=True))
                for base in baselines
            }
            line = f"{name:22}{median:9.2f}{result['images_per_s']:10.1f}{result['peak_mib']:10.0f}"
            line += "".join(f"{ratio:19.2f}x" for ratio in result["over"].values())
            print(line)
        stages = subprocess.run(
            [sys.executable, HERE / "pipeline_floor.py", *map(str, places[:2])],
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"\n{stages.stdout}", end="")
        if options.output:
            report = {
                "processor": here,
                **{name: getattr(options, name) for name in ("model", "count", "size", "rounds")},
                "results": results,
                "stages": stages.stdout.splitlines(),
            }
            options.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
