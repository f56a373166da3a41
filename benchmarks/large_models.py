"""Models of gigabytes: what converting one takes in memory, and what describing one takes in time.

    python benchmarks/large_models.py [--model regnety_2560] [--timm-python PATH] [--folder DIR] [--output FILE]

Writes the model's file with random weights, some 5 GB, and converts it, each time in a process of its own whose
anonymous memory is read every two milliseconds: that is what no file stands behind, and what the system cannot take
back. The bound is 1.3 times the largest tensor plus 300 MiB. Beside it stands what a program with torch or timm takes
for the same. Needs twice the file's size in the folder, and leaves nothing there. Linux only.

`--model small` is a network of some 180 MB that shows the same within seconds.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from processes import MEBIBYTE, processor, run

HERE = Path(__file__).parent
LAYERS, ADDED_MIB = 1.3, 300
"""What conversions may take: so many times the largest tensor, and so much more."""
DESCRIPTION = """
import sys
from regnety import AnyNetDesign, StageDesign, model_info
small = AnyNetDesign(stages=(StageDesign(width=3600, depth=2, group_width=8),))
architecture = (small if sys.argv[1] == "small" else model_info(sys.argv[1]).design).architecture(1000)
"""
WRITE = f"""{DESCRIPTION}
import json, math
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from inputs import write_weights
write_weights(Path(sys.argv[2]), architecture)
print(max(4 * math.prod(shape) for shape in architecture.state_dict_shapes().values()))
"""
IMPORT = "import regnety.export.conversion"
CONVERT = """
import sys
from regnety import convert_model
convert_model(sys.argv[1], sys.argv[2], to=sys.argv[3])
"""
CONVERSIONS = (
    ("there.safetensors", "regnety"),
    ("there.pth", "torchvision"),
    ("there.pyth", "pycls"),
    ("there.onnx", "onnx"),
)
TORCH = """
import sys, safetensors.torch, torch
torch.save(safetensors.torch.load_file(sys.argv[1]), sys.argv[2])
"""
TORCH_LOAD = """
import sys, torch
print(len(torch.load(sys.argv[2])))
"""
TIMM = """
import sys, torch
library = torch.library.Library("torchvision", "DEF")  # torchvision's wheel wants these beside a torch for CPUs
library.define("nms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
library.define("qnms(Tensor boxes, Tensor scores, float threshold) -> Tensor")
import timm
model = timm.create_model(sys.argv[3])
timm.models.load_checkpoint(model, sys.argv[1])
torch.save(model.state_dict(), sys.argv[2])
"""
PEERS = {"torch: load_file, torch.save": TORCH, "torch: torch.load": TORCH_LOAD, "timm: load, torch.save": TIMM}
DESCRIBED = ("regnety_1280", "regnety_2560")
STEPS = {
    "described": ("regnety", "architecture = regnety.model_info(name).design.architecture(1000)"),
    "counted": ("regnety", "regnety.complexity(regnety.model_info(name).design)"),
    "built on meta": (
        "regnety, regnety.network.creation, torch",
        "with torch.device('meta'): regnety.create_model(name)",
    ),
}
"""What is imported, and then timed."""
TIMED = """
import sys, time
import {imports}
name = sys.argv[1]
begin = time.perf_counter()
{work}
print(time.perf_counter() - begin)
"""


def convert(folder: Path, model: str, timm_python: str | None) -> dict[str, Any]:
    """Every conversion of one model's file."""
    source = folder / "source.safetensors"
    written = run([sys.executable, "-c", WRITE, model, str(source)], sample_memory=True)
    layer_mib = int(written.stdout) / MEBIBYTE
    rows = [{"what": "imports alone", **memory([sys.executable, "-c", IMPORT])}]
    for name, target in CONVERSIONS:
        command = [sys.executable, "-c", CONVERT, str(source), str(folder / name), target]
        rows.append({"what": f"to {name.removeprefix('there')}, {target}", **memory(command)})
        remove_all_but(folder, source)
    if timm_python is not None and model != "small":
        for name, code in PEERS.items():
            command = [timm_python, "-c", code, str(source), str(folder / "torch.pth"), model]
            rows.append({"what": name, **memory(command)})
    return {
        "model": model,
        "file_mib": source.stat().st_size / MEBIBYTE,
        "largest_tensor_mib": layer_mib,
        "bound_mib": LAYERS * layer_mib + ADDED_MIB,
        "rows": rows,
    }


def memory(command: list[str]) -> dict[str, float]:
    taken = run(command, sample_memory=True)
    return {"peak_anonymous_mib": taken.peak_anonymous_mib, "seconds": taken.seconds}


def remove_all_but(folder: Path, source: Path) -> None:
    for path in folder.iterdir():
        if path != source:
            path.unlink()


def describe(model: str) -> list[dict[str, Any]]:
    """Seconds for each step, in a fresh process: for it alone, and with the interpreter's start and all imports."""
    rows = []
    for step, (imports, work) in STEPS.items():
        command = [sys.executable, "-c", TIMED.format(imports=imports, work=work), model]
        run(command)  # so that everything is compiled
        taken = run(command)
        rows.append({"model": model, "what": step, "seconds": float(taken.stdout), "whole_process_s": taken.seconds})
    return rows


def print_report(facts: dict[str, Any]) -> None:
    print(f"{facts['processor']}\n\n{'':<16}{'':<16}{'seconds':>9}{'whole process':>15}")
    for row in facts["described"]:
        print(f"{row['model']:<16}{row['what']:<16}{row['seconds']:>9.3f}{row['whole_process_s']:>15.2f}")
    converted = facts["converted"]
    print(
        f"\n{converted['model']}: a file of {converted['file_mib']:,.0f} MiB, its largest tensor of "
        f"{converted['largest_tensor_mib']:,.0f} MiB; at most {converted['bound_mib']:,.0f} MiB are allowed\n"
    )
    print(f"{'':<34}{'anonymous MiB':>14}{'seconds':>9}")
    for row in converted["rows"]:
        print(f"{row['what']:<34}{row['peak_anonymous_mib']:>14,.0f}{row['seconds']:>9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="regnety_2560", help="a name, or small (default: %(default)s)")
    parser.add_argument("--timm-python", metavar="PATH", help="an interpreter with timm; without it only ours is run")
    parser.add_argument("--folder", type=Path, help="where there is room (default: the system's temporary folder)")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="large_models.", dir=options.folder) as name:
        free_gb = shutil.disk_usage(name).free / 1e9
        if options.model != "small" and free_gb < 12:
            sys.exit(f"{Path(name).parent}: has {free_gb:.1f} GB free, 12 are needed; name another one with --folder")
        converted = convert(Path(name), options.model, options.timm_python)
    facts = {
        "processor": processor(),
        "described": [row for model in DESCRIBED for row in describe(model)],
        "converted": converted,
    }
    print_report(facts)
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
