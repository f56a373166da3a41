"""Which model a checkpoint belongs to, by the shapes of its tensors, without reading them."""

import math
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import Design
from regnety.architecture.tensor_shapes import check_shapes
from regnety.catalog.models import EMBEDDED_MODELS, list_models, model_info
from regnety.errors import InvalidDesignError, WeightsError
from regnety.text import counted
from regnety.weights.design_from_shapes import TensorShapes, infer_architecture, stage_depths


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The model that a checkpoint belongs to."""

    model: str | None
    """Its name; None for a design without one."""
    architecture: Architecture
    """Its description, with the checkpoint's number of classes and input channels."""

    def __str__(self) -> str:
        design, classes = self.architecture.design, self.architecture.num_classes
        name = self.model or _in_words(design)
        return name if classes == 1000 else f"{name} with {counted(classes, 'class', 'classes')}"


def match_shapes(shapes: TensorShapes, *, source: str) -> Match:
    """The published model with these shapes, or else the design that they show.

    The number of classes and of input channels is free; without a classifier the model has 0 classes.

    Args:
        shapes: key to shape; the keys are timm's.
        source: the file, which messages begin with.

    Raises:
        WeightsError: no RegNet has them; the message names the closest published model and the first keys that differ.
    """
    name = _models_by_signature().get(_signature(shapes))
    if name is not None:
        # The signature finds the model, the full comparison (0.3 ms) finds what is wrong in the rest of the file.
        architecture = architecture_of(name, shapes)
        check_shapes(architecture, shapes, source=source, wanted_by=name)
        return Match(model=name, architecture=architecture)
    try:
        return Match(model=None, architecture=infer_architecture(shapes, source=source))
    except WeightsError as error:
        # A file of a published model with one layer missing or changed: the difference says more than "no RegNet".
        closest = closest_model(shapes)
        if closest is None:
            raise
        try:
            check_shapes(architecture_of(closest, shapes), shapes, source=source, wanted_by=closest)
        except WeightsError as difference:
            raise WeightsError(f"{difference}; it fits no RegNet, and {closest} is closest") from error
        raise


def name_of(architecture: Architecture) -> str | None:
    """The published model whose network a description is, strides included; None for any other design."""
    name = _models_by_signature().get(_design_signature(architecture.design))
    if name is None:
        return None
    published = model_info(name).design.architecture(architecture.num_classes, architecture.in_chans)
    # The signature has no strides: shapes do not show them.
    same = (published.stem, published.stages) == (architecture.stem, architecture.stages)
    return name if same else None


def fitting_model(shapes: TensorShapes) -> Match | None:
    """The result of `match_shapes`; None if it finds nothing."""
    try:
        return match_shapes(shapes, source="")
    except WeightsError:
        return None


def _in_words(design: AnyDesign) -> str:
    if isinstance(design, Design):
        fields = ("depth", "w0", "wa", "wm", "group_width")
        return ",".join(f"{field}={getattr(design, field):g}" for field in fields)
    return f"an AnyNet of {counted(len(design.fitted_stages()), 'stage')}"


def architecture_of(model: str, shapes: TensorShapes) -> Architecture:
    """The description of a model, with the classes and input channels that the shapes have."""
    classifier, stem = shapes.get("head.fc.weight", (0,)), shapes.get("stem.conv.weight", ())
    num_classes = classifier[0] if classifier else 0
    in_chans = stem[1] if len(stem) == 4 else 3
    try:
        return model_info(model).design.architecture(num_classes, in_chans)
    except InvalidDesignError:  # no network has so many channels or classes: the comparison will say so
        return model_info(model).design.architecture()


Signature: TypeAlias = tuple[object, ...]
"""Stem width, whether there is squeeze-excitation, and (width, depth, group width) of each stage."""


@cache
def _models_by_signature() -> dict[Signature, str]:
    return {_design_signature(model_info(name).design): name for name in _published()}


def _published() -> list[str]:
    return [name for name in list_models() if name not in EMBEDDED_MODELS]


def _design_signature(design: AnyDesign) -> Signature:
    stages = tuple((stage.width, stage.depth, stage.group_width) for stage in design.fitted_stages())
    return design.stem_width, design.se_ratio > 0, stages


def _signature(shapes: TensorShapes) -> Signature:
    """The same from a checkpoint; None for what is missing, which no design has."""

    def size(key: str, axis: int) -> int | None:
        shape = shapes.get(key, ())
        return shape[axis] if len(shape) > axis else None

    stages = tuple(
        (size(f"s{number}.b1.conv3.conv.weight", 0), depth, size(f"s{number}.b1.conv2.conv.weight", 1))
        for number, depth in enumerate(stage_depths(shapes), start=1)
    )
    return size("stem.conv.weight", 0), "s1.b1.se.fc1.weight" in shapes, stages


def closest_model(shapes: TensorShapes) -> str | None:
    """The published model that shares most parameters with the shapes; None if none shares half of them."""
    total = sum(math.prod(shape) for shape in shapes.values())

    def shared(name: str) -> int:
        wanted = architecture_of(name, shapes).state_dict_shapes()
        return sum(math.prod(shape) for key, shape in wanted.items() if tuple(shapes.get(key, (-1,))) == shape)

    closest = max(_published(), key=shared)
    return closest if 0 < total <= 2 * shared(closest) else None
