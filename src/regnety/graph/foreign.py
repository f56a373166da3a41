"""A RegNet in an ONNX file that regnety did not write: which known design it is, and its weights under our keys.

Exporters name values as they like, fold batch norm or not, and write the shortcut's convolution before or after the
others. What is always there is the chain of convolutions with their kernels, groups and strides. Whether the rest of
the file computes what a RegNet does is not decided here: `bundle.foreign_weights` runs both before weights are used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from regnety.architecture.description import Architecture
from regnety.architecture.layers import BATCH_NORM_EPS, Block, ConvNorm, SqueezeExcitation
from regnety.catalog.models import EMBEDDED_MODELS, list_models, model_info
from regnety.errors import InvalidDesignError, WeightsError
from regnety.files.arrays import Array
from regnety.graph.onnx_nodes import Node, read_nodes
from regnety.graph.stored_graph import StoredArray, StoredGraph

PASSING = ("Identity", "Cast", "CastLike", "Expand")
"""Nodes that exporters put between an array and its use; none changes a value."""
LONGEST_PASSAGE = 16  # nodes in a row; a hostile file may have a circle of them
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "DynamicQuantizeLinear")
ONNX_EPS = 1e-5
"""What BatchNormalization adds to the variance by default, as ONNX defines it."""


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """What was found in a foreign file."""

    name: str
    """The design's: `regnety_002`."""
    architecture: Architecture
    weights: Mapping[str, Array]
    """Views of the file where it has the array itself."""


def read_foreign(graph: StoredGraph) -> ForeignModel:
    """Match the convolutions of a file with the designs of the catalogue.

    Raises:
        WeightsError: they fit none; the message says what was found.
    """
    if len(graph.inputs) != 1:
        raise WeightsError(
            f"{graph.path}: has {len(graph.inputs)} inputs ({', '.join(graph.inputs)}), a RegNet takes one picture"
        )
    if graph.input_kind != "float":
        raise WeightsError(
            f"{graph.path}: was not written by regnety, and its input is not float32 [batch, channels, height, width]"
        )
    nodes = _Nodes(graph)
    convolutions = nodes.convolutions()
    head = nodes.head()
    for name in list_models():
        if name in EMBEDDED_MODELS:
            continue
        try:
            in_chans, num_classes = convolutions[0].shape[1], head.shape[0]
            architecture = model_info(name).design.architecture(num_classes=num_classes, in_chans=in_chans)
        except InvalidDesignError as error:  # a kernel or classifier of an impossible size
            raise WeightsError(f"{graph.path}: {error}") from None
        matched = _match(architecture, convolutions)
        if matched is not None and head.shape[1] == architecture.num_features:
            weights = dict(_weights(matched))
            weights.update({"head.fc.weight": head.weight, "head.fc.bias": head.bias})
            return ForeignModel(name, architecture, {key: weights[key] for key in architecture.state_dict_shapes()})
    first, last = convolutions[0].shape, convolutions[-1].shape
    raise WeightsError(
        f"{graph.path}: fits none of the named models, with {len(convolutions)} convolutions "
        f"from {first} to {last} and {head.shape[0]} classes"
    )


class _Layer(NamedTuple):
    """A convolution of our network."""

    name: str
    shape: tuple[int, ...]
    groups: int = 1
    stride: int = 1


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A convolution of the file, with the norm after it."""

    kernel: Array
    groups: int
    stride: int
    bias: Array | None
    norm: Mapping[str, Array] | None
    """weight, bias, running_mean and running_var, for our eps; None if it is folded."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.kernel.shape

    def looks_like(self, layer: _Layer) -> bool:
        return (self.shape, self.groups, self.stride) == (layer.shape, layer.groups, layer.stride)


@dataclass(frozen=True, slots=True)
class _Head:
    """The classifier."""

    weight: Array
    bias: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape


