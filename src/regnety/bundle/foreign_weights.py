"""Weights of an ONNX file that regnety did not write: compared with that file, by running both, before they are used.

`graph.foreign` matches convolutions and a classifier. Only running the file shows whether the operations between them
are a RegNet's. That is done once for a file's content; the cache remembers which files agreed.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError
from regnety.extras import require_onnx
from regnety.files.arrays import Array, relative_difference
from regnety.files.content_identity import ModelFiles
from regnety.graph.foreign import ForeignModel
from regnety.graph.stored_graph import StoredGraph
from regnety.storage.cache import cache_folder, say_not_kept
from regnety.storage.replacing import replacing
from regnety.text import one_line
from regnety.version import __version__

# Exported RegNets differ by up to 8e-7 (measured), which is rounding; the rest is room for larger ones.
BOUND = 1e-3
"""Largest difference that is allowed, in standard deviations of the file's outputs."""


class ForeignWeights(Mapping[str, Array]):
    """Key to array. Names and shapes are free; the first value that is read runs the comparison.

    Args:
        graph: the file.
        files: the same file, mapped.
        model: the RegNet that was recognised in it.
        image_size: height and width of the comparison in pixels, where the file leaves them free.
    """

    def __init__(self, graph: StoredGraph, files: ModelFiles, model: ForeignModel, image_size: int) -> None:
        self._graph = graph
        self._files = files
        self._model = model
        self._image_size = image_size
        self._is_compared = False

    def __getitem__(self, key: str) -> Array:
        if not self._is_compared:
            self._compare()
            self._is_compared = True
        return self._model.weights[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._model.weights)

    def __len__(self) -> int:
        return len(self._model.weights)

    def __contains__(self, key: object) -> bool:
        return key in self._model.weights

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of one array, without the comparison."""
        return self._model.weights[key].shape

    def _compare(self) -> None:
        """Unless a file with this content was compared before.

        Raises:
            WeightsError: the file cannot be run, or its outputs differ.
        """
        # A new release may match or build networks in another way, so it compares again.
        facts = f"{__version__}\n{BOUND}\n{self._files.identity}"
        place = cache_folder("compared") / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.txt"
        if place.exists():
            return
        difference = _difference(self._graph, self._files, self._model, self._image_size)
        if not difference <= BOUND:  # written so that NaN is refused
            raise WeightsError(
                f"{self._graph.path}: looks like a RegNet, but its outputs differ from that network's by "
                f"{difference:.2g} standard deviations; it has operations that regnety does not know"
            )
        _remember(place, self._model.architecture, difference)


def _difference(graph: StoredGraph, files: ModelFiles, model: ForeignModel, image_size: int) -> float:
    """Between the outputs of the file and of the network rebuilt from its weights, in standard deviations."""
    require_onnx()
    from regnety.graph.builder import build_graph, graph_bytes
    from regnety.graph.onnx_session import open_session

    assert graph.input_shape is not None
    batch, channels, height, width = graph.input_shape
    shape = (batch or 1, channels or model.architecture.in_chans, height or image_size, width or image_size)
    # Noise, not an image: every channel of every layer should matter.
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    network = graph_bytes(build_graph(model.architecture, model.weights, input="float"))
    outputs = []
    for source in (files.source(), network):
        session = open_session(source, threads=1)
        try:
            outputs.append(session.run(None, {session.get_inputs()[0].name: images})[0])
        except Exception as error:  # the bindings raise their own classes, which have no public base
            raise WeightsError(f"{graph.path}: cannot be run: {one_line(error)}") from error
    file_outputs, network_outputs = outputs
    if file_outputs.shape != network_outputs.shape:
        return float("inf")
    return relative_difference(file_outputs, network_outputs)


def _remember(place: Path, architecture: Architecture, difference: float) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as beside:
            beside.write_text(f"{architecture.num_features} features, {difference:.2g}\n", "utf-8")
    except OSError as error:  # then the file is compared each time
        say_not_kept(place, error)
