"""`convert_model`: a model's weights under another library's names, in a file that its programs read.

The file is read back and compared byte by byte before it takes its place. Memory holds one layer at a time, however
large the model is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from regnety.bundle.bundle import Bundle
from regnety.bundle.folders.transformers import processor_config, transformers_config
from regnety.errors import ExportError
from regnety.export.readback import compare_checkpoint, compare_graph
from regnety.export.targets import check_conversion_target, check_not_its_source
from regnety.files.arrays import FileWeights
from regnety.files.file_names import CONFIG_FILE, PROCESSOR_FILE, WEIGHTS_FILE
from regnety.files.safetensors_files import write_safetensors
from regnety.files.torch_files.writing import write_torch
from regnety.graph.builder import DATA_SUFFIX, write_graph
from regnety.storage.replacing import replacing_folder, replacing_together
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.registry import DIALECTS, in_dialect
from regnety.weights.dialects.timm import TIMM

# The registry's timm refuses designs that timm cannot build; for a file of ours that is no obstacle.
OURS = replace(TIMM, name="regnety", owner="ours", obstacle=lambda _: None)
"""timm's names for every design, also for those that timm cannot build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    path: Path
    """The file or folder that was named."""
    files: tuple[Path, ...]
    """All files that were written."""
    to: str
    """Whose names the weights have now."""
    num_tensors: int
    """Number of tensors; all of them were compared with what was written."""
    keeps_metadata: bool
    """Whether labels and preprocessing were written too; a checkpoint file has weights alone."""


def convert_model(model: str | Path | Bundle, path: str | Path, *, to: str, overwrite: bool | None = None) -> Converted:
    """Write a model as another code base keeps it.

        convert_model("regnety_002", "RegNetY-200MF.pyth", to="pycls")

    A single file of weights has their names and numbers alone: no labels, no preprocessing, and strides of 2 are what
    its reader assumes.

    Args:
        model: whatever a model may be: a name, a folder, a checkpoint of any dialect, an ONNX file.
        path: `NAME.safetensors`, or a file of torch (`.pth`, `.pyth`, `.torch`, ...), in the model's own number type;
            for `regnety`, `timm` (both in f32) and `transformers` also a folder, a name without a suffix or with a
            slash at its end, from which they load the model with labels and preprocessing; for `onnx` `NAME.onnx`
            (over 2 GiB with `NAME.onnx.data`), in f32 and with batch norm folded. A file of weights that stands
            there is replaced, as is an ONNX file or a folder that regnety wrote; never the model itself.
        to: one of `TARGETS`: regnety, a dialect (timm, pycls, ...) or onnx. For pycls, whose networks take BGR, the
            stem is reversed.
        overwrite: has no effect any more; what may be replaced is replaced.

    Raises:
        ExportError: the path and `to` do not go together, something else stands there, the other code base cannot
            express the model, or what was written is not the model.
        WeightsError: the model is damaged.
        UnknownModelError: the name is unknown, or its weights are unavailable.
        OSError: the file cannot be written.
    """
    form = check_conversion_target(path, to)  # before the model is loaded, which may have to be fetched
    path = Path(path)
    bundle = Bundle.load(model)
    check_not_its_source(path, bundle)
    dialect = OURS if to in ("regnety", "onnx") else DIALECTS[to]
    if obstacle := dialect.obstacle(bundle.architecture):
        raise ExportError(f"{path}: {to} cannot express {bundle.name}: {obstacle}")
    if form == "folder":
        (_write_transformers if to == "transformers" else _write_bundle)(path, bundle)
        files = sorted(path.iterdir())
    else:
        with replacing_together(path, companions=[path.name + DATA_SUFFIX] if form == "onnx" else []) as beside:
            if form == "onnx":
                _write_graph(beside, bundle)
            else:
                _write_checkpoint(beside, bundle, dialect, form)
            # `beside` is alone in a folder of its own: whatever is there now belongs to this model.
            files = sorted(path.with_name(file.name) for file in beside.parent.iterdir())
    return Converted(
        path=path, files=tuple(files), to=to, num_tensors=len(bundle.weights), keeps_metadata=form in ("folder", "onnx")
    )


def _write_bundle(path: Path, bundle: Bundle) -> None:
    """A folder that regnety and, where it can build the design, timm load."""
    # `add_files` is called before the folder takes its place: a file that differs never gets there.
    bundle.save(path, add_files=lambda beside: compare_checkpoint(beside / WEIGHTS_FILE, bundle, dtype="float32"))


def _write_transformers(path: Path, bundle: Bundle) -> None:
    """A folder for transformers' `RegNetForImageClassification.from_pretrained`."""
    with replacing_folder(path) as beside:
        _write_checkpoint(beside / WEIGHTS_FILE, bundle, DIALECTS["transformers"], "safetensors")
        _write_json(beside / CONFIG_FILE, transformers_config(bundle.architecture, bundle.labels))
        _write_json(beside / PROCESSOR_FILE, processor_config(bundle.preprocessing))


def _write_checkpoint(path: Path, bundle: Bundle, dialect: Dialect, form: Literal["safetensors", "torch"]) -> None:
    tensors = in_dialect(dialect, bundle.architecture, bundle.weights)
    if form == "safetensors":
        write_safetensors(path, FileWeights(tensors, source=bundle.name))
    else:
        write_torch(path, dialect.nest(tensors))
    compare_checkpoint(path, bundle)


def _write_graph(path: Path, bundle: Bundle) -> None:
    outputs = bundle.architecture.output_names[-1:]  # logits, or pre_logits without a classifier
    write_graph(
        path,
        bundle.architecture,
        bundle.weights,
        image_size=bundle.preprocessing.image_size,
        outputs=outputs,
        preprocessing=bundle.preprocessing,
        labels=bundle.labels,
        provenance=bundle.provenance,
    )
    compare_graph(path, bundle, outputs=outputs)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
