"""Which engine runs a model."""

import logging

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.inference.engines.engine import Engine
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.graph_cache import graph_of

logger = logging.getLogger("regnety")


def start_engine(
    bundle: Bundle, *, engine: str = "auto", precision: str = "auto", threads: int, workers: int = 1
) -> Engine:
    """A model on ONNX Runtime; a damaged graph in the cache is built anew."""
    graph = graph_of(bundle)
    try:
        return OnnxRuntimeEngine(graph, threads=threads, batch=1)
    except WeightsError as error:
        if isinstance(graph, bytes):
            raise
        logger.warning("%s; it is built anew", error)
        return OnnxRuntimeEngine(graph_of(bundle, rebuild=True), threads=threads, batch=1)


def describe_engine(engine: Engine) -> str:
    """Name, version and precision."""
    return f"{engine.name} {engine.version}, {engine.precision}"
