"""A bare checkpoint file as a bundle: the shapes say which model it is of, the catalogue how it wants its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regnety.architecture.description import Architecture
from regnety.bundle.bundle import Bundle, stamp_of
from regnety.catalog.class_names import labels
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.graph.metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.files.arrays import shapes_of
from regnety.weights.files.safetensors_files import SafetensorsWeights


def read_checkpoint(path: Path) -> Bundle:
    """Read a `.safetensors` file with timm's keys; of the weights only names and shapes are read now.

    It has no labels, and the preprocessing of the default weights of the model that it fits; `notice` says both.

    Raises:
        WeightsError: the file is damaged, or fits none of the published models.
    """
    from regnety.weights.matching import match_shapes

    stamp = stamp_of(path)
    weights = SafetensorsWeights(path)
    match = match_shapes(shapes_of(weights), source=str(path))
    assumed = model_info(match.model or "regnety_002").published
    assert assumed is not None
    missing = "it brings no class names" if match.architecture.num_classes else "it has no classifier"
    return Bundle(
        _metadata(match.architecture, assumed.preprocessing),
        weights,
        name=str(path),
        path=path,
        stamp=stamp,
        notice=(
            f"{path} fits {match.model} by its shapes; the preprocessing of {assumed.name} is assumed, and {missing}"
        ),
    )


def read_published(published: PublishedWeights) -> Bundle:
    """Read the file of published weights that stands in the cache; its labels are those of what it was trained on.

    Raises:
        WeightsError: the file is damaged, or is of another model.
    """
    path = published.cache_path
    stamp = stamp_of(path)
    weights = SafetensorsWeights(path)
    architecture = model_info(published.name).design.architecture(published.num_classes)
    source = f"https://huggingface.co/{published.hub_repo}"
    provenance = {"license": published.license, "source": source, "url": published.url}
    metadata = _metadata(
        architecture,
        published.preprocessing,
        {field: value for field, value in provenance.items() if value is not None},
        labels=labels(published.label_set) if published.label_set else None,
    )
    return Bundle(metadata, weights, name=published.name, path=path, stamp=stamp)


def _metadata(
    architecture: Architecture,
    preprocessing: Preprocessing,
    provenance: Mapping[str, Any] | None = None,
    labels: tuple[str, ...] | None = None,
) -> ModelMetadata:
    return ModelMetadata(
        design=architecture.design,
        num_classes=architecture.num_classes,
        in_chans=architecture.in_chans,
        preprocessing=preprocessing.for_channels(architecture.in_chans),
        labels=labels,
        provenance=provenance or {},
    )
