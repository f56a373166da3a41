"""What the catalogue knows of published weights, as the metadata that travels with a model."""

from regnety.catalog.class_names import labels
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.metadata.model_metadata import ModelMetadata


def published_metadata(published: PublishedWeights) -> ModelMetadata:
    """Design, class names, preprocessing, licence and places of published weights, which need not be on this disk."""
    provenance = {
        "license": published.license,
        "source": f"https://huggingface.co/{published.hub_repo}",
        "url": published.url,
    }
    return ModelMetadata(
        design=model_info(published.model).design,
        num_classes=published.num_classes,
        in_chans=3,
        preprocessing=published.preprocessing,
        labels=labels(published.label_set) if published.label_set else None,
        provenance={name: value for name, value in provenance.items() if value is not None},
    )
