"""`build_graph` and `write_graph`: an ONNX model from a description and NumPy weights."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import onnx

from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.tensor_shapes import check_keys
from regnety.errors import WeightsError
from regnety.files.number_types import stored_type
from regnety.graph.assembly import Assembly, assemble
from regnety.graph.onnx_writing import write_one_file, write_two_files
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.storage import replacing_together

LARGEST_FILE = (1 << 31) - (1 << 24)
"""Bytes of weights in one file: protobuf ends at 2 GiB, and the nodes and the metadata need some of it."""
DATA_SUFFIX = ".data"


def build_graph(
    architecture: Architecture | AnyDesign,
    weights: Mapping[str, npt.NDArray[Any]],
    *,
    input: Literal["uint8", "float"] = "uint8",
    image_size: int | None = None,
    outputs: Sequence[str] = ("logits",),
    dtype: Literal["f32", "f16", "float32", "float16"] = "f32",
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> onnx.ModelProto:
    """An ONNX model (opset 17) with batch norm folded and the batch dynamic. The same arguments give the same bytes.

    Args:
        architecture: the description, or a design for 1000 classes.
        weights: key to array, of any floating-point type.
        input: `uint8` takes `images` [batch, height, width, in_chans] in RGB and normalises inside; `float` takes
            normalised float32 [batch, in_chans, height, width].
        image_size: height and width in pixels; None leaves them dynamic.
        outputs: any of `stem`, `s1` and so on [batch, width, height, width], `pre_logits` [batch, num_features],
            `logits` [batch, num_classes] (not probabilities); all float32.
        dtype: in which learned arrays are kept: `f32`, or `f16`, which halves the file; the work stays f32.
        preprocessing: mean and std of the normalisation, and what else a reader needs to know; None is ImageNet's.
        labels: class names by index.
        provenance: licence, source and the like, as plain JSON values.

    Returns:
        The model; labels, preprocessing, design and provenance are JSON in its metadata under the key `regnety`.

    Raises:
        WeightsError: weights do not fit, an argument is not allowed, or the model would pass 2 GiB (`write_graph`).
    """
    arguments = _GraphArguments(architecture, weights, image_size, dtype, preprocessing, labels, provenance)
    if arguments.size > LARGEST_FILE:
        raise WeightsError(f"the weights take {arguments.size} bytes, over protobuf's 2 GiB; use write_graph")
    return arguments.assemble(weights, input, outputs).whole()


def write_graph(
    path: str | Path,
    architecture: Architecture | AnyDesign,
    weights: Mapping[str, npt.NDArray[Any]],
    *,
    input: Literal["uint8", "float"] = "uint8",
    image_size: int | None = None,
    outputs: Sequence[str] = ("logits",),
    dtype: Literal["f32", "f16", "float32", "float16"] = "f32",
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    largest_file: int | None = None,
) -> Path:
    """Write what `build_graph` builds, for models of any size.

    Up to 2 GiB it is one file; above it the weights stand in `PATH.data` beside it. Either is written layer by layer,
    so that memory holds one layer at a time.

    Args:
        path: where the model goes.
        architecture: as for `build_graph`, like everything after it.
        weights: as for `build_graph`; read one by one.
        input: as for `build_graph`.
        image_size: as for `build_graph`.
        outputs: as for `build_graph`.
        dtype: as for `build_graph`.
        preprocessing: as for `build_graph`.
        labels: as for `build_graph`.
        provenance: as for `build_graph`.
        largest_file: bytes of weights above which they stand beside the model; None is protobuf's 2 GiB. Engines map
            what stands there into memory, where they would copy what is inside.

    Raises:
        WeightsError: as `build_graph`, size excepted.
    """
    path = Path(path)
    arguments = _GraphArguments(architecture, weights, image_size, dtype, preprocessing, labels, provenance)

    assembly = arguments.assemble(weights, input, outputs)
    data_name = path.name + DATA_SUFFIX
    with replacing_together(path, companions=[data_name]) as beside:
        if arguments.size <= (LARGEST_FILE if largest_file is None else largest_file):
            write_one_file(beside, assembly)
        else:
            write_two_files(beside, beside.with_name(data_name), assembly)
    return path


def graph_bytes(model: onnx.ModelProto) -> bytes:
    """A model as the bytes of its file, the same every time."""
    return bytes(model.SerializeToString(deterministic=True))


class _GraphArguments:
    """The checked common part of both functions."""

    def __init__(
        self,
        architecture: Architecture | AnyDesign,
        weights: Mapping[str, npt.NDArray[Any]],
        image_size: int | None,
        dtype: str,
        preprocessing: Preprocessing | None,
        labels: Sequence[str] | None,
        provenance: Mapping[str, Any] | None,
    ) -> None:
        self.architecture = architecture.architecture()
        self.image_size = image_size
        self.dtype = stored_type(dtype)
        check_keys(self.architecture, weights.keys(), source="weights")
        if image_size is not None and (type(image_size) is not int or not 1 <= image_size <= 8192):
            raise WeightsError(f"image_size must be a whole number from 1 to 8192 pixels, or None, got {image_size!r}")
        if isinstance(labels, str):
            raise WeightsError("labels must be a list of class names")
        self.metadata = ModelMetadata(
            design=self.architecture.design,
            num_classes=self.architecture.num_classes,
            in_chans=self.architecture.in_chans,
            preprocessing=preprocessing or _imagenet_preprocessing(self.architecture.in_chans),
            labels=None if labels is None else tuple(labels),
            provenance=dict(provenance or {}),
        )
        self.size = (2 if self.dtype == "float16" else 4) * sum(
            math.prod(shape) for shape in self.architecture.state_dict_shapes().values()
        )

    def assemble(self, weights: Mapping[str, npt.NDArray[Any]], input_kind: str, outputs: Sequence[str]) -> Assembly:
        """The graph, with what differs between readers added."""
        return assemble(
            self.architecture,
            weights,
            self.metadata,
            input_kind=input_kind,
            image_size=self.image_size,
            outputs=outputs,
            dtype=self.dtype,
        )


def _imagenet_preprocessing(in_chans: int) -> Preprocessing:
    """ImageNet's mean and std, repeated over the channels as timm's adapted stems expect them."""
    return Preprocessing().for_channels(in_chans)