class _Nodes:
    """The nodes of a file, by their outputs and by their first inputs."""

    def __init__(self, graph: StoredGraph) -> None:
        self._graph = graph
        self._nodes = read_nodes(graph)
        self._sources = {output: node for node in self._nodes for output in node.outputs}
        # by the first input alone, which is the picture's way through Conv and BatchNormalization
        self._users = {name: node for node in self._nodes for name in node.inputs[:1]}
        quantized = sorted({node.kind for node in self._nodes} & set(QUANTIZED))
        if quantized:  # weights made from int8 would not be the original ones
            raise WeightsError(f"{graph.path}: is quantized ({quantized[0]}); name the file that it was made from")

    def convolutions(self) -> list[_Convolution]:
        """All of them, in the order in which they are computed."""
        found = [self._convolution(node) for node in self._nodes if node.kind == "Conv"]
        if not found:
            raise WeightsError(f"{self._graph.path}: has no convolution, it is not a RegNet")
        return found

    def head(self) -> _Head:
        """The only linear layer: Gemm, or MatMul with an Add after it."""
        linear = [node for node in self._nodes if node.kind in ("Gemm", "MatMul")]
        if len(linear) != 1:
            raise WeightsError(f"{self._graph.path}: has {len(linear)} linear layers, a RegNet's classifier is one")
        (node,) = linear
        weight = self._values(self._input(node, 1))
        if weight.ndim != 2:
            raise WeightsError(f"{self._graph.path}: its classifier's weight is {weight.shape}, a RegNet's is a matrix")
        weight = weight if node.number("transB", 0) else weight.T  # ours is [classes, features]
        bias = self._bias(node)
        return _Head(weight, np.zeros(len(weight), np.float32) if bias is None else self._values(bias).reshape(-1))

    def _bias(self, linear: Node) -> str | None:
        """Name of a linear layer's bias; exporters omit a bias of zeros."""
        if linear.kind == "Gemm":
            return linear.inputs[2] if len(linear.inputs) > 2 and linear.inputs[2] else None
        following = next((node for node in self._nodes if linear.outputs[0] in node.inputs), None)
        if following is None or following.kind != "Add":
            return None
        return next((name for name in following.inputs if name not in linear.outputs), None)

    def _convolution(self, node: Node) -> _Convolution:
        kernel = self._values(self._input(node, 1))
        if kernel.ndim != 4:
            raise WeightsError(f"{self._graph.path}: has a kernel of shape {kernel.shape}, a RegNet's have 4 sides")
        strides = node.numbers.get("strides", (1, 1))
        norm = self._users.get(node.outputs[0])
        return _Convolution(
            kernel=kernel,
            groups=node.number("group", 1),
            stride=strides[0] if len(set(strides)) == 1 else 0,  # 0 fits no layer
            bias=self._values(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None,
            norm=self._norm(norm) if norm is not None and norm.kind == "BatchNormalization" else None,
        )

    def _norm(self, node: Node) -> dict[str, Array]:
        names = ("weight", "bias", "running_mean", "running_var")
        values = {name: self._values(self._input(node, index)) for index, name in enumerate(names, start=1)}
        difference = node.floats.get("epsilon", ONNX_EPS) - BATCH_NORM_EPS
        # Only var + eps is used: another eps moves into the variance. Float32's 1e-5 is off by less than a thousandth.
        if abs(difference) > BATCH_NORM_EPS / 1000:
            values["running_var"] = values["running_var"] + np.float32(difference)
        return values

    def _input(self, node: Node, index: int) -> str:
        if index >= len(node.inputs) or not node.inputs[index]:
            raise WeightsError(f"{self._graph.path}: a {node.kind} has no input {index}, a RegNet's has one")
        return node.inputs[index]

    def _stored(self, name: str) -> StoredArray:
        """The array that a value comes from."""
        for _ in range(LONGEST_PASSAGE):
            if name in self._graph.arrays:
                return self._graph.arrays[name]
            source = self._sources.get(name)
            if source is None:
                break
            if source.kind == "Constant" and "value" in source.arrays:
                return source.arrays["value"]
            if source.kind not in PASSING or not source.inputs:
                break
            name = source.inputs[0]
        raise WeightsError(f"{self._graph.path}: computes {name!r}, where a RegNet has fixed weights")

    def _values(self, name: str) -> Array:
        try:
            return self._stored(name).read()
        except WeightsError as error:
            raise WeightsError(f"{self._graph.path}: {str(error).removeprefix(f'{self._graph.path}: ')}") from None


def _match(architecture: Architecture, convolutions: Sequence[_Convolution]) -> dict[str, _Convolution] | None:
    """Name of each layer to its convolution; None if they are not this network's."""
    waiting = list(convolutions)
    matched: dict[str, _Convolution] = {}
    parts: tuple[ConvNorm | Block, ...] = (architecture.stem, *architecture.blocks)
    for part in parts:
        layers = list(_convolution_layers(part))
        found = _arrange(waiting[: len(layers)], layers)
        if found is None:
            return None
        matched.update(found)
        del waiting[: len(layers)]
    return None if waiting else matched


def _convolution_layers(part: ConvNorm | Block) -> Iterator[_Layer]:
    """The convolutions of a part, the shortcut's last, as `Block.layers` has it."""
    layers = (part,) if isinstance(part, ConvNorm) else part.layers()
    for layer in layers:
        shapes = layer.state_dict_shapes()
        if isinstance(layer, SqueezeExcitation):
            for name in (f"{layer.name}.fc1", f"{layer.name}.fc2"):
                yield _Layer(name, shapes[f"{name}.weight"])
        else:
            yield _Layer(layer.name, shapes[f"{layer.name}.conv.weight"], layer.groups, layer.stride)


def _arrange(found: Sequence[_Convolution], layers: Sequence[_Layer]) -> dict[str, _Convolution] | None:
    """Convolutions of a block to its layers: a chain in order, and the shortcut's at any place among them."""
    if len(found) != len(layers):
        return None
    for place in reversed(range(len(found))):
        ordered = [*found[:place], *found[place + 1 :], found[place]]
        if all(one.looks_like(layer) for one, layer in zip(ordered, layers, strict=True)):
            return {layer.name: one for one, layer in zip(ordered, layers, strict=True)}
    return None


def _weights(matched: Mapping[str, _Convolution]) -> Iterator[tuple[str, Array]]:
    for name, convolution in matched.items():
        kernel, bias = convolution.kernel, convolution.bias
        zeros, ones = np.zeros(kernel.shape[0], np.float32), np.ones(kernel.shape[0], np.float32)
        if ".se." in name:
            yield f"{name}.weight", kernel
            yield f"{name}.bias", zeros if bias is None else bias
            continue
        norm = dict(convolution.norm or {})
        if not norm:  # folded: a norm that only adds the bias, as in `graph.extraction`
            variance = ones * np.float32(1 - BATCH_NORM_EPS)
            norm = {"weight": ones, "bias": zeros if bias is None else bias}
            norm.update(running_mean=zeros, running_var=variance)
        elif bias is not None:  # our convolutions have none: (x + bias) - mean = x - (mean - bias)
            norm["running_mean"] = norm["running_mean"] - bias
        yield f"{name}.conv.weight", kernel
        for parameter, value in norm.items():
            yield f"{name}.bn.{parameter}", value
        yield f"{name}.bn.num_batches_tracked", np.zeros((), np.int64)
