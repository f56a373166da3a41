"""What was understood of a stranger's ONNX file, held against that file: both are run on the same input.

The matching of `graph.foreign` sees convolutions and a classifier. Whether what stands between them is what a RegNet
does, only running it shows.
"""

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.graph.builder import build_graph, graph_bytes
from regnety.inference.differences import relative_difference
from regnety.inference.engines.engine import available_cores
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine

BOUND = 1e-3
"""Largest difference that is allowed, in deviations of the file's answers."""


def compare_with_foreign_file(bundle: Bundle) -> None:
    """Run a stranger's file and the network that was rebuilt from its weights.

    Args:
        bundle: with the file as its `graph`.

    Raises:
        WeightsError: the file cannot be run, or it answers otherwise.
    """
    graph = bundle.graph
    assert graph is not None
    assert graph.input_shape is not None
    size = bundle.preprocessing.image_size
    batch, _, height, width = graph.input_shape
    shape = (batch or 1, bundle.metadata.in_chans, height or size, width or size)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    threads = available_cores()
    foreign = OnnxRuntimeEngine(graph.path, threads=threads)
    rebuilt = OnnxRuntimeEngine(
        graph_bytes(build_graph(bundle.architecture, bundle.weights, input="float")), threads=threads
    )
    try:
        answers = next(iter(foreign.run(images).values()))
    except Exception as error:  # the bindings raise their own classes, which have no public base
        raise WeightsError(f"{graph.path}: cannot be run: {' '.join(str(error).split())}") from error
    wanted = rebuilt.run(images)["logits"]
    difference = relative_difference(answers, wanted) if answers.shape == wanted.shape else np.inf
    if not difference <= BOUND:
        raise WeightsError(
            f"{graph.path}: looks like a RegNet, but its answers differ from that network's by {difference:.2g} of "
            "their deviation; it does something that regnety does not know"
        )
