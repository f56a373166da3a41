"""The model alone: what `regnety bench` takes as `auto`, beside ONNX Runtime and OpenVINO on timm's own export.

    python benchmarks/model_alone.py [--models regnety_002 ...] [--pairs 15] [--timm-python PATH] [--no-torch]
                                     [--output FILE.json] [--markdown FILE.md]

Both have the same random weights. Ours takes uint8 pixels [batch, height, width, 3] and normalises inside; timm's takes
normalised float32 [batch, 3, height, width]. The two run in turns within one process, and a ratio is the peer's time
over ours in the same turn, so that whatever else the machine does meets both: above 1 ours is faster. A turn is short
blocks of runs in random order, as a shared machine may slow down in a rhythm that blocks of one length fall in with.
The peer is the better of the two engines at the same precision, each as its users start it. The bound is a median of
0.97. Beside it stands what timm takes in torch, eager, and compiled for some. Every model has a process of its own.
`--markdown` writes the table of the documentation.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from inputs import write_weights
from processes import processor

HERE = Path(__file__).parent
BOUND = 0.97
COMPILED = ("regnety_002", "regnety_016", "regnety_040", "regnety_160")
LARGEST_PARAMS = 150_000_000
"""regnety_320 is the last: larger ones have weights of gigabytes."""
BLOCK_S = 0.05
"""Seconds of runs in one block, or one run."""
TURN_S = 0.1
"""Seconds of blocks of each in one turn, or one block."""
SETTLE_S = 0.06
"""Before a block: ONNX Runtime's idle threads look for work for 0.04 s, on a core that the next one wants."""
CLEARLY_WORSE = 1.2
"""A peer that takes so many times the other one's time is not measured further."""
Run = Callable[[], object]


def block_ms(run: Run, count: int) -> list[float]:
    """Milliseconds of runs in a row; of more than one, the first is not counted."""
    time.sleep(SETTLE_S)
    if count > 1:
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def turn_ms(runs: dict[str, Run], run_ms: float, order: random.Random) -> dict[str, float]:
    """Milliseconds of one run of each, which takes about `run_ms`: medians of some blocks, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    count = max(1, min(50, int(1000 * BLOCK_S / run_ms)))
    for _ in range(max(1, int(1000 * TURN_S / (count * run_ms)))):
        for name in order.sample(list(runs), len(runs)):
            times[name] += block_ms(runs[name], count)
    return {name: statistics.median(taken) for name, taken in times.items()}


def our_run(graph: Path, row: Any, image_size: int) -> tuple[Run, Run]:
    """What bench measured as the fastest; and a function that gives its logits."""
    from regnety.inference.latency.timing_process import start_timed_engine

    facts = ("engine", "precision", "workers", "threads", "images_per_run", "batch_size")
    engine = start_timed_engine({"graph": str(graph), **{name: getattr(row, name) for name in facts}})
    pixels = pixels_of(row.batch_size, image_size)
    return lambda: engine.run(pixels), lambda: engine.run(pixels)["logits"]


def pixels_of(batch: int, image_size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, image_size, image_size, 3), np.uint8)


def peer_runs(folder: Path, batch: int, precision: str, values: np.ndarray) -> dict[str, tuple[Run, Run]]:
    """Both engines on timm's export, as their users start them."""
    import openvino

    path = str(folder / f"timm.b{batch}.onnx")
    runs: dict[str, tuple[Run, Run]] = {}
    properties = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", properties).create_infer_request()

    def run_openvino() -> Any:
        return request.infer([values], share_inputs=True, share_outputs=True)

    runs["openvino"] = run_openvino, lambda: np.array(run_openvino()[0], np.float32)
    if precision == "f32":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: values}

        def run_onnxruntime() -> Any:
            return session.run(None, feed)

        runs["onnxruntime"] = run_onnxruntime, lambda: run_onnxruntime()[0]
    return runs


