"""`build_graph` and `write_graph`: an ONNX model from a description and NumPy weights."""

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
from regnety.storage.replacing import replacing_together

LARGEST_FILE = (1 << 31) - (1 << 24)
"""Bytes of weights in one file: protobuf's limit is 2 GiB, and 16 MiB are left for nodes and metadata."""
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
        dtype: type in which learned arrays are stored: `f32`, or `f16`, which halves the file; the work stays f32.
        preprocessing: mean and std of the normalisation, size and crop for readers; None is ImageNet's.
        labels: class names by index.
        provenance: licence, source and the like, as plain JSON values.

    Returns:
        The model; labels, preprocessing, design and provenance are JSON in its metadata under the key `regnety`.

    Raises:
        WeightsError: weights do not fit, an argument is not allowed, or the model would pass 2 GiB (use `write_graph`).
    """
    assembly = _assembled(architecture, weights, input, image_size, outputs, dtype, preprocessing, labels, provenance)
    if assembly.num_bytes > LARGEST_FILE:
        raise WeightsError(f"the weights take {assembly.num_bytes} bytes, over protobuf's 2 GiB; use write_graph")
    return assembly.whole()


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

    Up to 2 GiB it is one file; above that the weights are in `PATH.data` next to it. Either is written layer by layer,
    so memory holds one layer at a time.

    Args:
        path: where the model goes.
        architecture: this and what follows as for `build_graph`.
        weights: read one by one.
        input: `uint8` or `float`.
        image_size: in pixels.
        outputs: names.
        dtype: `f32` or `f16`.
        preprocessing: None is ImageNet's.
        labels: class names by index.
        provenance: plain JSON values.
        largest_file: bytes of weights above which they go into a file of their own; None is protobuf's 2 GiB. Engines
            map such a file into memory, and copy weights that are inside the model.

    Raises:
        WeightsError: as `build_graph`, size excepted.
    """
    path = Path(path)
    assembly = _assembled(architecture, weights, input, image_size, outputs, dtype, preprocessing, labels, provenance)
    data_name = path.name + DATA_SUFFIX
    with replacing_together(path, companions=[data_name]) as beside:
        if assembly.num_bytes <= (LARGEST_FILE if largest_file is None else largest_file):
            write_one_file(beside, assembly)
        else:
            write_two_files(beside, beside.with_name(data_name), assembly)
    return path


def graph_bytes(model: onnx.ModelProto) -> bytes:
    """A model as the bytes of its file."""
    # deterministic: protobuf may write the entries of a map in any order
    return bytes(model.SerializeToString(deterministic=True))


def _assembled(
    architecture: Architecture | AnyDesign,
    weights: Mapping[str, npt.NDArray[Any]],
    input: str,
    image_size: int | None,
    outputs: Sequence[str],
    dtype: str,
    preprocessing: Preprocessing | None,
    labels: Sequence[str] | None,
    provenance: Mapping[str, Any] | None,
) -> Assembly:
    """Check the arguments that both functions take, and put the graph together."""
    architecture = architecture.architecture()
    check_keys(architecture, weights.keys(), source="weights")
    if image_size is not None and (type(image_size) is not int or not 1 <= image_size <= 8192):
        raise WeightsError(f"image_size must be a whole number from 1 to 8192 pixels, or None, got {image_size!r}")
    if isinstance(labels, str):  # which is a sequence of letters
        raise WeightsError("labels must be a list of class names")
    metadata = ModelMetadata(
        design=architecture.design,
        num_classes=architecture.num_classes,
        in_chans=architecture.in_chans,
        preprocessing=preprocessing or Preprocessing().for_channels(architecture.in_chans),
        labels=None if labels is None else tuple(labels),
        provenance=dict(provenance or {}),
    )
    return assemble(
        architecture,
        weights,
        metadata,
        input_kind=input,
        image_size=image_size,
        outputs=outputs,
        dtype=stored_type(dtype),
    )
