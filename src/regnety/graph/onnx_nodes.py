"""The nodes of an ONNX file that somebody else wrote, in the order in which they are computed.

They are read from the bytes, as in `onnx_files`: once such a file has been compared with its network, nothing else
needs the package onnx when it is loaded again, and its import would double the time (0.2 s).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.graph.onnx_files import GRAPH_NODE, ArrayReader, scan_model
from regnety.graph.protobuf import Field
from regnety.graph.stored_graph import StoredArray, StoredGraph

# Field numbers never change in protobuf: a file of any age has them.
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 4, 5, 7
ATTRIBUTE_NAME, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_TENSOR, ATTRIBUTE_INTS = 1, 2, 3, 5, 8
"""Fields of `NodeProto` and `AttributeProto` in onnx.proto."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation."""

    kind: str
    """`Conv`; with its domain in front, where that is not ONNX's own."""
    inputs: tuple[str, ...]
    """Names of values; empty where one is left out."""
    outputs: tuple[str, ...]
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Attributes that are whole numbers."""
    floats: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, StoredArray] = field(default_factory=dict)

    def number(self, name: str, default: int) -> int:
        """The first number of an attribute."""
        return (self.numbers.get(name) or (default,))[0]


def read_nodes(stored: StoredGraph) -> tuple[Node, ...]:
    """All nodes of the main graph of a file that was read.

    Raises:
        WeightsError: it is not a whole ONNX file.
    """
    path, data = stored.path, stored.mapped[0].data
    _, graph = scan_model(path, data)
    reader = ArrayReader(path, data)
    try:
        return tuple(_nodes(graph, data, reader))
    except ValueError as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: is not an ONNX file, or is damaged or cut short ({error})") from error


def _nodes(graph: Field, data: Buffer, reader: ArrayReader) -> Iterator[Node]:
    for entry in graph.fields(data):
        if entry.number != GRAPH_NODE:
            continue
        kind, domain, inputs, outputs = "", "", [], []
        # Fields may come in any order, so the node is complete only after the last of them.
        node = Node("", (), ())
        for part in entry.fields(data):
            if part.number == NODE_INPUT:
                inputs.append(part.text(data))
            elif part.number == NODE_OUTPUT:
                outputs.append(part.text(data))
            elif part.number == NODE_KIND:
                kind = part.text(data)
            elif part.number == NODE_DOMAIN:
                domain = part.text(data)
            elif part.number == NODE_ATTRIBUTE:
                _add_attribute(node, part, data, reader)
        # Another domain may use the same name for another operation.
        full = f"{domain}.{kind}" if domain not in ("", "ai.onnx") else kind
        yield Node(full, tuple(inputs), tuple(outputs), node.numbers, node.floats, node.arrays)


def _add_attribute(node: Node, attribute: Field, data: Buffer, reader: ArrayReader) -> None:
    # A list, as the name may stand after the value that it names.
    parts = list(attribute.fields(data))
    name = next((part.text(data) for part in parts if part.number == ATTRIBUTE_NAME), "")
    for part in parts:
        if part.number in (ATTRIBUTE_INT, ATTRIBUTE_INTS):
            node.numbers[name] = (*node.numbers.get(name, ()), *part.whole_numbers(data))
        elif part.number == ATTRIBUTE_FLOAT:
            node.floats[name] = part.float32(data)
        elif part.number == ATTRIBUTE_TENSOR:
            node.arrays[name] = reader.array(part)
