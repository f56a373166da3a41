"""What each stage from a file to its answer costs alone, and what share of their sum the pipeline reaches.

    python benchmarks/pipeline_floor.py PHOTOGRAPHS MODEL [--rounds 5] [--precision auto]

Each stage runs on the same files, on all cores: a thread for each, as in the pipeline. The floor is the time of the
three one after the other. Medians of rounds in which every stage and the pipeline have their turn.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from engine_rates import throughput

from regnety import Bundle
from regnety.images.crop_resize import crop_resize
from regnety.images.jpeg import decode_jpeg, read_jpeg_header
from regnety.images.listing import list_images
from regnety.inference.engines.processor import available_cores
from regnety.inference.options import RunOptions
from regnety.inference.runner import Runner

DECODED_BYTES = 200_000_000
"""Of decoded pictures that are held in memory for the resize; at most 64 of them."""
SECONDS = 1.0
"""Of a stage in a round."""


def rate(function: Callable[[Any], object], items: Sequence[Any], workers: int) -> float:
    """Calls a second, from that many threads at once."""
    done = [0] * workers
    begin = time.perf_counter()

    def work(worker: int) -> None:
        number = worker
        while time.perf_counter() - begin < SECONDS:
            function(items[number % len(items)])
            number += workers
            done[worker] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begin)


def decode(data: bytes) -> None:
    """As the pipeline does it."""
    header = read_jpeg_header(data)
    assert header is not None
    decode_jpeg(data, reused_for=(header.width, header.height))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    workers = available_cores()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["REGNETY_CACHE"] = cache
        bundle = Bundle.load(options.model)
        files = list(list_images([options.photographs]))
        data = [Path(str(file)).read_bytes() for file in files[:256]]
        pixels: list[np.ndarray] = []
        for each in data[:64]:
            if sum(picture.nbytes for picture in pixels) < DECODED_BYTES and (decoded := decode_jpeg(each)) is not None:
                pixels.append(decoded)
        shown = np.stack([crop_resize(each, bundle.preprocessing) for each in pixels])
        runner = Runner(bundle, RunOptions(precision=options.precision))
        list(runner.stream([*files, *files]))  # the plan is found, and its engine is there
        plan, engine = runner.plan, runner.engine
        assert plan is not None
        assert engine is not None
        rates: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            rates.setdefault("decode", []).append(rate(decode, data, workers))
            resize = rate(lambda picture: crop_resize(picture, bundle.preprocessing), pixels, workers)
            rates.setdefault("resize", []).append(resize)
            infer = throughput(
                engine, np.resize(shown, (plan.batch, *shown.shape[1:])), workers=plan.workers, seconds=SECONDS
            )
            rates.setdefault("infer", []).append(infer)
            begin = time.perf_counter()
            count = sum(output.error is None for output in runner.stream(files))
            rates.setdefault("pipeline", []).append(count / (time.perf_counter() - begin))
        floors = [1 / sum(1 / one for one in stages) for stages in zip(*list(rates.values())[:3], strict=True)]
        shares = [found / floor for found, floor in zip(rates["pipeline"], floors, strict=True)]
        print(
            f"stages alone, {workers} cores, {plan.engine} {plan.precision}, batches of {plan.batch}; images a second"
        )
        for name in ("decode", "resize", "infer"):
            share = statistics.median(floor / one for floor, one in zip(floors, rates[name], strict=True))
            print(f"  {name:10}{statistics.median(rates[name]):9.0f}{100 * share:7.0f} % of the time")
        print(f"  {'floor':10}{statistics.median(floors):9.0f}")
        reached = 100 * statistics.median(shares)
        print(f"  {'pipeline':10}{statistics.median(rates['pipeline']):9.0f}{reached:7.0f} % of the floor")


if __name__ == "__main__":
    main()
