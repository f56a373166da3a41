"""The ONNX graph of a bundle: built once, kept in the cache, and found again by the content of the model's files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.extras import require_onnx
from regnety.inference.engines.registry import ENGINES
from regnety.metadata.model_metadata import FORMAT_VERSION, KEY, metadata_from_json
from regnety.storage.cache import cache_folder, say_not_kept
from regnety.version import __version__

LARGEST_CACHED_FILE = 16 << 20
"""Bytes of weights above which they are written beside a cached graph instead of into it. ONNX Runtime maps a file of
weights into memory, and copies what is inside the graph: `regnety predict` with regnety_320 and a warm cache takes
800 MiB at its peak instead of 1,290 (`benchmarks/load_large.py`, on a processor with AVX-512)."""


def graph_of(
    bundle: Bundle,
    *,
    outputs: tuple[str, ...] = ("logits",),
    rebuild: bool = False,
    suffixes: tuple[str, ...] = (".onnx",),
) -> Path | bytes:
    """A bundle's graph with a uint8 input of the model's own size, as a file; as bytes if it cannot be kept.

    If the bundle was read from such a graph, that file is returned, or its bytes if the file has been replaced since.
    Otherwise the graph is built and kept in the cache. A model that was made in memory, or a cache that cannot be
    written, costs a build each time and nothing else.

    Args:
        bundle: the model.
        outputs: of the graph: `logits`, `pre_logits`.
        rebuild: build the graph from the weights even if there is one, which cannot be loaded.
        suffixes: of the files that the engine reads: `.onnx`, and `.xml` for OpenVINO's own.

    Raises:
        WeightsError: the weights are damaged, or a foreign graph computes something else than the weights read from it;
            or the model is quantized and its graph, the only one there is, has other outputs or another size.
        EngineError: the graph must be built, and the package onnx cannot be imported.
    """
    if not rebuild and _is_its_own_graph(bundle, outputs, suffixes):
        assert bundle.graph is not None
        return bundle.graph.path if bundle.files is None else bundle.files.source()
    if bundle.is_quantized:
        raise WeightsError(_why_no_other_graph(bundle, outputs, suffixes))
    try:
        return _built(bundle, outputs, rebuild=rebuild)
    except WeightsError as error:
        if str(error).startswith(str(bundle.path or bundle.name)):
            raise
        raise WeightsError(f"{bundle.name}: {error}") from error


def identity_of(graph: Path | bytes, bundle: Bundle) -> str | None:
    """What identifies the content of a graph that `graph_of` returned; None for bytes, which are built each time."""
    if isinstance(graph, bytes):
        return None
    # The stem of a file in the cache is its key, which depends on all that is in it.
    return bundle.stamp if bundle.graph is not None and graph == bundle.graph.path else graph.stem


def _built(bundle: Bundle, outputs: tuple[str, ...], *, rebuild: bool) -> Path | bytes:
    """A graph from the cache, built now if it is not there."""
    key = _cache_key(bundle, outputs)
    if key is None:
        return _in_memory(bundle, outputs)
    path = cache_folder("graphs") / f"{key}.onnx"
    try:
        if rebuild or not path.exists():
            require_onnx()  # says in one line why onnx cannot be imported
            from regnety.graph.builder import write_graph

            _check_unchanged(bundle)  # weights are read only now, perhaps long after the bundle was loaded
            path.parent.mkdir(parents=True, exist_ok=True)
            weights, options = bundle.weights, _options(bundle, outputs)
            write_graph(path, bundle.architecture, weights, largest_file=LARGEST_CACHED_FILE, **options)
            try:
                _check_unchanged(bundle)  # the weights were read just now: the key is of the files as they were before
            except WeightsError:
                path.unlink(missing_ok=True)
                raise
        return path
    except OSError as error:
        say_not_kept(path, error)
        return _in_memory(bundle, outputs)  # a full disk or a read-only home costs time, not the answer


def _is_its_own_graph(bundle: Bundle, outputs: tuple[str, ...], suffixes: tuple[str, ...]) -> bool:
    """Whether the file that a bundle was read from takes pixels of the size to be shown and has the outputs."""
    graph = bundle.graph
    if graph is None or KEY not in graph.properties or graph.path.suffix.lower() not in suffixes:
        return False
    if graph.input_kind != "uint8" or not set(outputs) <= set(graph.outputs):
        return False
    # Mean and std are inside the graph, the size is its input's; crop and filter are applied before it.
    inside = metadata_from_json(graph.properties[KEY], source=str(graph.path)).preprocessing
    wanted = bundle.preprocessing
    return graph.takes(wanted.image_size) and (inside.mean, inside.std) == (wanted.mean, wanted.std)


def _why_no_other_graph(bundle: Bundle, outputs: tuple[str, ...], suffixes: tuple[str, ...]) -> str:
    """Why a quantized model, which has no weights to build another graph from, cannot be run so."""
    graph, size = bundle.graph, bundle.preprocessing.image_size
    assert graph is not None
    if graph.path.suffix.lower() not in suffixes:
        readers = [row.name for row in ENGINES.values() if graph.path.suffix.lower() in row.suffixes]
        return f"{bundle.name}: is an int8 model that only the engine {' or '.join(readers)} runs"
    if not graph.takes(size):
        own = "x".join(map(str, graph.image_size or ()))
        return (
            f"{bundle.name}: is quantized for pictures of {own} pixels, not for {size}x{size}; "
            f"quantize the model that it was made from with --image-size {size}"
        )
    if missing := [output for output in outputs if output not in graph.outputs]:
        return f"{bundle.name}: is quantized to int8 and has no output {missing[0]}; it has {', '.join(graph.outputs)}"
    return f"{bundle.name}: is quantized to int8 with another mean or std; it cannot be changed"


def _in_memory(bundle: Bundle, outputs: tuple[str, ...]) -> bytes:
    require_onnx()
    from regnety.graph.builder import build_graph, graph_bytes

    _check_unchanged(bundle)
    graph = graph_bytes(build_graph(bundle.architecture, bundle.weights, **_options(bundle, outputs)))
    _check_unchanged(bundle)
    return graph


def _check_unchanged(bundle: Bundle) -> None:
    """Refuse files that were written to since the bundle was loaded: weights are read only when they are needed."""
    if bundle.files is not None:
        bundle.files.check_unchanged()


def _options(bundle: Bundle, outputs: tuple[str, ...]) -> dict[str, Any]:
    """What is in the graph besides the weights; class names are not, so models that differ only in them share it."""
    return {
        "input": "uint8",
        "outputs": outputs,
        "image_size": bundle.preprocessing.image_size,
        "preprocessing": bundle.preprocessing,
    }


def _cache_key(bundle: Bundle, outputs: tuple[str, ...]) -> str | None:
    """Changes with the release, the design, all of `_options`, and any byte of the model's files."""
    if bundle.stamp is None:
        return None
    metadata = bundle.metadata
    design = json.dumps([metadata.design.as_dict(), metadata.num_classes, metadata.in_chans], sort_keys=True)
    # The release too: what `build_graph` writes may change with it.
    facts = f"{__version__}\n{FORMAT_VERSION}\n{design}\n{bundle.preprocessing}\n{outputs}\n{bundle.stamp}"
    return hashlib.sha256(facts.encode()).hexdigest()[:32]
