"""Which engine answers, in which precision: what is asked for, what is installed, what the processor has.

Only the engine that is taken is imported.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, WeightsError, how_to_install
from regnety.extras import import_extra
from regnety.inference.engines.engine import Engine, Precision
from regnety.inference.engines.graph_cache import graph_of, identity_of
from regnety.inference.engines.processor import BF16_FLAGS, has_bf16, processor
from regnety.storage import cache_directory

ENGINES = ("auto", "onnxruntime", "openvino", "torch")
PRECISIONS = ("auto", "f32", "bf16", "int8")
TITLES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
ARITHMETIC = {"f32": "float32", "bf16": "bfloat16", "int8": "int8"}
"""What people call them."""
BF16_ENGINES = ("openvino", "torch")
"""Those that compute in bf16, the better first."""

logger = logging.getLogger("regnety")


def start_engine(
    bundle: Bundle,
    *,
    outputs: tuple[str, ...] = ("logits",),
    engine: str = "auto",
    precision: str = "auto",
    threads: int,
    workers: int = 1,
    batch: int = 1,
    keep_compiled: bool = True,
) -> Engine:
    """The engine that is asked for, ready to run images of the bundle's own size.

    Args:
        bundle: the model.
        outputs: of its graph that are wanted: `logits`, `pre_logits`.
        engine: one of `ENGINES`. `auto` is ONNX Runtime, or with bf16 an installed engine that has it.
        precision: one of `PRECISIONS`. `auto` is float32 with ONNX Runtime and where no engine is named; with another
            engine it is bf16 where the processor has that. A model that is quantized computes in int8.
        threads: threads within one run.
        workers: threads that will call `run` at once; with more than one, `threads` should be 1.
        batch: images in each run.
        keep_compiled: whether what OpenVINO compiles is kept in the cache.

    Raises:
        EngineError: there is no such engine or precision, or not here.
        MissingExtraError: the engine is not installed.
        WeightsError: the model's graph cannot be loaded.
    """
    name, taken = choose_engine(engine, precision, bundle)
    if name == "torch":
        return _torch_engine(bundle, outputs=outputs, precision=taken, threads=threads)
    suffixes: tuple[str, ...] = (".onnx",)
    if name == "openvino":
        suffixes = (".onnx", ".xml")
        from regnety.inference.engines.openvino import OpenVinoEngine

        def start(graph: Path | bytes) -> Engine:
            return OpenVinoEngine(
                graph,
                threads=threads,
                workers=workers,
                batch=batch,
                precision=taken,
                cache=cache_directory() / "openvino" if keep_compiled else None,
                identity=identity_of(graph, bundle),
            )
    else:
        from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine

        def start(graph: Path | bytes) -> Engine:
            return OnnxRuntimeEngine(graph, threads=threads, batch=batch, precision=taken)

    return _start_on_graph(start, bundle, outputs, suffixes)


def choose_engine(engine: str = "auto", precision: str = "auto", bundle: Bundle | None = None) -> tuple[str, Precision]:
    """The name of the engine to take and what it computes in.

    Args:
        engine: one of `ENGINES`.
        precision: one of `PRECISIONS`.
        bundle: the model: one that is quantized computes in int8, and no other does. None is one in floating point.

    Raises:
        EngineError: there is no such engine or precision, or not here, or not of this model.
    """
    if engine not in ENGINES:
        raise EngineError(f"no engine named {engine!r}; there are {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise EngineError(f"no precision named {precision!r}; there are {', '.join(PRECISIONS)}")
    if bundle is not None and bundle.is_quantized:
        return _engine_for_quantized(bundle, engine, precision), "int8"
    if precision == "int8":
        name = "the model" if bundle is None else bundle.name
        raise EngineError(f"{name}: is not quantized; regnety quantize makes a model of it that computes in int8")
    if precision == "bf16":
        return _engine_with_bf16(engine), "bf16"
    if engine in BF16_ENGINES and precision == "auto" and has_bf16():
        return engine, "bf16"
    return ("onnxruntime" if engine == "auto" else engine), "f32"


def check_open(engine: str, precision: str, wanted_engine: str, wanted_precision: str) -> None:
    """See that what is asked for leaves room for what is wanted.

    Raises:
        EngineError: it does not.
    """
    for asked, wanted in ((engine, wanted_engine), (precision, wanted_precision)):
        if asked not in ("auto", wanted):
            raise EngineError(f"{wanted} is wanted, and {asked} is asked for")


def installed_engines() -> dict[str, str | None]:
    """Every engine's version by its name, None where it is not installed; nothing is imported for it."""
    return {name: _version(name) for name in ENGINES if name != "auto"}


def describe_engine(name: str, precision: str, version: str | None) -> str:
    """`ONNX Runtime 1.32.0 in float32`."""
    return f"{' '.join(filter(None, (TITLES[name], version)))} in {ARITHMETIC[precision]}"


def misses_openvino() -> bool:
    """Whether it is not installed where it is the faster engine for many images: measured, with AVX-512."""
    return "avx512f" in (processor().flags or ()) and find_spec("openvino") is None


def _engine_for_quantized(bundle: Bundle, engine: str, precision: str) -> str:
    if precision in ("f32", "bf16"):
        raise EngineError(
            f"{bundle.name}: is quantized and computes in int8, not in {precision}; leave the precision at auto, or "
            "name the model that it was made from"
        )
    if engine == "torch":
        raise EngineError(f"{bundle.name}: is quantized, which the engine torch does not run; take another one")
    if engine != "auto":
        return engine
    assert bundle.graph is not None
    return "openvino" if bundle.graph.path.suffix.lower() == ".xml" else "onnxruntime"


def _engine_with_bf16(engine: str) -> str:
    if engine == "onnxruntime":
        raise EngineError(
            f"ONNX Runtime does not compute in bf16; take the precision f32, or the engine {' or '.join(BF16_ENGINES)}"
        )
    if not has_bf16():
        processor = "does not say what it has" if has_bf16() is None else "has neither"
        raise EngineError(
            f"bf16 needs a processor with {' or '.join(BF16_FLAGS)}, and this one {processor}; take the precision f32"
        )
    if engine != "auto":
        return engine
    for name in BF16_ENGINES:
        if find_spec(name) is not None:
            return name
    raise EngineError(f"bf16 needs an engine that has it: {how_to_install('openvino')}")


def _start_on_graph(
    start: Callable[[Path | bytes], Engine], bundle: Bundle, outputs: tuple[str, ...], suffixes: tuple[str, ...]
) -> Engine:
    """A file in the cache that is damaged is made anew, once; a file of the user's is not touched."""
    graph = graph_of(bundle, outputs=outputs, suffixes=suffixes)
    try:
        return start(graph)
    except WeightsError as error:
        if isinstance(graph, bytes) or not graph.is_relative_to(cache_directory()):
            raise
        logger.warning("%s; it is built anew", error)
        return start(graph_of(bundle, outputs=outputs, rebuild=True))


def _torch_engine(bundle: Bundle, *, outputs: tuple[str, ...], precision: Precision, threads: int) -> Engine:
    import_extra("torch", feature="the engine torch", extra="torch", broken=EngineError)
    from regnety.inference.engines.torch import TorchEngine

    return TorchEngine(bundle, outputs=outputs, threads=threads, precision=precision)


def _version(name: str) -> str | None:
    from importlib import metadata  # takes some 20 ms, which no prediction needs

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # a build of one's own may be there without metadata
        return None if find_spec(name) is None else "unknown"
