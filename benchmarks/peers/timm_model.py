"""timm's model with given weights: its own export to ONNX, and how long it takes in torch, eager and compiled.

    python timm_model.py MODEL WEIGHTS FOLDER [--batch-sizes 1 16] [--eager] [--compiled] [--seconds 3]

runs in an environment with timm, torch and onnxscript. Writes FOLDER/timm.bBATCH.onnx for each batch, as
`torch.onnx.export` makes it (float32 [batch, 3, size, size]), and prints a line of JSON with medians in milliseconds.
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import shim  # noqa: F401
import timm
import torch
from safetensors.torch import load_file


def median_ms(model: Any, images: torch.Tensor, seconds: float) -> float:
    """Of at least three runs, after one that is not counted (the one that compiles, where something is compiled)."""
    times: list[float] = []
    with torch.inference_mode():
        model(images)
        begin = time.perf_counter()
        while len(times) < 3 or (time.perf_counter() - begin < seconds and len(times) < 100):
            start = time.perf_counter()
            model(images)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    model = timm.create_model(options.model)
    model.load_state_dict(load_file(options.weights))
    model.eval()
    facts: dict[str, Any] = {"timm": timm.__version__, "torch": str(torch.__version__), "eager": {}, "compiled": {}}
    side = options.image_size
    for batch in options.batch_sizes:
        images = torch.zeros(batch, 3, side, side)
        path = options.folder / f"timm.b{batch}.onnx"
        torch.onnx.export(model, (images,), str(path), dynamo=True, verbose=False)
    for batch in options.batch_sizes:
        images = torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(0))
        if options.eager:
            facts["eager"][batch] = median_ms(model, images, options.seconds)
        if options.compiled:
            torch.compiler.reset()
            facts["compiled"][batch] = median_ms(torch.compile(model, dynamic=False), images, options.seconds)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
