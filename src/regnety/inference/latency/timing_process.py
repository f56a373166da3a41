"""A separate process in which something is timed: one engine, one graph, one way to run a batch, and nothing else.

    echo '{"engine": "openvino", ...}' | python -m regnety.inference.latency.timing_process

It prints the result as a line of JSON; `run_timing_process` starts it. So the peak memory is the model's own, no
engine's threads disturb another's, and an engine that crashes is one line.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regnety.errors import EngineError, RegNetYError
from regnety.inference.engines.registry import ENGINES, Engine

WARM_UP_RUNS, WARM_UP_S = 2, 1.0  # two runs, or one if that takes a second
MIN_RUNS, MIN_S = 10, 1.0  # enough once both have passed
MAX_RUNS, MAX_S = 2000, 6.0  # either ends it, but not before
FEWEST_RUNS = 3
GIVE_UP_RUNS = 2  # after so many it may be clear that a model is too slow
JOB_PHOTOGRAPHS = 72  # more than a job needs to find the fastest way to run, so that its memory is a long job's
STATUS = Path("/proc/self/status")
# the child looks for modules where this process does, and not in the current folder
PROCESS = "import sys; sys.path[:] = {path!r}; from regnety.inference.latency.timing_process import main; main()"


def run_timing_process(request: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Measure one way to run a batch in a separate process.

    Args:
        request: what `measure` or `measure_job` reads.
        name: what is measured, for messages.

    Raises:
        EngineError: it cannot be measured; the message says why.
    """
    result = subprocess.run(
        [sys.executable, "-P", "-c", PROCESS.format(path=sys.path)],
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    answer: dict[str, Any] = {}
    if result.returncode == 0 and result.stdout:
        # the last line: an engine may have printed lines of its own before
        answer = json.loads(result.stdout.splitlines()[-1])
    if "engine_version" in answer:
        return answer
    last = (result.stderr.strip().splitlines() or [""])[-1]
    # a negative status is the signal that ended the process
    killed = "was killed, perhaps for lack of memory" if result.returncode < 0 else f"ended with {result.returncode}"
    reason = answer.get("error") or f"its process {killed} {last}".rstrip()
    raise EngineError(f"{name} cannot be timed: {reason}")


def main() -> None:
    """Read what to measure, measure it, and print the result."""
    request = json.load(sys.stdin)
    try:
        answer = measure_job(request) if "photograph" in request else measure(request)
    except RegNetYError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
    os._exit(0)  # without the engines' own cleaning up, which takes time and may crash


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Start an engine and time its runs."""
    engine = start_timed_engine(request)
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
    """Run a batch job as `regnety predict --output` does for the first time, and measure its memory.

    The graph is built, the fastest way to run it is looked for, and every thread answers some photographs.
    """
    with tempfile.TemporaryDirectory(prefix="regnety-job.") as folder:
        # an empty cache: in the user's own, the graph and the fastest way may stand ready
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


def start_timed_engine(request: dict[str, Any]) -> Engine:
    """One engine on all threads, or several single-threaded ones side by side."""
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
    """Milliseconds of each run, until there are enough, or it is clear that all are over a limit."""
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
    """Whether these runs, and so many seconds in all, are enough to say how long a run takes."""
    if len(times) >= GIVE_UP_RUNS and is_over(times, give_up_ms):
        return True
    if len(times) < FEWEST_RUNS:
        return False
    return (len(times) >= MIN_RUNS and seconds >= MIN_S) or len(times) >= MAX_RUNS or seconds >= MAX_S


def is_over(times: Sequence[float], give_up_ms: float | None) -> bool:
    """Whether even the fastest run is over a limit; None is no limit."""
    # the fastest, not the median: one run under the limit shows that the model can do it
    return give_up_ms is not None and min(times) > give_up_ms


def summary(times: Sequence[float]) -> dict[str, Any]:
    """Median and 99th percentile; with fewer than a hundred runs the latter is nearly the slowest."""
    return {
        "latency_p50_ms": statistics.median(times),
        "latency_p99_ms": float(np.percentile(times, 99)),
        "runs": len(times),
    }


def peak_memory_mib() -> float | None:
    """Peak resident memory of this process; None if the system does not say."""
    if sys.platform == "linux":  # ru_maxrss would include the process that started this one, from before its exec
        for line in STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None
    if sys.platform == "win32":  # it has no module `resource`
        return None
    import resource

    # macOS counts it in bytes; Linux would count KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


if __name__ == "__main__":
    main()
