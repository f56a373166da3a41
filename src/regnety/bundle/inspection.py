"""What a model's file or folder is, as far as it says without any of its code being run or its weights being read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from regnety.architecture.counting import complexity
from regnety.architecture.description import Architecture
from regnety.architecture.fitting import differences
from regnety.bundle.resolver import GRAPH_SUFFIXES, resolve
from regnety.errors import UnknownModelError, WeightsError
from regnety.weights.checkpoint import Checkpoint, checkpoint_of
from regnety.weights.files.reading import read_file
from regnety.weights.matching import architecture_of, closest_model, match_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found."""

    path: str
    files: tuple[str, ...]
    """All that it consists of."""
    num_bytes: int
    """Of those files."""
    container: str
    """`safetensors`, `torch zip`, `ONNX`, `bundle` and so on."""
    problem: str | None = None
    """Why it is no usable model, in one line; None where it is one."""
    part: str | None = None
    """Where in the file the state dict stands that is taken; empty where it is the whole."""
    other_parts: tuple[str, ...] = ()
    """State dicts that are there too."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else the file says: architecture, epoch, metric."""
    dialect: str | None = None
    """Whose names its keys are."""
    prefix: str = ""
    """What stands before every key."""
    input_order: str | None = None
    """`RGB` or `BGR`: what the file's own program shows it."""
    passed_over: tuple[str, ...] = ()
    """Tensors that no RegNet needs."""
    model: str | None = None
    """The published model that it is of; None for any other design."""
    design: Mapping[str, Any] | None = None
    """Its fields."""
    num_classes: int | None = None
    in_chans: int | None = None
    num_params: int | None = None
    num_tensors: int = 0
    dtypes: Mapping[str, int] = field(default_factory=dict)
    """Number type to how many tensors have it."""
    missing: tuple[str, ...] = ()
    """Tensors that the model, or the closest one, wants and the file lacks; then class names and the like."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def inspect_model(path: str | Path) -> Inspection:
    """Look into a checkpoint, a graph file or a folder. Nothing of it is run, and no tensor is read.

    A file that is damaged, or of no RegNet, is described as far as it goes, with `problem`.

    Raises:
        UnknownModelError: there is no such file or folder.
    """
    place = Path(path)
    if not place.exists():
        raise UnknownModelError(f"{path}: no such file or folder")
    if place.is_dir() or place.suffix.lower() in GRAPH_SUFFIXES:
        return _inspect_whole_model(place)
    try:
        content = read_file(place)
    except WeightsError as error:
        return _unusable(place, (place,), "unknown", error)
    try:
        return _inspect_checkpoint(checkpoint_of(content))
    except WeightsError as error:
        return _unusable(place, content.files, content.container, error)


def _inspect_checkpoint(checkpoint: Checkpoint) -> Inspection:
    problem, missing, model, architecture = None, [], None, None
    try:
        match = match_shapes(checkpoint.shapes, source=str(checkpoint.path))
        model, architecture = match.model, match.architecture
    except WeightsError as error:
        problem = _without(checkpoint.path, error)
        closest = closest_model(checkpoint.shapes)
        if closest is not None:
            wrong = differences(architecture_of(closest, checkpoint.shapes), checkpoint.shapes)
            missing = [key for key in wrong if key not in checkpoint.shapes]
    if architecture is not None:
        missing = [key for key in architecture.state_dict_shapes() if key not in checkpoint.shapes]
    if architecture is not None and architecture.num_classes:
        missing.append("class names")
    if architecture is not None and not architecture.num_classes:
        missing.append("a classifier")
    return Inspection(
        path=str(checkpoint.path),
        files=tuple(map(str, checkpoint.files)),
        num_bytes=_bytes_of(checkpoint.files),
        container=checkpoint.container,
        problem=problem,
        part=checkpoint.part,
        other_parts=checkpoint.other_parts,
        facts=checkpoint.facts,
        dialect=checkpoint.dialect.name,
        prefix=checkpoint.prefix,
        input_order="BGR" if checkpoint.dialect.bgr_input else "RGB",
        passed_over=checkpoint.passed_over,
        model=model,
        num_tensors=len(checkpoint.tensors),
        dtypes=dict(Counter(tensor.dtype for tensor in checkpoint.tensors.values())),
        missing=(*missing, "preprocessing"),
        **_of_architecture(architecture),
    )


def _inspect_whole_model(path: Path) -> Inspection:
    """A folder or a graph, which say themselves what they are."""
    container = {".onnx": "ONNX", ".xml": "OpenVINO"}.get(path.suffix.lower(), "folder")
    try:
        bundle = resolve(path)
    except WeightsError as error:
        return _unusable(path, _files_of(path), container, error)
    match = match_shapes(bundle.architecture.state_dict_shapes(), source=bundle.name)
    missing = [] if bundle.labels else ["class names"] if bundle.metadata.num_classes else ["a classifier"]
    files = bundle.graph.files if bundle.graph else _files_of(path)
    return Inspection(
        path=str(path),
        files=tuple(map(str, files)),
        num_bytes=_bytes_of(files),
        container=container,
        facts=bundle.provenance,
        dialect="timm",
        input_order="RGB",
        model=match.model,
        num_tensors=len(bundle.weights),
        missing=tuple(missing),
        **_of_architecture(bundle.architecture),
    )


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


def _files_of(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in path.iterdir() if file.is_file())) if path.is_dir() else (path,)


def _bytes_of(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _without(path: Path, error: Exception) -> str:
    return str(error).removeprefix(f"{path}: ")
