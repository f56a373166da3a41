"""OpenVINO's own format: an .xml with the layers, a .bin with the arrays."""

import errno
import tempfile
from pathlib import Path
from typing import Any, Literal

from regnety.bundle.bundle import Bundle
from regnety.graph.builder import write_graph
from regnety.inference.engines.openvino_runtime import load_openvino_package
from regnety.metadata.model_metadata import KEY


def write_openvino(path: Path, bundle: Bundle, *, precision: Literal["f32", "f16"], **options: Any) -> None:
    """Convert the ONNX graph with OpenVINO's own reader. Labels and preprocessing go into the model's `rt_info`.

    Args:
        path: of the .xml.
        bundle: the model.
        precision: of the arrays in the file.
        options: of `graph.builder.write_graph`.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    load_openvino_package()  # raises before anything is written
    with tempfile.TemporaryDirectory(prefix="regnety-") as folder:
        graph = write_graph(Path(folder) / "model.onnx", bundle.architecture, bundle.weights, **options)
        write_openvino_model(graph, path, bundle, precision=precision)


def write_openvino_model(graph: Path, path: Path, bundle: Bundle, *, precision: Literal["f32", "f16"]) -> None:
    """The same for an existing ONNX file.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    openvino = load_openvino_package()
    model = openvino.Core().read_model(str(graph))
    model.set_rt_info(bundle.metadata.as_json(), KEY)
    try:
        openvino.save_model(model, str(path), compress_to_fp16=precision == "f16")
    except RuntimeError as error:  # it raises nothing more precise, not even when the disk is full
        raise OSError(errno.EIO, f"OpenVINO could not write it: {error}", str(path)) from error
