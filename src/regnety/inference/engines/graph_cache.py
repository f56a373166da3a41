"""The ONNX graph of a bundle: built once, kept in the cache, found again by the content of its files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.extras import require_onnx
from regnety.metadata.model_metadata import FORMAT_VERSION, KEY, metadata_from_json
from regnety.storage import cache_directory, say_not_kept
from regnety.version import __version__

LARGEST_CACHED_FILE = 16 << 20
"""Bytes of weights above which they stand beside a graph in the cache. ONNX Runtime maps them into memory there, and
copies what is inside: `regnety predict` with regnety_320 and a warm cache takes 800 MiB at its peak instead of 1,290
(`benchmarks/load_large.py`, on a processor with AVX-512)."""


def graph_of(
    bundle: Bundle,
    *,
    outputs: tuple[str, ...] = ("logits",),
    rebuild: bool = False,
    suffixes: tuple[str, ...] = (".onnx",),
) -> Path | bytes:
    """A bundle's graph with a uint8 input of the model's own size, as a file, or as bytes where none can be kept.

    A bundle that was read from such a graph is that file, or its bytes where another one has come to its place. Any
    other is built and kept; one that was made in memory,
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
    """What is in a graph that `graph_of` gave: its key in the cache, or what identifies the files of the model.

    None where nobody knows: what was built in memory is built anew every time.
    """
    if isinstance(graph, bytes):
        return None
    return bundle.stamp if bundle.graph is not None and graph == bundle.graph.path else graph.stem


def _built(bundle: Bundle, outputs: tuple[str, ...], *, rebuild: bool) -> Path | bytes:
    """A graph from the cache, or built now."""
    key = _cache_key(bundle, outputs)
    if key is None:
        return _in_memory(bundle, outputs)
    path = cache_directory() / "graphs" / f"{key}.onnx"
    try:
        if rebuild or not path.exists():
            require_onnx()
            from regnety.graph.builder import write_graph

            _check_unchanged(bundle)
            path.parent.mkdir(parents=True, exist_ok=True)
            weights, options = bundle.weights, _options(bundle, outputs)
            write_graph(path, bundle.architecture, weights, largest_file=LARGEST_CACHED_FILE, **options)
            try:
                _check_unchanged(bundle)
            except WeightsError:
                path.unlink(missing_ok=True)
                raise
        return path
    except OSError as error:
        say_not_kept(path, error)
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


def _in_memory(bundle: Bundle, outputs: tuple[str, ...]) -> bytes:
    require_onnx()
    from regnety.graph.builder import build_graph, graph_bytes

    _check_unchanged(bundle)
    graph = graph_bytes(build_graph(bundle.architecture, bundle.weights, **_options(bundle, outputs)))
    _check_unchanged(bundle)
    return graph


def _check_unchanged(bundle: Bundle) -> None:
    """Weights are read when they are wanted: by then somebody may have written other ones into the same file."""
    if bundle.files is not None:
        bundle.files.check_unchanged()


def _options(bundle: Bundle, outputs: tuple[str, ...]) -> dict[str, Any]:
    """What is in the graph besides the weights. Names of classes are not: models that differ in them alone share it."""
    return {
        "input": "uint8",
        "outputs": outputs,
        "image_size": bundle.preprocessing.image_size,
        "preprocessing": bundle.preprocessing,
    }


def _cache_key(bundle: Bundle, outputs: tuple[str, ...]) -> str | None:
    """Changes with the release, with all that `_options` and the design say, and with a byte of the model's files."""
    if bundle.stamp is None:
        return None
    metadata = bundle.metadata
    design = json.dumps([metadata.design.as_dict(), metadata.num_classes, metadata.in_chans], sort_keys=True)
    facts = f"{__version__}\n{FORMAT_VERSION}\n{design}\n{bundle.preprocessing}\n{outputs}\n{bundle.stamp}"
    return hashlib.sha256(facts.encode()).hexdigest()[:32]
