"""What was understood of a stranger's ONNX file, held against that file: both are run on the same input.

The matching of `graph.foreign` sees convolutions and a classifier. Whether what stands between them is what a RegNet
does, only running it shows.
"""

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.graph.metadata import KEY
from regnety.inference.differences import relative_difference
from regnety.inference.engines.engine import available_cores

BOUND = 1e-3
"""Largest difference that is allowed, in deviations of the file's answers."""


def compare_with_foreign_file(bundle: Bundle) -> None:
    """Run a stranger's file and the network that was rebuilt from its weights; any other model is left in peace.

    Raises:
        WeightsError: the file cannot be run, or it answers otherwise.
    """
    graph = bundle.graph
    if graph is None or KEY in graph.properties or graph.input_shape is None:
        return
    from regnety.graph.builder import build_graph, graph_bytes
    from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine

    size = bundle.preprocessing.image_size
    batch, _, height, width = graph.input_shape
    shape = (batch or 1, bundle.metadata.in_chans, height or size, width or size)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    threads = available_cores()
    foreign = OnnxRuntimeEngine(graph.path, threads=threads)
    network = build_graph(bundle.architecture, bundle.weights, input="float")
    wanted = OnnxRuntimeEngine(graph_bytes(network), threads=threads).run(images)["logits"]
    try:
        answers = next(iter(foreign.run(images).values()))
    except Exception as error:  # the bindings raise their own classes, which have no public base
        raise WeightsError(f"{graph.path}: cannot be run: {' '.join(str(error).split())}") from error
    difference = relative_difference(answers, wanted) if answers.shape == wanted.shape else np.inf
    if not difference <= BOUND:
        raise WeightsError(
            f"{graph.path}: looks like a RegNet, but its answers differ from that network's by "
            f"{difference:.2g} of their deviation; it does something that regnety does not know"
        )
