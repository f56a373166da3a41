"""Which published models stand near a design."""

import math
from dataclasses import dataclass

from regnety.architecture.counting import complexity
from regnety.architecture.description import AnyDesign
from regnety.catalog.models import list_models, model_info

PLACES = 16
"""Relative depths at which widths are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNeighbour:
    """A published model beside a design."""

    model: str
    """Its name, without a tag."""
    distance: float
    """Mean factor between the two, as |log2|, of macs, parameters, activations, depth, and width by relative depth;
    0 is the same network, 1 a factor of two in each."""
    depth: int
    """Its blocks."""
    stage_widths: tuple[int, ...]
    """Its channels."""
    num_params: int
    """Its parameters, with 1000 classes."""
    macs: int
    """Its multiply-adds at 224 pixels."""
    activations: int
    """Its activations at 224 pixels."""
    top1: float | None
    """Published accuracy of its default weights in percent; None without weights."""


def nearest_models(design: AnyDesign, count: int = 5) -> list[PublishedNeighbour]:
    """The published models nearest to a design, the nearest first; all are counted with 1000 classes at 224 pixels."""
    found = []
    for name in list_models("regnet*"):
        model = model_info(name)
        if not model.weights:  # no ImageNet model: that of the package
            continue
        counts, stages, weights = complexity(model.design), model.design.fitted_stages(), model.published
        accuracy = weights.accuracy(weights.preprocessing) if weights else None
        found.append(
            PublishedNeighbour(
                model=name,
                distance=_distance(design, model.design),
                depth=sum(stage.depth for stage in stages),
                stage_widths=tuple(stage.width for stage in stages),
                num_params=counts.num_params,
                macs=counts.macs,
                activations=counts.activations,
                top1=accuracy.top1 if accuracy else None,
            )
        )
    return sorted(found, key=lambda neighbour: (neighbour.distance, neighbour.model))[:count]


def _distance(one: AnyDesign, other: AnyDesign) -> float:
    pairs = zip(_logarithms(one), _logarithms(other), strict=True)
    gaps = [abs(first - second) for first, second in pairs]
    counts, widths = gaps[:-PLACES], gaps[-PLACES:]
    return (sum(counts) + sum(widths) / PLACES) / (len(counts) + 1)


def _logarithms(design: AnyDesign) -> list[float]:
    """log2 of macs, parameters, activations and depth, and of the widths at `PLACES` relative depths."""
    counts, stages = complexity(design), design.fitted_stages()
    widths = [stage.width for stage in stages for _ in range(stage.depth)]
    places = (min(int((place + 0.5) / PLACES * len(widths)), len(widths) - 1) for place in range(PLACES))
    numbers = (counts.macs, counts.num_params, counts.activations, len(widths), *(widths[place] for place in places))
    return [math.log2(number) for number in numbers]
