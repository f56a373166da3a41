"""Sessions of ONNX Runtime."""

import os
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # the library reads it once, when it is loaded

import onnxruntime

from regnety.errors import WeightsError
from regnety.text import one_line

VERSION: str = onnxruntime.__version__
BATCH_DIMENSION = "batch"
ERRORS_ONLY = 3  # its warnings go to stderr


def open_session(graph: Path | bytes, *, threads: int, batch: int | None = None) -> onnxruntime.InferenceSession:
    """A session that runs a graph on the processor.

    Args:
        graph: an ONNX file, or a model's bytes.
        threads: threads that share one run.
        batch: fixes the batch before the graph is compiled; None leaves it free.

    Raises:
        WeightsError: the graph cannot be loaded.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1  # a RegNet is a chain: no two nodes could run side by side
    options.log_severity_level = ERRORS_ONLY
    if batch is not None:
        options.add_free_dimension_override_by_name(BATCH_DIMENSION, batch)
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the bindings raise their own classes, which have no public base
        source = "the graph" if isinstance(graph, bytes) else str(graph)
        raise WeightsError(f"{source}: ONNX Runtime cannot load it: {one_line(error)}") from error
