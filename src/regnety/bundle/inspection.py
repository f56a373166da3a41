"""What is in a model's file or folder, found without running its code and, for the most part, without its weights."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from regnety.architecture.counting import complexity
from regnety.architecture.description import Architecture
from regnety.architecture.tensor_shapes import differences
from regnety.bundle.folders.owners import folder_of, owner_of, weights_file
from regnety.bundle.model import Model
from regnety.bundle.resolver import GRAPH_SUFFIXES, describe_model, fetch_model, place_on_disk, resolve
from regnety.bundle.run_folders import checkpoint_model
from regnety.bundle.training_settings import training_preprocessing
from regnety.catalog.addresses import HUB, split_address
from regnety.catalog.models import is_name
from regnety.errors import UnknownModelError, WeightsError
from regnety.files.file_names import CONFIG_FILE, GRAPH_FILE, PROCESSOR_FILE
from regnety.files.reading import read_file
from regnety.preprocessing import Preprocessing
from regnety.weights.checkpoint import Checkpoint, checkpoint_of
from regnety.weights.matching import architecture_of, closest_model, match_shapes, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found in a file or folder."""

    path: str
    files: tuple[str, ...]
    """All files that belong to it."""
    num_bytes: int
    """The size of those files together."""
    container: str
    """`safetensors`, `torch zip`, `ONNX` and so on; for a folder also its program: `timm folder, safetensors`."""
    problem: str | None = None
    """Why it is not a usable model, in one line; None where it is one."""
    part: str | None = None
    """Where in the file the state dict is that is read; empty for the whole file, None in a graph."""
    other_parts: tuple[str, ...] = ()
    """Other state dicts in the file."""
    calibration: Mapping[str, Any] | None = None
    """How it was quantized to int8; None for a model in floating point."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else the file says: architecture, epoch, metric."""
    dialect: str | None = None
    """The code base whose key names it has; None for a graph, whose arrays may have any."""
    prefix: str = ""
    """What every key begins with."""
    input_order: str | None = None
    """`RGB` or `BGR`: the order in which the file's own program feeds channels. regnety always feeds RGB."""
    passed_over: tuple[str, ...] = ()
    """Tensors that a RegNet does not have."""
    model: str | None = None
    """The published model with this design; None for any other design."""
    design: Mapping[str, Any] | None = None
    """The fields of the design."""
    num_classes: int | None = None
    in_chans: int | None = None
    num_params: int | None = None
    num_tensors: int = 0
    dtypes: Mapping[str, int] = field(default_factory=dict)
    """Number type to the count of tensors that have it."""
    missing: tuple[str, ...] = ()
    """Tensors of the model, or of the closest one, that the file lacks; then `a classifier`, `class names` and
    `preprocessing` where it lacks them."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; a number that JSON cannot express, such as a metric that is NaN, is None."""
        return {**asdict(self), "facts": _as_json(self.facts)}


def inspect_model(path: str | Path, *, state_dict: str | None = None) -> Inspection:
    """Look into a checkpoint, a graph file or a folder. No code of it is run; tensors are read only of a graph.

    For a file of weights in a model's folder, the folder's config.json is taken into account. A file that is damaged,
    or not of a RegNet, is described as far as possible, with `problem`.

    Args:
        path: the file or folder; or another MODEL: the file of a name or the folder of `hf-hub:owner/name`, fetched
            where they are missing.
        state_dict: which of a checkpoint's state dicts; None is the one that would be used.

    Raises:
        UnknownModelError: there is no such file or folder, or it is unavailable.
        WeightsError: a fetched file was not the announced one; it was removed.
    """
    if isinstance(path, str) and (is_name(path) or split_address(path)[0] == HUB):
        place = fetch_model(path)
    else:
        place = place_on_disk(path)
    if not os.path.exists(place) or path == "":
        missing = split_address(path)[1] if isinstance(path, str) else path  # without `local-dir:`
        raise UnknownModelError(f"{missing}: no such file or folder")
    folder = place if place.is_dir() else folder_of(place)
    if folder is not None or place.suffix.lower() in GRAPH_SUFFIXES:
        return _inspect_whole_model(place, folder, state_dict)
    # In two steps: a file that can be opened has a container to report, even if no RegNet is in it.
    try:
        content = read_file(place)
    except WeightsError as error:
        return _unusable(place, (place,), "unknown", error)
    try:
        return _inspect_checkpoint(checkpoint_of(content, state_dict=state_dict))
    except WeightsError as error:
        return _unusable(place, content.files, content.container, error)


