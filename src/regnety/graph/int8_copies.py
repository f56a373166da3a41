"""Files of int8 graphs. They are copied, as there are no weights to build them from.

What computes in int8 is between `QuantizeLinear` and `DequantizeLinear` nodes, a form that every runtime reads.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx

from regnety.errors import WeightsError
from regnety.metadata.model_metadata import KEY, ModelMetadata


def copy_quantized(
    source: Path, target: Path, metadata: ModelMetadata, *, outputs: Sequence[str] | None = None
) -> None:
    """Copy an int8 graph, with the model's present metadata.

    Args:
        source: an ONNX file.
        target: where the copy goes.
        metadata: the model's; it replaces that of the file.
        outputs: outputs to keep; None keeps all.

    Raises:
        WeightsError: it is not an ONNX file, or has no such output.
    """
    if source.suffix.lower() != ".onnx":
        raise WeightsError(f"{source}: is an int8 model for OpenVINO, which cannot be written as ONNX")
    write_quantized(target, onnx.load(source), metadata, outputs=outputs, name=str(source))


def write_quantized(
    target: Path,
    model: onnx.ModelProto,
    metadata: ModelMetadata,
    *,
    outputs: Sequence[str] | None = None,
    name: str = "the graph",
) -> None:
    """Write an int8 graph from memory; the graph is changed.

    Raises:
        WeightsError: it has no such output; the message begins with `name`.
    """
    if outputs is not None:
        known = {output.name: output for output in model.graph.output}
        for output in outputs:
            if output not in known:
                raise WeightsError(f"{name}: is an int8 graph and has no output {output}; it has {', '.join(known)}")
        # copies, as deleting the outputs empties the messages in `known`
        kept = [onnx.ValueInfoProto.FromString(known[output].SerializeToString()) for output in outputs]
        del model.graph.output[:]
        model.graph.output.extend(kept)
    onnx.helper.set_model_props(model, {KEY: metadata.as_json()})
    target.write_bytes(model.SerializeToString(deterministic=True))
