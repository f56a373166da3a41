"""Files of graphs that compute in int8: there are no weights to build them from, so they are copied.

`QuantizeLinear` and `DequantizeLinear` stand around what computes in int8, as every runtime reads it.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx

from regnety.errors import WeightsError
from regnety.metadata.model_metadata import KEY, ModelMetadata


def copy_quantized(
    source: Path, target: Path, metadata: ModelMetadata, *, outputs: Sequence[str] | None = None
) -> None:
    """Write an int8 graph once more, with what the model says of itself now.

    Args:
        source: an ONNX file.
        target: where the copy goes.
        metadata: the model's, in place of what stands there.
        outputs: those that are kept; None keeps all.

    Raises:
        WeightsError: it is no ONNX file, or has no such output.
    """
    if source.suffix.lower() != ".onnx":
        raise WeightsError(f"{source}: is an int8 model of OpenVINO's, of which no ONNX file can be made")
    write_quantized(target, onnx.load(source), metadata, outputs=outputs, name=str(source))


def write_quantized(
    target: Path,
    model: onnx.ModelProto,
    metadata: ModelMetadata,
    *,
    outputs: Sequence[str] | None = None,
    name: str = "the graph",
) -> None:
    """The same for a graph in memory, which is changed.

    Raises:
        WeightsError: it has no such output; the message begins with `name`.
    """
    if outputs is not None:
        known = {output.name: output for output in model.graph.output}
        for output in outputs:
            if output not in known:
                raise WeightsError(f"{name}: is an int8 graph and has no output {output}; it has {', '.join(known)}")
        kept = [onnx.ValueInfoProto.FromString(known[output].SerializeToString()) for output in outputs]
        del model.graph.output[:]
        model.graph.output.extend(kept)
    onnx.helper.set_model_props(model, {KEY: metadata.as_json()})
    target.write_bytes(model.SerializeToString(deterministic=True))
