"""The front matter of a model card, which the Hub reads: https://huggingface.co/docs/hub/model-cards."""

from typing import Any

from regnety.catalog.published import LICENCES, ImageNetAccuracy, PublishedWeights
from regnety.metadata.model_metadata import ModelMetadata


def front_matter(metadata: ModelMetadata, published: PublishedWeights | None) -> dict[str, Any]:
    """The fields of a card as plain values; those of published weights name their data and accuracy, too."""
    fields: dict[str, Any] = {
        "library_name": "regnety",
        "pipeline_tag": "image-classification" if metadata.num_classes else "image-feature-extraction",
    }
    licence = metadata.provenance.get("license")
    if isinstance(licence, str):
        fields |= _license(licence)
    if published is None:
        return fields
    fields["tags"] = ["regnet", published.model.partition("_")[0]]
    data = {"in1k": "imagenet-1k", "in12k": "imagenet-12k"}
    if datasets := [name for word, name in data.items() if word in published.tag.split("_")]:
        fields["datasets"] = datasets
    if published.imagenet:
        fields["model-index"] = [{"name": published.name, "results": [_result(row) for row in published.imagenet]}]
    return fields


def _license(name: str) -> dict[str, str]:
    link = LICENCES[name].link if name in LICENCES else None
    return {"license": "other", "license_name": name, "license_link": link} if link else {"license": name}


def _result(row: ImageNetAccuracy) -> dict[str, Any]:
    # The Hub distinguishes results by task and data set alone, so the size is in the data set's `config`.
    return {
        "task": {"type": "image-classification", "name": "Image Classification"},
        "dataset": {
            "type": "imagenet-1k",
            "name": "ImageNet",
            "config": f"image_size {row.image_size}, crop_pct {row.crop_pct:g}",
            "split": "validation",
        },
        "metrics": [
            {"type": "accuracy", "value": row.top1, "name": "Top 1 Accuracy"},
            {"type": "accuracy", "value": row.top5, "name": "Top 5 Accuracy"},
        ],
    }
