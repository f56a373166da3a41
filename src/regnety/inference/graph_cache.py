"""The ONNX graph of a bundle: built once, kept in the cache, found again by path, size and time of its weights."""

import hashlib
import importlib
import logging
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError
from regnety.graph.metadata import FORMAT_VERSION
from regnety.storage import cache_directory
from regnety.version import __version__

logger = logging.getLogger("regnety")


def graph_of(bundle: Bundle, *, rebuild: bool = False) -> Path | bytes:
    """A bundle's graph with a uint8 input of the model's own size, as a file, or as bytes where none can be kept.

    A bundle that was made in memory, and a cache that cannot be written, cost a build every time and nothing else.

    Args:
        bundle: the model.
        rebuild: write the file anew, where what stands in the cache was found to be damaged.

    Raises:
        EngineError: the graph must be built, and the package onnx cannot be imported.
    """
    key = _cache_key(bundle)
    if key is None:
        return _in_memory(bundle)
    path = cache_directory() / "graphs" / f"{key}.onnx"
    try:
        if rebuild or not path.exists():
            _require_onnx()
            from regnety.graph.builder import write_graph

            path.parent.mkdir(parents=True, exist_ok=True)
            write_graph(path, bundle.architecture, bundle.weights, **_options(bundle))
        return path
    except OSError as error:
        logger.info("%s: the graph is not kept: %s", path, error)
        return _in_memory(bundle)


def _require_onnx() -> None:
    """The protobuf that something else has installed may be one that onnx refuses, in one of several ways."""
    try:
        importlib.import_module("onnx")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            f"the package onnx cannot be imported: {reason}; pip install --force-reinstall onnx protobuf"
        ) from error


def _in_memory(bundle: Bundle) -> bytes:
    _require_onnx()
    from regnety.graph.builder import build_graph, graph_bytes

    return graph_bytes(build_graph(bundle.architecture, bundle.weights, **_options(bundle)))


def _options(bundle: Bundle) -> dict[str, Any]:
    return {
        "input": "uint8",
        "image_size": bundle.preprocessing.image_size,
        "preprocessing": bundle.preprocessing,
        "labels": bundle.labels,
        "provenance": bundle.provenance,
    }


def _cache_key(bundle: Bundle) -> str | None:
    """Changes with the release, with size and crop, and when a file of the bundle is written anew."""
    if bundle.stamp is None:
        return None
    facts = f"{__version__}\n{FORMAT_VERSION}\n{bundle.preprocessing}\n{bundle.stamp}"
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:32]
