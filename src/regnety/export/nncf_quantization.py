"""NNCF, kept quiet: it quantizes an ONNX graph, without its progress bars, log lines and telemetry.

It is loaded without torch unless torch is loaded already: ONNX graphs need none, and NNCF loads three seconds faster
without. A program that also quantizes torch modules with NNCF must import torch first.
"""

import io
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from regnety.architecture.description import Architecture
from regnety.architecture.layers import ConvNorm
from regnety.errors import ExportError, RegNetYError
from regnety.extras import import_extra
from regnety.graph.assembly import INPUT_NAME
from regnety.graph.builder import graph_bytes
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.openvino_runtime import TELEMETRY, hidden
from regnety.inference.engines.processor import available_cores
from regnety.inference.predictor import softmax
from regnety.text import one_line

NORMALIZATION = ("centered/Sub", "normalized/Mul")
"""Nodes that normalise the pixels. They stay in f32: quantized they would round the picture before the first layer."""
NO_TELEMETRY = "NNCF_CI"
"""The variable that turns NNCF's telemetry off."""
PRESET = "mixed"
"""NNCF's name: symmetric ranges for weights, with a scale for each channel, asymmetric ones for activations that may be
below zero."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""[1, height, width, channels]"""


def load_nncf() -> Any:
    """The package, without its telemetry, and without a line on stdout.

    Raises:
        MissingExtraError: it is not installed.
        ExportError: it is, and cannot be loaded.
    """
    logger_class = logging.getLoggerClass()
    try:
        with _quiet(), hidden(TELEMETRY), _telemetry_off():
            nncf = _import("nncf")
            _import("nncf.onnx.quantization.quantize_model")
    finally:
        logging.setLoggerClass(logger_class)  # NNCF sets its own for the whole process
    logging.getLogger("nncf").setLevel(logging.CRITICAL)
    return nncf


def _import(module: str) -> Any:
    return import_extra(module, feature="quantization", extra="quantize", broken=ExportError)


def quantize_graph(nncf: Any, graph: onnx.ModelProto, pictures: Sequence[Picture]) -> onnx.ModelProto:
    """Quantize convolutions, sums and the classifier; the ranges of activations are measured on pictures.

    Squeeze-excitations stay in f32: they work on one value per channel, and take next to no time.

    Raises:
        ExportError: NNCF cannot do it.
    """
    with _quiet(), _named_errors():
        quantized: onnx.ModelProto = nncf.quantize(graph, _calibration(nncf, pictures), **_options(nncf, pictures))
    return quantized


def quantize_graph_within(
    nncf: Any,
    graph: onnx.ModelProto,
    pictures: Sequence[Picture],
    labelled: Sequence[tuple[Picture, int]],
    *,
    max_drop: float,
) -> onnx.ModelProto:
    """The same; then layers return to f32, the most harmful first, until the loss of accuracy is within the limit.

    Args:
        nncf: the package, from `load_nncf`.
        graph: the model in f32.
        pictures: for the ranges of activations.
        labelled: pictures with their class index, for the accuracy.
        max_drop: points of top-1 that may be lost.

    Raises:
        ExportError: NNCF cannot do it.
    """

    def validate(tried: onnx.ModelProto, items: Iterable[tuple[Picture, int]]) -> tuple[float, list[float]]:
        """Top-1 in percent, and the probability of each picture's class: layers are ranked on those that lost most."""
        engine = OnnxRuntimeEngine(graph_bytes(tried), threads=available_cores())
        probabilities, right = [], 0
        for picture, target in items:
            logits = engine.run(picture)["logits"][0]
            probabilities.append(float(softmax(logits)[target]))
            right += int(logits.argmax()) == target
        return 100 * right / len(probabilities), probabilities

    with _quiet(), _named_errors():
        quantized: onnx.ModelProto = nncf.quantize_with_accuracy_control(
            graph,
            calibration_dataset=_calibration(nncf, pictures),
            validation_dataset=nncf.Dataset(labelled, lambda item: {INPUT_NAME: item[0]}),
            validation_fn=validate,
            max_drop=max_drop,
            drop_type=nncf.DropType.ABSOLUTE,  # points of top-1, not a share of the accuracy
            **_options(nncf, pictures),
        )
    return quantized


def float_layers(graph: onnx.ModelProto, architecture: Architecture) -> tuple[str, ...]:
    """The convolutions and linear layers whose weights a quantized graph has in f32, by our names."""
    arrays = {array.name for array in graph.graph.initializer}
    names = []
    for layer in architecture.layers():
        keys = (f"{layer.name}.weight",) if isinstance(layer, ConvNorm) else layer.state_dict_shapes()
        names += [key.removesuffix(".weight") for key in keys if key.endswith(".weight") and key in arrays]
    return tuple(names)


def _options(nncf: Any, pictures: Sequence[Picture]) -> dict[str, Any]:
    return {
        "preset": nncf.QuantizationPreset(PRESET),
        "subset_size": len(pictures),
        # Squeeze-excitations need no entry: NNCF knows that pattern, and leaves it alone by itself.
        "ignored_scope": nncf.IgnoredScope(names=list(NORMALIZATION)),
    }


def _calibration(nncf: Any, pictures: Sequence[Picture]) -> Any:
    return nncf.Dataset(pictures, lambda picture: {INPUT_NAME: picture})


@contextmanager
def _quiet() -> Iterator[None]:
    """Catch its progress bars, which go to stdout, where results belong; and hide torch, which each call looks for."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), hidden("torch"):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _telemetry_off() -> Iterator[None]:
    """NNCF reads the variable once, at import. Hiding OpenVINO's telemetry does not help if it is loaded already."""
    before = os.environ.get(NO_TELEMETRY)
    os.environ[NO_TELEMETRY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NO_TELEMETRY]
        else:
            os.environ[NO_TELEMETRY] = before


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (MemoryError, OSError, RegNetYError):  # these name their reason already
        raise
    except Exception as error:  # its errors have no common base
        raise ExportError(f"NNCF cannot quantize the model: {one_line(error)}") from error
