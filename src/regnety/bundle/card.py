"""The README.md of a bundle: what the model is, where it comes from, and how to ask it."""

from collections.abc import Mapping

from regnety.architecture.counting import complexity
from regnety.catalog.models import list_models
from regnety.graph.metadata import ModelMetadata


def model_card(name: str, metadata: ModelMetadata) -> str:
    """Markdown with the front matter that the Hub reads."""
    preprocessing, design = metadata.preprocessing, metadata.design
    size = preprocessing.image_size
    counted = complexity(design.architecture(metadata.num_classes, metadata.in_chans), image_size=size)
    licence = metadata.provenance.get("license")
    parameters = ", ".join(f"{field}={value}" for field, value in design.as_dict().items() if field != "stages")
    lines = [
        "---",
        "library_name: regnety",
        "pipeline_tag: image-classification",
        *([f"license: {licence}"] if isinstance(licence, str) else []),
        "---",
        "",
        f"# {name}",
        "",
        f"An image classifier from the RegNet design space with {metadata.num_classes} classes.",
        "",
        "| | |",
        "| --- | --- |",
        f"| design | {parameters} |",
        f"| stages (width x depth) | {', '.join(f'{s.width}x{s.depth}' for s in design.fitted_stages())} |",
        f"| parameters | {counted.num_params:,} |",
        f"| multiply-adds at {size}x{size} | {counted.macs:,} |",
        f"| input | {size}x{size}, crop_pct {preprocessing.crop_pct:g}, {preprocessing.interpolation} |",
        *(f"| {field.replace('_', ' ')} | {_cell(value)} |" for field, value in metadata.provenance.items()),
        "",
        "```",
        f"regnety predict photo.jpg --model {name if name in list_models() else 'THIS_FOLDER'}",
        "```",
    ]
    if metadata.labels is not None and len(metadata.labels) <= 100:
        lines += ["", f"Classes: {', '.join(metadata.labels)}."]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{field} {_cell(item)}" for field, item in value.items())
    return str(value).replace("|", "\\|")
