"""The ONNX graph of a bundle: built once, kept in the cache, found again by path, size and time of its weights."""

import hashlib
import importlib
import logging
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, WeightsError
from regnety.graph.metadata import FORMAT_VERSION, KEY, metadata_from_json
from regnety.inference.foreign_comparison import compare_with_foreign_file
from regnety.storage import cache_directory
from regnety.version import __version__

LARGEST_CACHED_FILE = 16 << 20
"""Bytes of weights above which they stand beside a graph in the cache. ONNX Runtime maps them into memory there, and
copies what is inside: `regnety predict` with regnety_320 and a warm cache takes 800 MiB at its peak instead of 1,290
(`benchmarks/load_large.py`, on a processor with AVX-512)."""

logger = logging.getLogger("regnety")


def graph_of(
    bundle: Bundle,
    *,
    outputs: tuple[str, ...] = ("logits",),
    rebuild: bool = False,
    suffixes: tuple[str, ...] = (".onnx",),
) -> Path | bytes:
    """A bundle's graph with a uint8 input of the model's own size, as a file, or as bytes where none can be kept.

    A bundle that was read from such a graph is that file. Any other is built and kept; one that was made in memory,
    and a cache that cannot be written, cost a build every time and nothing else. What was understood of a stranger's
    file is compared with that file before it is kept, so that a graph in the cache needs no comparison again.

    Args:
        bundle: the model.
        outputs: that are wanted: `logits`, `pre_logits`.
        rebuild: build it from the weights and write the file anew, where the one that there is cannot be loaded.
        suffixes: of the files that the engine reads: `.onnx`, and `.xml` for OpenVINO's own.

    Raises:
        WeightsError: the weights are damaged, or a stranger's file computes something else than they do; or the model
            computes in int8, and its own graph, the only one that there is of it, is not what is wanted.
        EngineError: the graph must be built, and the package onnx cannot be imported.
    """
    if not rebuild and _is_its_own_graph(bundle, outputs, suffixes):
        assert bundle.graph is not None
        return bundle.graph.path
    if bundle.metadata.calibration is not None:
        raise WeightsError(_why_no_other_graph(bundle, outputs, suffixes))
    try:
        return _built(bundle, outputs, rebuild=rebuild)
    except WeightsError as error:
        if str(error).startswith(str(bundle.path or bundle.name)):
            raise
        raise WeightsError(f"{bundle.name}: {error}") from error


def _built(bundle: Bundle, outputs: tuple[str, ...], *, rebuild: bool) -> Path | bytes:
    """A graph from the cache, or built now."""
    key = _cache_key(bundle, outputs)
    if key is None:
        return _in_memory(bundle, outputs)
    path = cache_directory() / "graphs" / f"{key}.onnx"
    try:
        if rebuild or not path.exists():
            _require_onnx()
            from regnety.graph.builder import write_graph

            compare_with_foreign_file(bundle)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_graph(
                path, bundle.architecture, bundle.weights, largest_file=LARGEST_CACHED_FILE, **_options(bundle, outputs)
            )
        return path
    except OSError as error:
        logger.info("%s: the graph is not kept: %s", path, error)
        return _in_memory(bundle, outputs)


def _is_its_own_graph(bundle: Bundle, outputs: tuple[str, ...], suffixes: tuple[str, ...]) -> bool:
    """Whether the file that a bundle was read from takes pixels of the wanted size and gives what is wanted."""
    graph = bundle.graph
    if graph is None or KEY not in graph.properties or graph.path.suffix.lower() not in suffixes:
        return False
    if graph.input_kind != "uint8" or not set(outputs) <= set(graph.outputs):
        return False
    inside = metadata_from_json(graph.properties[KEY], source=str(graph.path)).preprocessing
    wanted = bundle.preprocessing
    return graph.takes(wanted.image_size) and (inside.mean, inside.std) == (wanted.mean, wanted.std)


def _why_no_other_graph(bundle: Bundle, outputs: tuple[str, ...], suffixes: tuple[str, ...]) -> str:
    """A model in int8 is its graph: there are no weights to build another one from."""
    graph, size = bundle.graph, bundle.preprocessing.image_size
    assert graph is not None
    if graph.path.suffix.lower() not in suffixes:
        return f"{bundle.name}: is an int8 model of OpenVINO's, which no other engine runs; take the engine openvino"
    if not graph.takes(size):
        own = "x".join(map(str, graph.image_size or ()))
        return (
            f"{bundle.name}: is quantized for pictures of {own} pixels, not for {size}x{size}; "
            f"quantize the model that it was made from with --image-size {size}"
        )
    if missing := [output for output in outputs if output not in graph.outputs]:
        return f"{bundle.name}: is quantized to int8 and has no output {missing[0]}; it has {', '.join(graph.outputs)}"
    return f"{bundle.name}: is quantized to int8, with another normalisation than the one that is wanted"


def _require_onnx() -> None:
    """The protobuf that something else has installed may be one that onnx refuses, in one of several ways."""
    try:
        importlib.import_module("onnx")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            f"the package onnx cannot be imported: {reason}; pip install --force-reinstall onnx protobuf"
        ) from error


def _in_memory(bundle: Bundle, outputs: tuple[str, ...]) -> bytes:
    _require_onnx()
    from regnety.graph.builder import build_graph, graph_bytes

    compare_with_foreign_file(bundle)
    return graph_bytes(build_graph(bundle.architecture, bundle.weights, **_options(bundle, outputs)))


def _options(bundle: Bundle, outputs: tuple[str, ...]) -> dict[str, Any]:
    return {
        "input": "uint8",
        "outputs": outputs,
        "image_size": bundle.preprocessing.image_size,
        "preprocessing": bundle.preprocessing,
        "labels": bundle.labels,
        "provenance": bundle.provenance,
    }


def _cache_key(bundle: Bundle, outputs: tuple[str, ...]) -> str | None:
    """Changes with the release, with size, crop and outputs, and when a file of the bundle is written anew."""
    if bundle.stamp is None:
        return None
    facts = f"{__version__}\n{FORMAT_VERSION}\n{bundle.preprocessing}\n{outputs}\n{bundle.stamp}"
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:32]
