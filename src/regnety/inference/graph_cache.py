"""The ONNX graph of a bundle: built once, kept in the cache, found again by path, size and time of its weights."""

import hashlib
import logging
from pathlib import Path

from regnety.bundle.bundle import CONFIG_FILE, WEIGHTS_FILE, Bundle
from regnety.graph.metadata import FORMAT_VERSION
from regnety.storage import cache_directory, replacing
from regnety.version import __version__

logger = logging.getLogger("regnety")


def graph_of(bundle: Bundle) -> Path | bytes:
    """A bundle's graph with a uint8 input of the model's own size, as a file, or as bytes where none can be kept.

    A bundle that was made in memory, and a cache that cannot be written, cost a build every time and nothing else.
    """
    key = _cache_key(bundle)
    if key is None:
        return _build(bundle)
    path = cache_directory() / "graphs" / f"{key}.onnx"
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        graph = _build(bundle)
        with replacing(path) as beside:
            beside.write_bytes(graph)
        return path
    except OSError as error:
        logger.info("the graph is not kept: %s", error)
        return _build(bundle)


def _build(bundle: Bundle) -> bytes:
    from regnety.graph.builder import build_graph, graph_bytes

    model = build_graph(
        bundle.architecture,
        bundle.weights,
        input="uint8",
        image_size=bundle.preprocessing.image_size,
        preprocessing=bundle.preprocessing,
        labels=bundle.labels,
        provenance=bundle.provenance,
    )
    return graph_bytes(model)


def _cache_key(bundle: Bundle) -> str | None:
    """Changes with the release, and when a file of the bundle is written anew."""
    if bundle.path is None:
        return None
    facts = [__version__, str(FORMAT_VERSION), str(bundle.path.resolve())]
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        status = (bundle.path / name).stat()
        facts += [str(status.st_size), str(status.st_mtime_ns)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
