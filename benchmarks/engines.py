"""The engines side by side: how long they take to start and to answer, and how far bf16 is from float32.

    python benchmarks/engines.py [--models regnety_002 regnety_040] [--repeats 9] [--output engines.json]

Every figure is of one image at 224, in milliseconds. `first start` is from the built graph to an engine that has
answered once, for the first time on this machine; it includes loading the library for the engine's first row. `start`
is the same again, for OpenVINO from its compiled graph on disk. `latency` is of one run with a thread on each core.
All but the first are medians. `largest` and `mean` are differences of the logits from ONNX Runtime's in float32, in
deviations of these, on ten images. The weights are those of the forward goldens, which any implementation can make.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from goldens import forward_weights
from regnety import Bundle, Preprocessing, model_info
from regnety.errors import RegNetYError
from regnety.inference.engines.processor import available_cores, processor
from regnety.inference.engines.selection import start_engine
from regnety.metadata.model_metadata import ModelMetadata

CHOICES = (("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"), ("torch", "f32"), ("torch", "bf16"))
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 1, 224, 224, 3), np.uint8)


def write_bundle(folder: Path, name: str) -> Bundle:
    info = model_info(name)
    weights = forward_weights(info.design.architecture(info.num_classes).state_dict_shapes())
    metadata = ModelMetadata(
        design=info.design, num_classes=info.num_classes, in_chans=3, preprocessing=Preprocessing()
    )
    Bundle(metadata, weights).save(folder / name)
    return Bundle.load(folder / name)


def start(bundle: Bundle, engine: str, precision: str) -> tuple[Any, float]:
    begin = time.perf_counter()
    started = start_engine(bundle, engine=engine, precision=precision, threads=available_cores())
    started.run(IMAGES[0])
    return started, 1000 * (time.perf_counter() - begin)


def measure(bundle: Bundle, engine: str, precision: str, repeats: int) -> dict[str, Any]:
    started, first_ms = start(bundle, engine, precision)
    again_ms = statistics.median(start(bundle, engine, precision)[1] for _ in range(repeats))
    latencies = []
    for number in range(10 * repeats):
        begin = time.perf_counter()
        started.run(IMAGES[number % len(IMAGES)])
        latencies.append(1000 * (time.perf_counter() - begin))
    logits = np.concatenate([started.run(image)["logits"] for image in IMAGES])
    return {
        "engine": engine,
        "precision": precision,
        "version": started.version,
        "first_start_ms": first_ms,
        "start_ms": again_ms,
        "latency_ms": statistics.median(latencies),
        "logits": logits,
    }


def compare(name: str, repeats: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REGNETY_CACHE"] = str(Path(folder) / "cache")
        bundle = write_bundle(Path(folder), name)
        start(bundle, "onnxruntime", "f32")  # the graph is built, and the libraries are loaded
        for engine, precision in CHOICES:
            try:
                rows.append({"model": name, **measure(bundle, engine, precision, repeats)})
            except RegNetYError as error:
                print(f"{name} {engine} {precision}: {error}", file=sys.stderr)
    reference = rows[0]["logits"]
    for row in rows:
        difference = np.abs(row.pop("logits") - reference) / reference.std()
        row["largest_difference"], row["mean_difference"] = float(difference.max()), float(difference.mean())
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["regnety_002", "regnety_040"])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    here = processor()
    print(f"{here.name}, {available_cores()} cores: {', '.join(here.noted_flags)}\n")
    heads = ("first start", "start", "latency", "largest", "mean")
    print(f"{'model':<12} {'engine':<18} {heads[0]:>11} {heads[1]:>8} {heads[2]:>8} {heads[3]:>9} {heads[4]:>9}")
    rows = []
    for name in arguments.models:
        for row in compare(name, arguments.repeats):
            rows.append(row)
            print(
                f"{row['model']:<12} {row['engine']:<12} {row['precision']:<5} {row['first_start_ms']:>11.1f} "
                f"{row['start_ms']:>8.1f} {row['latency_ms']:>8.2f} {row['largest_difference']:>9.1e} "
                f"{row['mean_difference']:>9.1e}"
            )
    if arguments.output:
        arguments.output.write_text(json.dumps({"processor": here.name, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
