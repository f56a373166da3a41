"""Exports of a quantized model. Its graph is all there is of it, so it is copied, not built from weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import ExportError
from regnety.export.comparison import Exported, sample_pictures
from regnety.export.openvino_models import write_openvino_model
from regnety.export.targets import ExportForm
from regnety.files.arrays import relative_difference
from regnety.files.file_names import GRAPH_FILE
from regnety.graph.int8_copies import copy_quantized
from regnety.inference.engines.graph_cache import graph_of
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.processor import available_cores
from regnety.inference.engines.registry import Engine
from regnety.storage.replacing import replacing_together

BOUNDS: dict[ExportForm, float] = {"onnx": 1e-4, "folder": 1e-4, "openvino": 5e-2}
"""Largest difference, in standard deviations of the output. ONNX Runtime runs the same graph twice; OpenVINO places
some roundings differently in its own format, and may compute what is not quantized in bf16."""


def export_quantized(
    bundle: Bundle, path: Path, form: ExportForm, *, input: str, outputs: Sequence[str], precision: str
) -> Exported:
    """`export_model` for a quantized model.

    Raises:
        ExportError: it cannot be written so, or the file's outputs differ.
        WeightsError: the graph has no such output or size, or it is an OpenVINO model.
    """
    if input != "uint8":
        raise ExportError(f"{bundle.name}: is quantized with the normalisation inside; its input is uint8")
    if precision == "f16":
        raise ExportError(f"{bundle.name}: is quantized to int8, which is smaller than f16; omit f16")
    if bundle.graph is not None and bundle.graph.path.suffix.lower() == ".xml":
        raise ExportError(f"{bundle.name}: is an OpenVINO model in int8, which cannot be converted; copy its files")
    source = graph_of(bundle, outputs=tuple(outputs))
    assert isinstance(source, Path)  # never bytes: a quantized model was read from its graph's file
    if form == "folder":
        compared: list[tuple[Engine, float]] = []
        bundle.save(path, add_files=lambda beside: compared.append(_compare(source, beside / GRAPH_FILE, bundle, form)))
        return _exported(bundle, path, tuple(sorted(path.iterdir())), outputs, *compared[0])
    with replacing_together(path) as beside:
        if form == "openvino":
            # OpenVINO reads a file, so the copy with the chosen outputs is written first, and removed after.
            copied = beside.with_suffix(".onnx")
            copy_quantized(source, copied, bundle.metadata, outputs=outputs)
            write_openvino_model(copied, beside, bundle, precision="f32")
            copied.unlink()
        else:
            copy_quantized(source, beside, bundle.metadata, outputs=outputs)
        engine, difference = _compare(source, beside, bundle, form)
        names = sorted((file.name for file in beside.parent.iterdir()), key=lambda name: (name != path.name, name))
    return _exported(bundle, path, tuple(path.with_name(name) for name in names), outputs, engine, difference)


def _compare(source: Path, file: Path, bundle: Bundle, form: ExportForm) -> tuple[Engine, float]:
    """Run both, on the engine that the file is for."""
    if form == "openvino":
        from regnety.inference.engines.openvino import OpenVinoEngine

        engines: list[Engine] = [
            OpenVinoEngine(graph, threads=available_cores(), precision="int8") for graph in (source, file)
        ]
    else:
        engines = [OnnxRuntimeEngine(graph, threads=available_cores(), precision="int8") for graph in (source, file)]
    pictures = sample_pictures(bundle.preprocessing.image_size, bundle.metadata.in_chans)
    difference = 0.0
    for name in engines[1].output_names:
        wanted, found = (np.concatenate([engine.run(picture)[name] for picture in pictures]) for engine in engines)
        difference = float(np.max([difference, relative_difference(found, wanted)]))
    if not difference <= BOUNDS[form]:  # `not <=`: NaN is refused too
        raise ExportError(
            f"{file.name}: differs from the model by {difference:.2g} of the deviation of its outputs, "
            f"{BOUNDS[form]:g} is allowed; nothing was kept"
        )
    return engines[1], difference


def _exported(
    bundle: Bundle, path: Path, files: tuple[Path, ...], outputs: Sequence[str], engine: Engine, difference: float
) -> Exported:
    widths = {"pre_logits": bundle.architecture.num_features, "logits": bundle.architecture.num_classes}
    return Exported(
        path=path,
        files=files,
        input_dtype=engine.input_dtype.name,
        input_shape=engine.input_shape,
        output_shapes={name: (widths[name],) for name in outputs},
        engine=f"{engine.name} {engine.version}",
        largest_difference=difference,
        precision="int8",
    )