def _inspect_checkpoint(checkpoint: Checkpoint) -> Inspection:
    problem, missing, model, architecture = None, [], None, None
    try:
        if (of_run := checkpoint_model(checkpoint, describe_model)) is not None:  # which says what it is
            architecture = of_run.architecture
            model, missing = name_of(architecture), [] if of_run.labels else ["class names"]
        else:
            match = match_shapes(checkpoint.shapes, source=str(checkpoint.path))
            model, architecture = match.model, match.architecture
            missing = [key for key in architecture.state_dict_shapes() if key not in checkpoint.shapes]
            # No bare file has class names; regnety never makes them up from their number.
            missing += ["class names" if architecture.num_classes else "a classifier"]
            assumed = Preprocessing().for_channels(architecture.in_chans)
            missing += [] if training_preprocessing(checkpoint.facts, assumed).is_whole else ["preprocessing"]
    except WeightsError as error:
        problem = _without(checkpoint.path, error)
        closest = closest_model(checkpoint.shapes)  # what it lacks says what it was meant to be
        if closest is not None:
            wrong = differences(architecture_of(closest, checkpoint.shapes), checkpoint.shapes)
            missing = [key for key in wrong if key not in checkpoint.shapes]
    return Inspection(
        path=str(checkpoint.path),
        files=tuple(map(str, checkpoint.file.files)),
        num_bytes=_bytes_of(checkpoint.file.files),
        container=checkpoint.file.container,
        problem=problem,
        facts=checkpoint.facts,
        model=model,
        missing=tuple(missing),
        **_of_checkpoint(checkpoint),
        **_of_architecture(architecture),
    )


def _inspect_whole_model(path: Path, folder: Path | None, state_dict: str | None) -> Inspection:
    """A folder, the weights in it, or a graph: all of which say what they are."""
    try:
        bundle = resolve(path, state_dict=state_dict)
        checkpoint = None if folder is None or bundle.graph else _weights_of(path, folder, state_dict)
    except WeightsError as error:
        owner = None if folder is None else owner_of(folder)
        return _unusable(path, _files_of(path), f"{owner} folder" if owner else _kind(path), error)
    # Only files that belong to the model: a card or a graph for others may be there, too.
    beside = [] if folder is None else [folder / CONFIG_FILE, folder / PROCESSOR_FILE]
    weights = bundle.graph.files if bundle.graph else checkpoint.file.files if checkpoint else ()
    files = (*(file for file in beside if file.is_file()), *weights)
    container = checkpoint.file.container if checkpoint else _kind(path if folder is None else folder / GRAPH_FILE)
    return Inspection(
        path=str(path),
        files=tuple(map(str, files)),
        num_bytes=_bytes_of(files),
        container=container if folder is None else f"{owner_of(folder)} folder, {container}",
        calibration=None if (made := bundle.metadata.calibration) is None else made.as_dict(),
        facts=bundle.provenance,
        model=name_of(bundle.architecture),
        missing=tuple(_missing_beside_weights(bundle)),
        **(_of_checkpoint(checkpoint) if checkpoint else _of_graph(bundle)),
        **_of_architecture(bundle.architecture),
    )


def _weights_of(path: Path, folder: Path, state_dict: str | None) -> Checkpoint:
    return checkpoint_of(read_file(weights_file(folder) if path == folder else path), state_dict=state_dict)


def _missing_beside_weights(bundle: Model) -> list[str]:
    missing = [] if bundle.labels else ["class names"] if bundle.metadata.num_classes else ["a classifier"]
    return missing if bundle.notice is None else [*missing, "preprocessing"]  # the notice says which was assumed


def _of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "part": checkpoint.taken.part,
        "other_parts": checkpoint.taken.others,
        "dialect": checkpoint.network.dialect.name,
        "prefix": checkpoint.network.prefix,
        "input_order": "BGR" if checkpoint.network.dialect.bgr_input else "RGB",
        "passed_over": checkpoint.network.passed_over,
        "num_tensors": len(checkpoint.network.tensors),
        "dtypes": dict(Counter(tensor.dtype for tensor in checkpoint.network.tensors.values())),
    }


def _of_graph(bundle: Model) -> dict[str, Any]:
    """The layers of a float graph; of an int8 graph its arrays, as there are no layers with weights."""
    if not bundle.is_quantized or bundle.graph is None:
        return {"num_tensors": len(bundle.weights), "input_order": "RGB"}
    types = Counter("unknown" if array.dtype is None else array.dtype.name for array in bundle.graph.arrays.values())
    return {"num_tensors": len(bundle.graph.arrays), "input_order": "RGB", "dtypes": dict(types)}


def _of_architecture(architecture: Architecture | None) -> dict[str, Any]:
    if architecture is None:
        return {}
    return {
        "design": architecture.design.as_dict(),
        "num_classes": architecture.num_classes,
        "in_chans": architecture.in_chans,
        "num_params": complexity(architecture).num_params,
    }


def _unusable(path: Path, files: Sequence[Path], container: str, error: WeightsError) -> Inspection:
    return Inspection(
        path=str(path),
        files=tuple(map(str, files)),
        num_bytes=_bytes_of(files),
        container=container,
        problem=_without(path, error),
    )


def _kind(path: Path) -> str:
    return {".onnx": "ONNX", ".xml": "OpenVINO"}.get(path.suffix.lower(), "folder")


def _files_of(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in path.iterdir() if file.is_file())) if path.is_dir() else (path,)


def _bytes_of(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    # Python's json would write NaN, which is not JSON: jq and JavaScript refuse it.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _without(path: Path, error: Exception) -> str:
    return str(error).removeprefix(f"{path}: ")
