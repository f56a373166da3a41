"""Whether answers stay the same: each way to pixels and each precision, beside timm, on the same photographs.

    python benchmarks/same_answers.py BUNDLE PHOTOGRAPHS [--int8 BUNDLE] [--timm-python PATH] [--output FILE.json]

BUNDLE is a model that timm can build, and that was trained (`regnety train`) or tells photographs apart as one does
(`answering_model.py`, with --least 200). PHOTOGRAPHS is a folder. The reference is
timm's network in float32 on timm's own pixels. Counted are the photographs whose first class is another one; those
whose two best probabilities are closer than a hundredth in the reference are counted apart, as nothing hangs on them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from files_to_labels import CLOSE_CALL, PEERS, first_classes
from processes import processor, regnety_command

WAYS: dict[str, list[str]] = {
    "exact, f32": ["--exact", "--precision", "f32"],
    "fast, f32": ["--precision", "f32"],
    "draft, f32": ["--draft", "--precision", "f32"],
    "exact, bf16": ["--exact", "--engine", "openvino", "--precision", "bf16"],
    "fast, bf16": ["--engine", "openvino", "--precision", "bf16"],
    "draft, bf16": ["--draft", "--engine", "openvino", "--precision", "bf16"],
}


def compare(found: Path, wanted: dict[str, tuple[int, float]]) -> dict[str, Any]:
    ours = first_classes(found)
    assert ours.keys() == wanted.keys(), (len(ours), len(wanted))
    others = [margin for name, (index, margin) in wanted.items() if ours[name][0] != index]
    return {"other_answer": len(others), "of_them_close_calls": sum(margin < CLOSE_CALL for margin in others)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--int8", type=Path, metavar="BUNDLE", help="the same model as `regnety quantize` writes it")
    parser.add_argument("--timm-python", default=sys.executable, metavar="PATH")
    parser.add_argument("--least", type=int, default=0, help="different answers to 1,000 photographs that are wanted")
    parser.add_argument("--size", default="", help="of the photographs, for the report")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    config = json.loads((options.bundle / "config.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        reference = Path(temporary) / "timm.csv"
        loop = [options.timm_python, str(PEERS / "timm_loop.py"), f"local-dir:{options.bundle.resolve()}", ""]
        subprocess.run([*loop, str(options.photographs), str(reference), "32", "2"], check=True)
        wanted = first_classes(reference)
        close = sum(margin < CLOSE_CALL for _, margin in wanted.values())
        given = len({index for index, _ in wanted.values()})
        if options.least and given < options.least * len(wanted) / 1000:
            raise SystemExit(f"{options.bundle}: gives {given} different answers to {len(wanted)} photographs, too few")
        print(f"{config['architecture']}, {len(wanted)} photographs, {given} different answers, {close} close calls")
        print(f"{processor()}\n")
        ways = {name: (options.bundle, flags) for name, flags in WAYS.items()}
        if options.int8 is not None:
            ways |= {
                f"fast, int8, {engine}": (options.int8, ["--engine", engine]) for engine in ("openvino", "onnxruntime")
            }
        rows = {}
        for name, (bundle, flags) in ways.items():
            answers = Path(temporary) / "answers.csv"
            command = [*regnety_command(), "predict", str(options.photographs), "--model", str(bundle), "--quiet"]
            subprocess.run([*command, *flags, "-o", str(answers)], check=True)
            rows[name] = compare(answers, wanted)
            counts = rows[name]
            print(f"{name:26}{counts['other_answer']:6} others, {counts['of_them_close_calls']} of them close calls")
    if options.output is not None:
        report = {
            "model": config["architecture"],
            "processor": processor(),
            "photographs": len(wanted),
            "size": options.size,
            "different_answers": given,
            "close_calls": close,
            "rows": rows,
        }
        options.output.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
