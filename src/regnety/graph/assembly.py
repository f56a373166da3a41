"""A description and its weights as ONNX nodes: batch norm folded, one function for each kind of layer.

Opset 17 and IR version 8 are fixed: onnx's own defaults are newer than what older runtimes read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from regnety.architecture.description import Architecture
from regnety.architecture.layers import BATCH_NORM_EPS, Block, ConvNorm, Head, SqueezeExcitation
from regnety.architecture.tensor_shapes import check_shape
from regnety.errors import WeightsError
from regnety.files.arrays import Array
from regnety.graph.graph_arrays import GraphArray, little_endian
from regnety.metadata.model_metadata import KEY, ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.version import __version__

OPSET = 17
IR_VERSION = 8  # the version of ONNX 1.12, which had opset 17 first
INPUT_NAME = "images"
INPUT_KINDS = ("uint8", "float")
BATCH = "batch"
"""Name of the free dimension; an engine that fixes the batch refers to it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A graph and its arrays, not joined yet: together they may pass protobuf's 2 GiB."""

    model: onnx.ModelProto
    """The model without its initializers."""
    arrays: tuple[GraphArray, ...]
    """The initializers, in their order."""

    @property
    def num_bytes(self) -> int:
        """Of all arrays."""
        return sum(array.num_bytes for array in self.arrays)

    def whole(self) -> onnx.ModelProto:
        """The model with its arrays inside."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for array in self.arrays:
            model.graph.initializer.append(array.tensor(raw_data=bytes(little_endian(array.values()))))
        return model


def assemble(
    architecture: Architecture,
    weights: Mapping[str, Array],
    metadata: ModelMetadata,
    *,
    input_kind: str,
    image_size: int | None,
    outputs: Sequence[str],
    dtype: str,
) -> Assembly:
    """The whole model, without the layers after the last output; of the weights, only those of batch norms are read."""
    _check_choices(architecture, input_kind, outputs)
    graph = _GraphNodes(architecture, weights, dtype)
    missing = set(outputs)
    for name in _walk(graph, architecture, metadata.preprocessing, input_kind):
        missing.discard(name)
        if not missing:  # nodes behind it would compute what nobody asked for
            break
    shapes = architecture.output_shapes(image_size)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "regnet",
            [_input_info(architecture, input_kind, image_size)],
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (BATCH, *shapes[name])) for name in outputs],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="regnety",
        producer_version=__version__,
    )
    helper.set_model_props(model, {KEY: metadata.as_json()})
    return Assembly(model, tuple(graph.arrays))


class _GraphNodes:
    """Nodes of a graph that is being built; every method adds some and returns the name of their result."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, Array], dtype: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[GraphArray] = []
        self._weights = weights
        self._shapes = architecture.state_dict_shapes()
        self._dtype = dtype

    def weight(self, key: str) -> Array:
        """A tensor of the checkpoint, in its own number type."""
        array = np.asarray(self._weights[key])
        check_shape(key, array.shape, self._shapes[key], source="weights")
        return array

    def precise(self, key: str) -> npt.NDArray[np.float64]:
        """A small tensor in float64, in which norms are folded."""
        return self.weight(key).astype(np.float64)

    def constant(self, name: str, array: Array) -> str:
        """An array that is stored and used in float32."""
        self.arrays.append(GraphArray(name=name, shape=array.shape, dtype="float32", source=lambda: array))
        return name

    def parameter(self, name: str, key: str, scale: npt.NDArray[np.float64] | None = None) -> str:
        """A learned array of the checkpoint; each row is multiplied by its scale, if there is one."""
        return self._kept(name, self._shapes[key], partial(self.weight, key), scale)

    def _kept(
        self,
        name: str,
        shape: tuple[int, ...],
        source: Callable[[], Array],
        scale: npt.NDArray[np.float64] | None = None,
    ) -> str:
        # What is stored in float16 is cast where it is used: the work stays float32, and the file is half as large.
        self.arrays.append(GraphArray(name=name, shape=shape, dtype=self._dtype, source=source, scale=scale))
        if self._dtype == "float32":
            return name
        return self.node("Cast", [name], f"{name}.widened", to=onnx.TensorProto.FLOAT)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}/{kind}", **attributes))
        return output

    def conv_norm(self, layer: ConvNorm, value: str, *, output: str | None = None) -> str:
        """gamma * (conv(x) - mean) / sqrt(var + eps) + beta as one convolution with a bias."""
        norm = f"{layer.name}.bn"
        scale = self.precise(f"{norm}.weight") / np.sqrt(self.precise(f"{norm}.running_var") + BATCH_NORM_EPS)
        bias = self.precise(f"{norm}.bias") - self.precise(f"{norm}.running_mean") * scale
        kernel = self.parameter(f"{layer.name}.weight", f"{layer.name}.conv.weight", scale)
        output = output or layer.name
        result = self.node(
            "Conv",
            [value, kernel, self._kept(f"{layer.name}.bias", bias.shape, lambda: bias)],
            f"{output}.linear" if layer.relu else output,
            kernel_shape=[layer.kernel_size] * 2,
            strides=[layer.stride] * 2,
            pads=[layer.kernel_size // 2] * 4,
            group=layer.groups,
        )
        return self.node("Relu", [result], output) if layer.relu else result

    def squeeze_excitation(self, layer: SqueezeExcitation, value: str) -> str:
        squeezed = self.node("GlobalAveragePool", [value], f"{layer.name}.squeezed")
        hidden = self.node("Relu", [self._fully_connected(f"{layer.name}.fc1", squeezed)], f"{layer.name}.hidden")
        gate = self.node("Sigmoid", [self._fully_connected(f"{layer.name}.fc2", hidden)], f"{layer.name}.gate")
        return self.node("Mul", [value, gate], layer.name)

    def block(self, block: Block, value: str, *, output: str) -> str:
        residual = self.conv_norm(block.conv2, self.conv_norm(block.conv1, value))
        if block.se is not None:
            residual = self.squeeze_excitation(block.se, residual)
        residual = self.conv_norm(block.conv3, residual)
        shortcut = value if block.downsample is None else self.conv_norm(block.downsample, value)
        return self.node("Relu", [self.node("Add", [residual, shortcut], f"{block.name}.sum")], output)

    def pool(self, value: str, *, output: str) -> str:
        return self.node("Flatten", [self.node("GlobalAveragePool", [value], f"{output}.pooled")], output, axis=1)

    def classifier(self, head: Head, value: str, *, output: str) -> str:
        name = f"{head.name}.fc"
        weight = self.parameter(f"{name}.weight", f"{name}.weight")
        bias = self.parameter(f"{name}.bias", f"{name}.bias")
        return self.node("Gemm", [value, weight, bias], output, transB=1)

    def normalization(self, preprocessing: Preprocessing, value: str) -> str:
        """uint8 [N, H, W, C] -> float [N, C, H, W] with mean 0 and deviation 1."""
        value = self.node("Cast", [value], "pixels", to=onnx.TensorProto.FLOAT)
        value = self.node("Transpose", [value], "planes", perm=[0, 3, 1, 2])
        mean = np.array(preprocessing.mean).reshape(1, -1, 1, 1) * 255
        # (x - 255 mean) * (1 / 255 std): one subtraction and one multiplication for x / 255, - mean, / std
        factor = 1 / (np.array(preprocessing.std).reshape(1, -1, 1, 1) * 255)
        value = self.node("Sub", [value, self.constant("normalization.mean", mean)], "centered")
        return self.node("Mul", [value, self.constant("normalization.factor", factor)], "normalized")

    def _fully_connected(self, name: str, value: str) -> str:
        # 1x1 convolutions, as in the checkpoint
        weight = self.parameter(f"{name}.weight", f"{name}.weight")
        bias = self.parameter(f"{name}.bias", f"{name}.bias")
        return self.node("Conv", [value, weight, bias], name, kernel_shape=[1, 1])


def _walk(
    graph: _GraphNodes, architecture: Architecture, preprocessing: Preprocessing, input_kind: str
) -> Iterator[str]:
    """Add the network part by part, and yield the name of each output once it is there."""
    # uint8 is a quarter of float32 on its way to an engine, and normalising inside leaves nothing to do before
    value = INPUT_NAME if input_kind == "float" else graph.normalization(preprocessing, INPUT_NAME)
    value = graph.conv_norm(architecture.stem, value, output="stem")
    yield "stem"
    for stage in architecture.stages:
        for block in stage.blocks:
            value = graph.block(block, value, output=stage.name if block is stage.blocks[-1] else block.name)
        yield stage.name
    value = graph.pool(value, output="pre_logits")
    yield "pre_logits"
    if architecture.num_classes:
        graph.classifier(architecture.head, value, output="logits")
        yield "logits"


def _check_choices(architecture: Architecture, input_kind: str, outputs: Sequence[str]) -> None:
    if input_kind not in INPUT_KINDS:
        raise WeightsError(f"input must be one of {', '.join(INPUT_KINDS)}, got {input_kind!r}")
    known = architecture.output_names
    if isinstance(outputs, str) or not outputs or len(set(outputs)) != len(outputs):
        raise WeightsError(f"outputs must be a list of different names from {', '.join(known)}, got {outputs!r}")
    for name in outputs:
        if name not in known:
            raise WeightsError(f"no output named {name!r}; there are {', '.join(known)}")


def _input_info(architecture: Architecture, input_kind: str, image_size: int | None) -> onnx.ValueInfoProto:
    sides = ("height", "width") if image_size is None else (image_size, image_size)
    if input_kind == "uint8":
        shape = (BATCH, *sides, architecture.in_chans)
        return helper.make_tensor_value_info(INPUT_NAME, onnx.TensorProto.UINT8, shape)
    return helper.make_tensor_value_info(INPUT_NAME, onnx.TensorProto.FLOAT, (BATCH, architecture.in_chans, *sides))
