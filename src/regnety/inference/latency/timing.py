"""One model timed: each way to run a batch is measured in a separate process, and the result is cached."""

import io
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from regnety.errors import EngineError
from regnety.inference.engines.processor import available_cores
from regnety.inference.engines.registry import ENGINES, Precision
from regnety.inference.engines.selection import installed_engines
from regnety.inference.latency.measurement_cache import keep_measurement, machine, measurement_path, read_measurement
from regnety.inference.latency.timed_models import TimedModel
from regnety.inference.latency.timing_process import run_timing_process

FAR_OVER = 3.0  # a model that takes so many times a budget is not measured to the end,
WORSE = 1.3  # nor is a way to run a batch that takes so many times the best
NEAR = 1.15  # rivals within so many times the best are measured twice: on a shared machine once may be a bad moment
PHOTOGRAPH = (4000, 3000)
"""Width and height of the photographs with which a job's memory is measured: 12 megapixels, as from a telephone."""
JOB_FIELDS = ("memory_mib", "engine_version")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One way to run a batch."""

    workers: int
    """Runs side by side."""
    threads: int
    """Within each."""
    images_per_run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRow:
    """One model, engine, precision and batch, measured in the fastest way to run it."""

    model: str
    top1: float | None
    """On ImageNet at that size, in percent, as published; None if it is not known."""
    image_size: int
    """Height and width, in pixels."""
    engine: str
    engine_version: str
    precision: Precision
    batch_size: int
    workers: int
    """Runs side by side."""
    threads: int
    """Within each run."""
    images_per_run: int
    latency_p50_ms: float
    """Milliseconds for the whole batch, median."""
    latency_p99_ms: float
    """99th percentile; of fewer than a hundred runs nearly the slowest."""
    images_per_second: float
    """At the median."""
    memory_mib: float | None
    """Peak resident memory of a process that loads, compiles and runs it; None if the system does not say."""
    job_memory_mib: float | None = None
    """Peak resident memory of a batch job of photographs of 12 megapixels with that engine, precision and threads;
    None if it was not measured."""
    runs: int
    """Number of runs that were timed."""
    auto: bool = False
    """Whether it is the fastest of its model and batch, apart from torch."""
    processor: str | None
    cores: int
    date: str
    """When it was measured, UTC."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `regnety bench --format json`."""
        return asdict(self)


