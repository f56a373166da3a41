"""`export_model`: a model as an ONNX file, an OpenVINO model or a bundle's folder, compared with its source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import ExportError
from regnety.export.comparison import BOUNDS, Exported, largest_difference, sample_pictures, source_outputs
from regnety.export.targets import check_export_target, check_not_its_source
from regnety.files.file_names import GRAPH_FILE, WEIGHTS_FILE
from regnety.files.safetensors_files import SafetensorsWeights
from regnety.graph.builder import DATA_SUFFIX, write_graph
from regnety.inference.engines.processor import available_cores
from regnety.inference.engines.registry import Engine
from regnety.metadata.model_metadata import KEY, metadata_from_json
from regnety.preprocessing import PerChannel
from regnety.storage.replacing import replacing_together


def export_model(
    model: str | Path | Bundle,
    path: str | Path,
    *,
    input: Literal["uint8", "float"] = "uint8",
    image_size: int | None = None,
    crop_pct: float | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    interpolation: str | None = None,
    outputs: Sequence[str] = ("logits",),
    precision: Literal["f32", "f16"] = "f32",
    fp16: bool = False,
) -> Exported:
    """Write a model that runs without regnety. The file is run and compared with the model before it takes its place.

        export_model("regnety_cifar10", "model.onnx")

    Args:
        model: a name, a bundle or its folder, an ONNX file, or an OpenVINO model.
        path: `NAME.onnx` is an ONNX file (over 2 GiB with `NAME.onnx.data`), `NAME.xml` an OpenVINO model with
            `NAME.bin` (extra openvino), anything without a suffix or with a slash at its end a folder with
            config.json, model.safetensors, README.md and model.onnx. What regnety wrote there before is replaced.
        input: `uint8` takes RGB pixels [batch, height, width, channels] and normalises inside; `float` takes
            normalised float32 [batch, channels, height, width].
        image_size: height and width in pixels; None is the model's own.
        crop_pct: share of the shorter side that a crop keeps, as the file says; None is the model's own.
        mean: for each channel of values in [0, 1], or one number for all; None is the model's own.
        std: as `mean`.
        interpolation: Pillow's filter, `bicubic`, `bilinear`, `lanczos` or `nearest`; None is the model's own.
        outputs: any of `stem`, `s1` and so on, `pre_logits`, `logits`.
        precision: of the weights in the file. `f16` halves it; computing stays in f32.
        fp16: the earlier spelling of `precision="f16"`.

    A model that is quantized keeps its graph: the input is `uint8`, the size is its own, and `f16` is refused.

    Raises:
        ExportError: the path says no form, what is there may not be replaced or is the model itself, the file's outputs
            differ from the model's, or a quantized model cannot be written so.
        WeightsError: the model is damaged, or an argument is not allowed.
        UnknownModelError: the name is not known, or its weights are not on this disk.
        MissingExtraError: an OpenVINO model is asked for, and OpenVINO is not installed.
    """
    form = check_export_target(path)
    path = Path(path)
    bundle = Bundle.load(model)
    check_not_its_source(path, bundle)  # a file in f16 or without outputs would be all that is left of the model
    bundle = bundle.with_preprocessing(
        bundle.preprocessing.with_changes(
            image_size=image_size, crop_pct=crop_pct, mean=mean, std=std, interpolation=interpolation
        )
    )
    precision = "f16" if fp16 else precision
    if bundle.is_quantized:
        from regnety.export.int8_export import export_quantized  # most exports do without it

        return export_quantized(bundle, path, form, input=input, outputs=outputs, precision=precision)
    export = _Export(bundle, input, outputs, precision)
    if form == "folder":
        bundle.save(path, dtype=export.precision, add_files=export.complete_folder)
        bundle.say_if_not_for_timm(path)
        return export.result(path, tuple(sorted(path.iterdir())))
    # Both files change places together: an old .data beside a new .onnx would answer wrongly.
    with replacing_together(path, companions=[path.name + DATA_SUFFIX]) as beside:
        if form == "openvino":
            export.write_openvino(beside)
        else:
            export.write_graph(beside)
        # The file that was asked for comes first, what belongs to it after.
        names = sorted((file.name for file in beside.parent.iterdir()), key=lambda name: (name != path.name, name))
    return export.result(path, tuple(path.with_name(name) for name in names))


class _Export:
    """The export of one model: writes a file in either form, and keeps what the comparison found."""

    def __init__(
        self,
        bundle: Bundle,
        input_kind: Literal["uint8", "float"],
        outputs: Sequence[str],
        precision: Literal["f32", "f16"],
    ) -> None:
        self.precision = precision
        self._bundle = bundle
        self._outputs = outputs
        self._options: dict[str, Any] = {
            "input": input_kind,
            "image_size": bundle.preprocessing.image_size,
            "outputs": outputs,
            "preprocessing": bundle.preprocessing,
            "labels": bundle.labels,
            "provenance": bundle.provenance,
        }
        self._engine: Engine | None = None
        # NaN until it is measured, so that a forgotten comparison cannot look like a good one.
        self._difference = float("nan")
        self._shapes: dict[str, tuple[int, ...]] = {}

    def complete_folder(self, folder: Path) -> None:
        """Add the checked ONNX file to a bundle's folder, and compare its weights with the model's."""
        # Read back from the disk: what was meant to be written proves nothing.
        kept = SafetensorsWeights(folder / WEIGHTS_FILE)
        for key, array in kept.items():
            if not np.array_equal(array, np.asarray(self._bundle.weights[key]).astype(array.dtype)):
                raise ExportError(f"{WEIGHTS_FILE}: {key} is not the model's; nothing was kept")
        self.write_graph(folder / GRAPH_FILE)

    def write_graph(self, beside: Path) -> None:
        """An ONNX file, checked."""
        from regnety.graph.onnx_files import read_onnx
        from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine

        bundle = self._bundle
        write_graph(beside, bundle.architecture, bundle.weights, dtype=self.precision, **self._options)
        self._check_properties(read_onnx(beside).properties, beside.name)
        self._check_answers(OnnxRuntimeEngine(beside, threads=available_cores()), beside.name)

    def write_openvino(self, beside: Path) -> None:
        """An OpenVINO model, checked."""
        from regnety.export.openvino_models import write_openvino
        from regnety.graph.openvino_files import read_openvino
        from regnety.inference.engines.openvino import OpenVinoEngine

        write_openvino(beside, self._bundle, precision=self.precision, **self._options)
        self._check_properties(read_openvino(beside).properties, beside.name)
        self._check_answers(OpenVinoEngine(beside, threads=available_cores()), beside.name)

    def result(self, path: Path, files: tuple[Path, ...]) -> Exported:
        """The answer of `export_model`, after a file has been written and checked."""
        assert self._engine is not None
        return Exported(
            path=path,
            files=files,
            input_dtype=self._engine.input_dtype.name,
            input_shape=self._engine.input_shape,
            output_shapes=self._shapes,
            engine=f"{self._engine.name} {self._engine.version}",
            largest_difference=self._difference,
        )

    def _check_properties(self, properties: Any, name: str) -> None:
        if metadata_from_json(properties.get(KEY, ""), source=name) != self._bundle.metadata:
            raise ExportError(f"{name}: its labels or preprocessing are not the model's; nothing was kept")

    def _check_answers(self, engine: Engine, name: str) -> None:
        bundle = self._bundle
        pictures = sample_pictures(bundle.preprocessing.image_size, bundle.metadata.in_chans)
        wanted = source_outputs(bundle, pictures, self._outputs)
        try:
            difference = largest_difference(engine, bundle, pictures, wanted)
        except ExportError as error:
            raise ExportError(f"{name}: {error}; nothing was kept") from error
        if not difference <= BOUNDS[self.precision]:  # `not <=`: NaN is refused too
            raise ExportError(
                f"{name}: differs from the model by {difference:.2g} of the deviation of its outputs, "
                f"{BOUNDS[self.precision]:g} is allowed; nothing was kept"
            )
        self._engine, self._difference = engine, difference
        self._shapes = {output: wanted[0][output].shape[1:] for output in self._outputs}
