"""What runs in a process of its own to be timed: one engine, one graph, one way to run a batch, and nothing else.

    echo '{"engine": "openvino", ...}' | python -m regnety.inference.latency.timing_process

`timing.py` starts it. A line of JSON on stdout says what came.
"""

import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regnety.errors import EngineError, RegNetYError
from regnety.inference.engines.registry import ENGINES, Engine

WARM_UP_RUNS, WARM_UP_S = 2, 1.0
"""As many, unless they take longer."""
MIN_RUNS, MIN_S = 10, 1.0
"""Runs and seconds after which it is enough, when both have passed."""
MAX_RUNS, MAX_S = 2000, 6.0
"""Either ends it; slow models get at least `FEWEST_RUNS`."""
FEWEST_RUNS = 3
GIVE_UP_RUNS = 2
"""After which it may be plain that a model is too slow."""
JOB_PHOTOGRAPHS = 72
"""After which a job knows how it is run fastest, so that what it holds is what it goes on holding."""
STATUS = Path("/proc/self/status")


def main() -> None:
    """Read what to measure, measure it, and leave without whatever engines do when they are taken down."""
    request = json.load(sys.stdin)
    try:
        answer = measure_job(request) if "photograph" in request else measure(request)
    except RegNetYError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    os._exit(0)


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Start the engine that is asked for, and time its runs."""
    engine = started(request)
    shape = (request["batch_size"], *request["image_shape"])
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    give_up_ms = request["give_up_ms"]
    times = timed(lambda: engine.run(images), give_up_ms=give_up_ms)
    return {
        **summary(times),
        "cut_short": is_over(times, give_up_ms),
        "memory_mib": peak_memory_mib(),
        "engine_version": engine.version,
    }


def measure_job(request: dict[str, Any]) -> dict[str, Any]:
    """Run a batch job on photographs as `regnety predict --output` does for the first time, and say what it took.

    The graph is built, the fastest way is looked for, and so many photographs are answered that all threads have some.
    """
    with tempfile.TemporaryDirectory(prefix="regnety-job.") as folder:
        os.environ["REGNETY_CACHE"] = str(Path(folder) / "cache")
        from regnety.inference.jobs.job import Job, run_job
        from regnety.inference.jobs.rows import PredictionRows
        from regnety.inference.predictor import Predictor

        predictor = Predictor(
            request["bundle"],
            engine=request["engine"],
            precision=request["precision"],
            workers=request["workers"],
        )
        job = Job(  # as if there were no end of photographs, so that the fastest way to run them is looked for
            answer=lambda images, _: predictor.stream(images, on_error="record", count=math.inf),
            rows=PredictionRows(),
            row_format="csv",
        )
        photographs = [request["photograph"]] * (JOB_PHOTOGRAPHS + 4 * request["workers"])
        summary = run_job(job, photographs, Path(folder) / "labels.csv")
        if summary.unreadable:
            raise EngineError("its photographs could not be read")
        assert predictor.engine is not None
        return {"memory_mib": peak_memory_mib(), "engine_version": predictor.engine.version}


def started(request: dict[str, Any]) -> Engine:
    """The engine as it is used: one run over all threads, or several single-threaded ones side by side."""
    row, model = ENGINES[request["engine"]], Path(request["graph"])
    threads, workers, piece = request["threads"], request["workers"], request["images_per_run"]
    precision = request["precision"]
    engine: Engine
    if row.runs_graphs:
        engine = row.load()(model, threads=threads, workers=workers, batch=piece, precision=precision)
    else:
        from regnety.bundle.bundle import Bundle

        engine = row.load()(Bundle.load(model), threads=threads, precision=precision)
    if workers == 1:
        return engine
    from regnety.inference.engines.side_by_side import SideBySideEngine

    return SideBySideEngine(engine, workers=workers)


def timed(run: Callable[[], object], *, give_up_ms: float | None = None) -> list[float]:
    """Milliseconds of run after run, until there are enough, or it is plain that all are over a limit."""
    begin = time.perf_counter()
    for _ in range(WARM_UP_RUNS):
        run()
        if time.perf_counter() - begin > WARM_UP_S:
            break
    times: list[float] = []
    begin = time.perf_counter()
    while not enough(times, time.perf_counter() - begin, give_up_ms):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return times


def enough(times: Sequence[float], seconds: float, give_up_ms: float | None = None) -> bool:
    """Whether so many runs, which took so many seconds together, say how long one takes."""
    if len(times) >= GIVE_UP_RUNS and is_over(times, give_up_ms):
        return True
    if len(times) < FEWEST_RUNS:
        return False
    return (len(times) >= MIN_RUNS and seconds >= MIN_S) or len(times) >= MAX_RUNS or seconds >= MAX_S


def is_over(times: Sequence[float], give_up_ms: float | None) -> bool:
    """Whether even the fastest run is over a limit; None is no limit."""
    return give_up_ms is not None and min(times) > give_up_ms


def summary(times: Sequence[float]) -> dict[str, Any]:
    """Median and 99th percentile; of fewer than a hundred runs the latter is nearly the slowest."""
    return {
        "latency_p50_ms": statistics.median(times),
        "latency_p99_ms": float(np.percentile(times, 99)),
        "runs": len(times),
    }


def peak_memory_mib() -> float | None:
    """The most that this process has had resident since its program was started; None where the system does not say.

    Linux's `ru_maxrss` goes back to before that, to the process that started it.
    """
    if sys.platform == "linux":
        for line in STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


if __name__ == "__main__":
    main()