def schedules(batch_size: int, threads: int) -> list[Schedule]:
    """The ways to run a batch that are tried: as a whole on all threads, or in pieces side by side, a thread each."""
    whole = Schedule(1, threads, batch_size)
    if batch_size == 1 or threads == 1:
        return [whole]
    # an image at a time, or one equal piece for each thread; -(-a // b) rounds up
    pieces = {1, -(-batch_size // threads)}
    return [*(Schedule(min(threads, -(-batch_size // piece)), 1, piece) for piece in sorted(pieces)), whole]


class Timing:
    """Measures one model. The files that this needs are written once, and removed at the end.

        with Timing(model) as timing:
            row = timing.row("openvino", "bf16", batch_size=8)

    Args:
        model: what is measured.
        threads: threads that a batch may use; None is one per core.
        fresh: measure again what is in the cache.
    """

    def __init__(self, model: TimedModel, *, threads: int | None = None, fresh: bool = False) -> None:
        self.model = model
        self._threads = threads or available_cores()
        self._fresh = fresh
        # rows from the cache are not measured again: a second call of `bench` answers at once
        self._just_measured: set[Path] = set()
        self._written: dict[tuple[tuple[bool, str], str], Path] = {}
        self._stack = ExitStack()
        self._versions = installed_engines()

    def __enter__(self) -> "Timing":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def row(self, engine: str, precision: Precision, *, batch_size: int, limit_ms: float | None = None) -> LatencyRow:
        """The fastest way to run a batch with that engine.

        Args:
            engine: its name.
            precision: what it computes in.
            batch_size: images.
            limit_ms: a model that is far slower is not measured to the end.

        Raises:
            EngineError: the engine cannot run it.
        """
        schedule, measured = self._fastest(engine, precision, batch_size, self.model.output, limit_ms)
        return self._as_row(engine, precision, batch_size, schedule, measured)

    def settled(self, rows: list[LatencyRow]) -> list[LatencyRow]:
        """Rows of one batch; those near the best that are not from the cache are measured once more."""
        best_ms = min((row.latency_p50_ms for row in rows), default=0.0)
        near = [row for row in rows if row.latency_p50_ms <= NEAR * best_ms]
        return rows if len(near) < 2 else [self._again(row) if row in near else row for row in rows]

    def job_memory_mib(self, engine: str, precision: Precision) -> float | None:
        """Peak resident memory of a batch job with a worker on each thread; None if the system does not say.

        Raises:
            EngineError: the job fails.
        """
        facts = {
            "graph": self.model.digest(engine),
            "engine": engine,
            "engine_version": self._versions[engine],
            "precision": precision,
            "workers": self._threads,
            "job": list(PHOTOGRAPH),
        }
        measured = None if self._fresh else read_measurement(facts, JOB_FIELDS)
        if measured is None:
            try:
                folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="regnety-bench.")))
                (folder / "photograph.jpg").write_bytes(photograph())
                request = {
                    **facts,
                    "bundle": str(self.model.bundle.save(folder / "bundle")),
                    "photograph": str(folder / "photograph.jpg"),
                }
            except OSError as error:
                raise EngineError(f"{self.model.name} cannot be timed, its files cannot be written: {error}") from error
            measured = run_timing_process(request, name=f"a batch job of {self.model.name} with {engine}")
            keep_measurement(facts, measured)
        memory: float | None = measured["memory_mib"]
        return memory

    def part_ms(self, engine: str, precision: Precision, *, batch_size: int, output: str, limit_ms: float) -> float:
        """Milliseconds of the first part of the network, up to one of its outputs."""
        _, measured = self._fastest(engine, precision, batch_size, output, limit_ms)
        return float(measured["latency_p50_ms"])

    def _fastest(
        self, engine: str, precision: Precision, batch_size: int, output: str, limit_ms: float | None
    ) -> tuple[Schedule, dict[str, Any]]:
        """The fastest way to run a batch, and its measurement."""
        give_up_ms = None if limit_ms is None else FAR_OVER * limit_ms
        best: tuple[Schedule, dict[str, Any]] | None = None
        for schedule in schedules(batch_size, self._threads):
            facts = self._facts(engine, precision, batch_size, schedule, output)
            measured = self._measured(facts, output, give_up_ms)
            if best is None or measured["latency_p50_ms"] < best[1]["latency_p50_ms"]:
                best = schedule, measured
                worse_ms = WORSE * measured["latency_p50_ms"]
                give_up_ms = worse_ms if give_up_ms is None else min(give_up_ms, worse_ms)
        assert best is not None
        return best

    def _measured(self, facts: dict[str, Any], output: str, give_up_ms: float | None) -> dict[str, Any]:
        """From the cache if it is there, else from a process."""
        # A measurement that was given up says only that the model takes longer than the limit of then. It is kept
        # apart, and serves again while the limit is below what it found.
        cut_short = {**facts, "cut_short": True}
        if not self._fresh:
            known = read_measurement(facts)
            if known is None and give_up_ms is not None:
                known = read_measurement(cut_short)
                if known is not None and known["latency_p50_ms"] <= give_up_ms:
                    known = None
            if known is not None:
                return known
        measured = self._asked(facts, output, give_up_ms)
        kept = cut_short if measured.pop("cut_short") else facts
        keep_measurement(kept, measured)
        self._just_measured.add(measurement_path(kept))
        return measured

    def _again(self, row: LatencyRow) -> LatencyRow:
        schedule = Schedule(row.workers, row.threads, row.images_per_run)
        facts = self._facts(row.engine, row.precision, row.batch_size, schedule, self.model.output)
        if measurement_path(facts) not in self._just_measured:
            return row
        try:
            measured = self._asked(facts, self.model.output, None)
        except EngineError:  # short of memory, perhaps; the first measurement stands
            return row
        # always false here, as there was no limit; a row has no such field
        del measured["cut_short"]
        # of two times the shorter one counts: other work on the machine can only slow a run down
        if measured["latency_p50_ms"] >= row.latency_p50_ms:
            return row
        keep_measurement(facts, measured)
        return self._as_row(row.engine, row.precision, row.batch_size, schedule, measured)

    def _facts(
        self, engine: str, precision: Precision, batch_size: int, schedule: Schedule, output: str
    ) -> dict[str, Any]:
        """All that a measurement depends on: the key of the cache."""
        return {
            "graph": self.model.digest(engine, output),
            "engine": engine,
            "engine_version": self._versions[engine],
            "precision": precision,
            "batch_size": batch_size,
            **asdict(schedule),
        }

    def _asked(self, facts: dict[str, Any], output: str, give_up_ms: float | None) -> dict[str, Any]:
        """What a separate process measures."""
        request = {
            **facts,
            "graph": str(self._file(facts["engine"], output)),
            "image_shape": [self.model.image_size, self.model.image_size, self.model.bundle.metadata.in_chans],
            "give_up_ms": give_up_ms,
        }
        measured = run_timing_process(request, name=f"{self.model.name} with {facts['engine']}")
        return {**measured, "date": datetime.now(UTC).isoformat(timespec="seconds")}

    def _file(self, engine: str, output: str) -> Path:
        own = self.model.own_graph(engine)  # engines that run graphs share one file, but for a model in its own format
        kind = (ENGINES[engine].runs_graphs, "" if own is None else own.suffix)
        if (kind, output) not in self._written:
            try:
                self._written[kind, output] = self._stack.enter_context(self.model.written(engine, output))
            except OSError as error:
                raise EngineError(f"{self.model.name} cannot be timed, its graph cannot be written: {error}") from error
        return self._written[kind, output]

    def _as_row(
        self, engine: str, precision: Precision, batch_size: int, schedule: Schedule, measured: dict[str, Any]
    ) -> LatencyRow:
        here = machine()
        return LatencyRow(
            model=self.model.name,
            top1=self.model.top1,
            image_size=self.model.image_size,
            engine=engine,
            precision=precision,
            batch_size=batch_size,
            images_per_second=1000 * batch_size / measured["latency_p50_ms"],
            processor=here["processor"],
            cores=here["cores"],
            **asdict(schedule),
            **measured,
        )


@cache  # two seconds for 12 megapixels
def photograph() -> bytes:
    """A JPEG of `PHOTOGRAPH`'s size, with noise like a camera's: flat colours would be decoded too fast."""
    from PIL import Image

    width, height = PHOTOGRAPH
    columns, rows = np.meshgrid(np.arange(width, dtype=np.int16), np.arange(height, dtype=np.int16))
    noise = np.random.default_rng(0).integers(-8, 9, (height, width), np.int16)
    channels = [np.clip(channel + noise, 0, 255).astype(np.uint8) for channel in (columns // 16, rows // 12, 128)]
    file = io.BytesIO()
    Image.fromarray(np.stack(channels, axis=-1)).save(file, "JPEG", quality=90)
    return file.getvalue()