def compare(model: Any, graph: Path, folder: Path, row: Any, pairs: int) -> dict[str, Any]:
    """Turn by turn: ours, and the peer or peers that are not clearly the worse."""
    run, logits = our_run(graph, row, model.image_size)
    shown = model.bundle.preprocessing
    values = (pixels_of(row.batch_size, model.image_size) / 255 - shown.mean) / shown.std
    peers = peer_runs(folder, row.batch_size, row.precision, values.transpose(0, 3, 1, 2).astype(np.float32, order="C"))
    expected = next(iter(peers.values()))[1]()
    difference = float(np.abs(logits() - expected).max() / np.std(expected))
    for each in (run, *(peer for peer, _ in peers.values())):
        each()
    alone = statistics.median(block_ms(run, 3))
    order = random.Random(0)
    first = turn_ms({name: peer for name, (peer, _) in peers.items()}, alone, order)
    kept = [name for name in peers if first[name] <= CLEARLY_WORSE * min(first.values())]
    contenders = {"ours": run, **{name: peers[name][0] for name in kept}}
    turns = [turn_ms(contenders, alone, order) for _ in range(pairs)]
    times = {name: [turn[name] for turn in turns] for name in contenders}
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    peer = min(kept, key=lambda name: medians[name])
    ratios = [other / own for own, other in zip(times["ours"], times[peer], strict=True)]
    return {
        "model": row.model,
        "batch_size": row.batch_size,
        "precision": row.precision,
        "engine": row.engine,
        "workers": row.workers,
        "images_per_run": row.images_per_run,
        "ours_ms": medians["ours"],
        "peer": peer,
        "peer_ms": medians[peer],
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "largest_difference": difference,
        "memory_mib": row.memory_mib,
    }


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One model, in this process."""
    from regnety.inference.latency.benchmark import bench
    from regnety.inference.latency.timed_models import timed_model

    model = timed_model(name)
    rows = []
    for precision in options.precisions:
        found = bench([model], precisions=(precision,), batch_sizes=options.batch_sizes, fresh=options.fresh)
        rows += [row for row in found if row.auto]
    with tempfile.TemporaryDirectory(prefix="model_alone.") as temporary:
        folder = Path(temporary)
        weights = write_weights(folder / "model.safetensors", model.bundle.architecture)
        command = [options.timm_python, str(HERE / "peers" / "timm_model.py"), name, str(weights), str(folder)]
        command += ["--image-size", str(model.image_size), "--batch-sizes", *map(str, options.batch_sizes)]
        if not options.no_torch:
            command += ["--eager", *(["--compiled"] if name in COMPILED else [])]
        fresh = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}  # nothing of an earlier, broken run
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=fresh)
        if result.returncode != 0:
            sys.exit(f"{' '.join(command)}: {result.stderr}")
        in_torch = json.loads(result.stdout.splitlines()[-1])
        with model.written("onnxruntime") as graph:
            compared = [compare(model, graph, folder, row, options.pairs) for row in rows]
    for row in compared:
        row["eager_ms"] = in_torch["eager"].get(str(row["batch_size"]))
        row["compiled_ms"] = in_torch["compiled"].get(str(row["batch_size"]))
    return {"rows": compared, "versions": {name: in_torch[name] for name in ("timm", "torch")}}


HEADS = ("model", "batch", "precision", "ours", "ms", "peer", "ms", "ratio", "timm eager", "compiled")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    optional = [("" if row[name] is None else f"{row[name]:.1f}") for name in ("eager_ms", "compiled_ms")]
    way = "" if row["workers"] == 1 else f" {row['workers']}x{row['images_per_run']}"
    return (
        row["model"].partition(".")[0],
        str(row["batch_size"]),
        row["precision"],
        f"{row['engine']}{way}",
        f"{row['ours_ms']:.2f}",
        row["peer"],
        f"{row['peer_ms']:.2f}",
        f"{row['ratio']:.2f}",
        *optional,
    )


def markdown(facts: dict[str, Any]) -> str:
    """The table for a page, with what it was measured on."""
    lines = [
        f"Measured on {facts['date']}: {facts['processor']}; timm {facts['versions']['timm']}, torch "
        f"{facts['versions']['torch']}. Milliseconds for a batch; ratio is the median of {facts['pairs']} pairs, the "
        "peer's time over ours.",
        "",
        f"| {' | '.join(HEADS)} |",
        "| --- | ---: | --- | --- | ---: | --- | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(cells(row))} |" for row in facts["rows"]),
    ]
    return "\n".join(lines) + "\n"


def print_table(rows: list[dict[str, Any]], *, heads: bool = False) -> None:
    widths = (15, 6, 10, 16, 9, 12, 9, 6, 11, 9)
    for line in ([HEADS] if heads else []) + [cells(row) for row in rows]:
        print(
            "".join(
                f"{text:<{width}}" if width > 9 else f"{text:>{width}} "
                for text, width in zip(line, widths, strict=True)
            )
        )


def default_models() -> list[str]:
    """The published RegNetY up to regnety_320, by their work."""
    import regnety

    names = [name for name in regnety.list_models("regnety_*") if regnety.model_info(name).published is not None]
    counted = {name: regnety.complexity(regnety.model_info(name).design) for name in names}
    return sorted(
        (name for name in names if counted[name].num_params < LARGEST_PARAMS), key=lambda name: counted[name].macs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", help="names (default: all published up to regnety_320)")
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--precisions", nargs="+", help="f32, bf16 (default: what the processor has)")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--timm-python", default=sys.executable, help="an interpreter with timm, torch and onnxscript")
    parser.add_argument("--no-torch", action="store_true", help="leave away timm in torch")
    parser.add_argument("--fresh", action="store_true", help="have bench measure anew what its cache knows")
    parser.add_argument("--output", type=Path, help="a JSON file; rows of other models that it has stay")
    parser.add_argument("--markdown", type=Path, help="the table as a page has it")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.precisions is None:
        from regnety.inference.engines.processor import has_bf16

        options.precisions = ["f32", "bf16"] if has_bf16() else ["f32"]
    if options.one is not None:
        print(json.dumps(measure(options.one, options)))
        return
    rows: list[dict[str, Any]] = []
    facts: dict[str, Any] = {
        "processor": processor(),
        "pairs": options.pairs,
        "date": time.strftime("%Y-%m-%d"),
        "rows": rows,
    }
    models = options.models or default_models()
    if options.output is not None and options.output.exists():
        earlier = json.loads(options.output.read_text("utf-8"))
        rows += [row for row in earlier["rows"] if row["model"].partition(".")[0] not in models]
        facts = {**earlier, **facts}
    print(f"{facts['processor']}; milliseconds for a batch; ratio: median of {options.pairs} pairs, peer over ours\n")
    print_table([], heads=True)
    for name in models:
        result = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--one", name], stdout=subprocess.PIPE, text=True, check=False
        )
        if result.returncode != 0:
            sys.exit(f"{name}: cannot be measured")
        answer = json.loads(result.stdout.splitlines()[-1])
        facts["versions"] = answer["versions"]
        rows += answer["rows"]
        print_table(answer["rows"])
        sys.stdout.flush()
        if options.output is not None:  # after each, as all of them take long
            in_order = sorted(rows, key=lambda row: default_models().index(row["model"].partition(".")[0]))
            options.output.write_text(json.dumps({**facts, "rows": in_order}, indent=2) + "\n", "utf-8")
    low = [row for row in rows if row["ratio"] < BOUND]
    print(f"\nratios from {min(row['ratio'] for row in rows):.2f} to {max(row['ratio'] for row in rows):.2f}; ", end="")
    print(f"{len(low)} of {len(rows)} are below {BOUND}")
    if options.markdown is not None:
        options.markdown.write_text(markdown(facts), "utf-8")


if __name__ == "__main__":
    main()
