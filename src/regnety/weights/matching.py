"""Which named model a checkpoint is of: by the shapes of its tensors, without reading them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyDesign
from regnety.architecture.fitting import check_keys, check_shape
from regnety.catalog.models import EMBEDDED_MODEL, list_models, model_info
from regnety.errors import InvalidDesignError, WeightsError

TensorShapes: TypeAlias = Mapping[str, Sequence[int]]
"""Key to shape, as a file has them."""

DIALECTS = {
    "trunk_output.": "torchvision's",
    ".f.a.weight": "pycls's",
    "regnet.embedder.": "transformers'",
    "_feature_blocks.": "VISSL's",
}
"""A piece of a key that tells whose names they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The model that a checkpoint is of."""

    model: str
    """Its name."""
    architecture: Architecture
    """Its description, with the checkpoint's number of classes and input channels."""

    def __str__(self) -> str:
        classes = self.architecture.num_classes
        return self.model if classes == 1000 else f"{self.model} with {classes} classes"


def match_shapes(shapes: TensorShapes, *, source: str) -> Match:
    """The published model that shapes are of; the number of classes and of input channels is free.

    Args:
        shapes: key to shape; the keys are timm's. Without a classifier the model has 0 classes.
        source: the file, which messages begin with.

    Raises:
        WeightsError: no model fits; names the closest one and the first key that differs from it.
    """
    name = _models_by_signature().get(_signature(shapes)) or _closest_model(shapes, source=source)
    architecture = _architecture(name, shapes)
    try:
        _check(architecture, shapes, source=source, model=name)
    except WeightsError as error:
        raise WeightsError(f"{error}; none of the published models fits, {name} is closest") from None
    return Match(model=name, architecture=architecture)


def fitting_model(shapes: TensorShapes) -> Match | None:
    """The published model that shapes are of, or None: what `match_shapes` finds without an error."""
    name = _models_by_signature().get(_signature(shapes))
    if name is None:
        return None
    architecture = _architecture(name, shapes)
    try:
        _check(architecture, shapes, source="", model=name)
    except WeightsError:
        return None
    return Match(model=name, architecture=architecture)


def _check(architecture: Architecture, shapes: TensorShapes, *, source: str, model: str) -> None:
    check_keys(architecture, shapes.keys(), source=source, wanted_by=model)
    wanted = architecture.state_dict_shapes()
    for key in (key for key in wanted if key in shapes):
        check_shape(key, shapes[key], wanted[key], source=source, wanted_by=model)


def _architecture(model: str, shapes: TensorShapes) -> Architecture:
    """The description of a model, with the classes and input channels that the shapes have."""
    classifier, stem = shapes.get("head.fc.weight", (0,)), shapes.get("stem.conv.weight", ())
    num_classes = classifier[0] if classifier else 0
    in_chans = stem[1] if len(stem) == 4 else 3
    try:
        return model_info(model).design.architecture(num_classes, in_chans)
    except InvalidDesignError:  # no number of channels that a network could have: the shapes will not fit
        return model_info(model).design.architecture()


Signature: TypeAlias = tuple[object, ...]
"""Stem width, whether there is squeeze-excitation, and (width, depth, group width) of each stage."""


@cache
def _models_by_signature() -> dict[Signature, str]:
    return {_design_signature(model_info(name).design): name for name in _published()}


def _published() -> list[str]:
    return [name for name in list_models() if name != EMBEDDED_MODEL]


def _design_signature(design: AnyDesign) -> Signature:
    stages = tuple((stage.width, stage.depth, stage.group_width) for stage in design.fitted_stages())
    return design.stem_width, design.se_ratio > 0, stages


def _signature(shapes: TensorShapes) -> Signature:
    """The same from a checkpoint; what is not there is None, which no design has."""

    def size(key: str, axis: int) -> int | None:
        shape = shapes.get(key, ())
        return shape[axis] if len(shape) > axis else None

    stages: list[tuple[int | None, ...]] = []
    while f"s{len(stages) + 1}.b1.conv1.conv.weight" in shapes:
        stage = f"s{len(stages) + 1}"
        depth = 1
        while f"{stage}.b{depth + 1}.conv1.conv.weight" in shapes:
            depth += 1
        stages.append((size(f"{stage}.b1.conv3.conv.weight", 0), depth, size(f"{stage}.b1.conv2.conv.weight", 1)))
    return size("stem.conv.weight", 0), "s1.b1.se.fc1.weight" in shapes, tuple(stages)


def _closest_model(shapes: TensorShapes, *, source: str) -> str:
    """The model that shares most parameters with the shapes.

    Raises:
        WeightsError: the keys are not timm's at all.
    """

    foreign = _foreign_keys(shapes)
    if foreign is not None:
        raise WeightsError(f"{source}: {foreign}")

    def shared(name: str) -> int:
        wanted = _architecture(name, shapes).state_dict_shapes()
        return sum(math.prod(shape) for key, shape in wanted.items() if tuple(shapes.get(key, (-1,))) == shape)

    return max(_published(), key=shared)


def _foreign_keys(shapes: TensorShapes) -> str | None:
    """What is wrong with keys that are not timm's, as the rest of a sentence about the file."""
    for key in shapes:
        for piece, owner in DIALECTS.items():
            if piece in key:
                return f"its keys are {owner}, as in {key}; only timm's, as stem.conv.weight, can be read yet"
    if "stem.conv.weight" in shapes:
        return None
    if not shapes:
        return "holds no tensors"
    for key in shapes:
        if key.endswith(".stem.conv.weight"):
            prefix = key.removesuffix("stem.conv.weight")
            return f"its keys begin with {prefix!r}, as in {key}; timm's keys, as stem.conv.weight, can be read"
    return f"is no RegNet with timm's keys: it lacks stem.conv.weight, and has {next(iter(shapes))}"
