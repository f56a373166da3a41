"""Which engine answers, in which precision: what is asked for, what is installed, what the processor has.

Only the engine that is taken is imported.
"""

import logging
from pathlib import Path

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, WeightsError
from regnety.inference.engines.graph_cache import graph_of, identity_of
from regnety.inference.engines.processor import BF16_FLAGS, has_bf16, processor
from regnety.inference.engines.registry import (
    AUTO,
    DEFAULT_ENGINE,
    ENGINES,
    PRECISIONS,
    Engine,
    EngineRow,
    Precision,
    engine_row,
    no_precision,
)
from regnety.storage.cache import cache_directory, cache_folder

logger = logging.getLogger("regnety")


def choose_engine(engine: str = AUTO, precision: str = AUTO, bundle: Bundle | None = None) -> tuple[str, Precision]:
    """The name of the engine to take and what it computes in.

    Args:
        engine: a name of `ENGINES`, or `auto`: the first of them, or with bf16 the first that is installed and has it.
        precision: one of `PRECISIONS`. `auto` is f32 where no engine is named; with a named one it is bf16 where
            the processor and the engine have it.
        bundle: the model: one that is quantized computes in int8, and no other does. None is one in floating point.

    Raises:
        EngineError: there is no such engine or precision, or not here, or not of this model.
    """
    row = None if engine == AUTO else engine_row(engine)
    if precision not in PRECISIONS:
        raise EngineError(no_precision(precision))
    if bundle is not None and bundle.is_quantized:  # its arithmetic is in the graph, whatever is asked for
        return _engine_for_quantized(bundle, row, precision), "int8"
    if precision == "int8":
        name = "the model" if bundle is None else bundle.name
        raise EngineError(f"{name}: is not quantized; regnety quantize makes a model of it that computes in int8")
    if row is None:
        if precision == AUTO:  # a few images are not worth the start of another engine
            return DEFAULT_ENGINE, ENGINES[DEFAULT_ENGINE].precisions[0]
        return _engine_with(precision)
    if precision == AUTO:
        return row.name, "bf16" if "bf16" in row.precisions and has_bf16() else row.precisions[0]
    return row.name, _checked(row, precision)


def start_engine(
    bundle: Bundle,
    *,
    outputs: tuple[str, ...] = ("logits",),
    engine: str = AUTO,
    precision: str = AUTO,
    threads: int,
    workers: int = 1,
    batch: int = 1,
    keep_compiled: bool = True,
) -> Engine:
    """The engine that is asked for, ready to run images of the bundle's own size.

    Args:
        bundle: the model.
        outputs: of the graph: `logits`, `pre_logits`.
        engine: as for `choose_engine`.
        precision: as for `choose_engine`.
        threads: threads within one run.
        workers: threads that will call `run` at once; with more than one, `threads` should be 1.
        batch: images in each run.
        keep_compiled: whether to keep what the engine compiles in the cache.

    Raises:
        EngineError: there is no such engine or precision, or not here.
        MissingExtraError: the engine is not installed.
        WeightsError: the model's graph cannot be loaded.
    """
    name, taken = choose_engine(engine, precision, bundle)
    row = ENGINES[name]
    start = row.load()
    if not row.runs_graphs:
        return start(bundle, outputs=outputs, precision=taken, threads=threads)
    cache = cache_folder("compiled") if keep_compiled else None

    def start_on(graph: Path | bytes) -> Engine:
        identity = identity_of(graph, bundle)
        return start(
            graph, precision=taken, threads=threads, workers=workers, batch=batch, cache=cache, identity=identity
        )

    graph = graph_of(bundle, outputs=outputs, suffixes=row.suffixes)
    try:
        return start_on(graph)
    except WeightsError as error:
        # A damaged file in the cache is built again, once; a file of the user's is not touched.
        if isinstance(graph, bytes) or not graph.is_relative_to(cache_directory()):
            raise
        logger.warning("%s; it is built again", error)
        return start_on(graph_of(bundle, outputs=outputs, rebuild=True))


def can_run(row: EngineRow, bundle: Bundle | None) -> bool:
    """Whether an engine can run this model: a quantized one is its graph, which only some engines read."""
    if bundle is None or not bundle.is_quantized:
        return True
    assert bundle.graph is not None
    return "int8" in row.precisions and bundle.graph.path.suffix.lower() in row.suffixes


def installed_engines() -> dict[str, str | None]:
    """Every engine's version by its name, None if it is not installed; no engine is imported."""
    return {row.name: _version(row) for row in ENGINES.values()}


def describe_engine(name: str, precision: str, version: str | None) -> str:
    """`ONNX Runtime 1.32.0 in f32`."""
    return f"{' '.join(filter(None, (ENGINES[name].title, version)))} in {precision}"


def faster_engine(*, than: str = DEFAULT_ENGINE, precision: str = "f32") -> EngineRow | None:
    """An engine that is not installed and would be faster for many images on this processor; None if there is none.

    That was measured against the first engine in f32 only.
    """
    if (than, precision) != (DEFAULT_ENGINE, "f32"):
        return None
    flags = processor().flags or ()
    return next((row for row in ENGINES.values() if row.faster_with in flags and not row.is_installed), None)


def _engine_for_quantized(bundle: Bundle, row: EngineRow | None, precision: str) -> str:
    if precision not in (AUTO, "int8"):
        raise EngineError(
            f"{bundle.name}: is quantized and computes in int8, not in {precision}; leave the precision at auto, or "
            "name the model that it was made from"
        )
    if row is None:  # the first that reads it; a graph in an engine's own format is for that engine
        return next((row.name for row in ENGINES.values() if can_run(row, bundle)), DEFAULT_ENGINE)
    if "int8" not in row.precisions:
        raise EngineError(f"{bundle.name}: is quantized, which the engine {row.name} does not run; take another one")
    return row.name


def _engine_with(precision: str) -> tuple[str, Precision]:
    """The first engine that is installed and has a precision."""
    rows = [row for row in ENGINES.values() if precision in row.precisions]
    # Checked for all, installed or not: a processor without bf16 is the better reason than a missing extra.
    taken = [_checked(row, precision) for row in rows]
    for row in rows:
        if row.is_installed:
            return row.name, taken[0]
    raise EngineError(f"{precision} needs an engine that has it: {rows[0].how_to_install()}")


def _checked(row: EngineRow, precision: str) -> Precision:
    """A precision that an engine is asked for, if the engine and the processor have it."""
    if precision not in row.precisions:
        others = [other.name for other in ENGINES.values() if precision in other.precisions]
        raise EngineError(
            f"{row.title} does not compute in {precision}; take the precision {row.precisions[0]}, "
            f"or the engine {' or '.join(others)}"
        )
    if precision == "bf16" and not has_bf16():
        processor = "does not say what it has" if has_bf16() is None else "has neither"
        raise EngineError(
            f"bf16 needs a processor with {' or '.join(BF16_FLAGS)}, and this one {processor}; take the precision f32"
        )
    return next(known for known in row.precisions if known == precision)


def _version(row: EngineRow) -> str | None:
    from importlib import metadata  # takes some 20 ms, which no prediction needs

    try:
        return metadata.version(row.package)
    except metadata.PackageNotFoundError:  # a package that its user built may be there without metadata
        return "unknown" if row.is_installed else None
