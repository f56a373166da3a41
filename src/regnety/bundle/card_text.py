"""The text of a model card: what the model is, where it comes from, how good it is, how to run it, what to cite."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from regnety.architecture.counting import complexity
from regnety.bundle.model import Model
from regnety.catalog.addresses import HUB, split_address
from regnety.catalog.model_page import CITATION, PageEntry
from regnety.catalog.models import is_name
from regnety.catalog.published import LICENCES, ImageNetAccuracy, PublishedWeights
from regnety.files.file_names import RUN_FILES
from regnety.metadata.calibration import Calibration
from regnety.metadata.model_metadata import ModelMetadata
from regnety.text import counted, one_line, printable


def card_text(
    metadata: ModelMetadata,
    *,
    title: str,
    model: str = "THIS_FOLDER",
    published: PublishedWeights | None = None,
    page: PageEntry | None = None,
    notice: str | None = None,
) -> str:
    """The parts of a card, in their order.

    Args:
        metadata: of the model.
        title: what the model is called.
        model: MODEL of the command line, in the examples.
        published: what the catalogue knows of its weights.
        page: what the model page says about it.
        notice: what was assumed.
    """
    parts = [
        f"---\n{_yaml(_front_matter(metadata, published))}---",
        f"# {title}",
        _introduction(model, metadata, published),
        _facts(metadata),
        *_restriction(metadata.provenance.get("license")),
        *([_quantization(metadata.calibration)] if metadata.calibration else ()),
        *([f"{printable(one_line(notice))}."] if notice else ()),
        *([_accuracy(published)] if published and published.imagenet else ()),
        _usage(model, metadata),
        *([_page_section(page)] if page else ()),
        f"## Citation\n\n```bibtex\n{CITATION}```",
        # In a comment, as on the model page: its text is for programs.
        *([f"<!--\n{_yaml(page.model_index())}-->"] if page else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(metadata: ModelMetadata, published: PublishedWeights | None) -> dict[str, Any]:
    """What the Hub reads: https://huggingface.co/docs/hub/model-cards. Published weights name their accuracy."""
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


def title_of(model: Model) -> str:
    """What a card calls a model: its name, or that of its file or folder; the bundle of a run is called as the run."""
    if model.path is None or model.name != str(model.path):
        return printable(one_line(model.name))
    place = model.path.resolve()
    # Each run has its model in RUN/bundle, so the folder's own name says nothing.
    is_of_run = place.name == "bundle" and any((place.parent / name).is_file() for name in RUN_FILES)
    return printable(one_line(place.parent.name if is_of_run else place.name))


def _introduction(model: str, metadata: ModelMetadata, published: PublishedWeights | None) -> str:
    if metadata.num_classes:
        classes = counted(metadata.num_classes, "class", "classes")
        text = f"A RegNet image classifier with {classes}."
    else:
        text = "A RegNet without a classifier, for image features."
    return f"{text} The plain name {model} means these weights." if published and model == published.model else text


def _restriction(licence: object) -> list[str]:
    restriction = LICENCES[licence].restriction if isinstance(licence, str) and licence in LICENCES else None
    return [f"**Non-commercial use only.** The licence of these weights is {restriction}."] if restriction else []


def _facts(metadata: ModelMetadata) -> str:
    preprocessing, design = metadata.preprocessing, metadata.design
    size, test = preprocessing.image_size, preprocessing.at_test_size()
    work = complexity(design.architecture(metadata.num_classes, metadata.in_chans), image_size=size)
    fed = f"{size}x{size}, crop_pct {preprocessing.crop_pct:g}, {preprocessing.interpolation}"
    if test != preprocessing:
        fed += f"; best at {test.image_size}x{test.image_size}, crop_pct {test.crop_pct:g}"
    rows = {
        "design": ", ".join(f"{field}={value}" for field, value in design.as_dict().items() if field != "stages"),
        "stages (width x depth)": ", ".join(f"{stage.width}x{stage.depth}" for stage in design.fitted_stages()),
        "parameters": f"{work.num_params:,}",
        f"multiply-adds at {size}x{size}": f"{work.macs:,}",
        "input": fed,
    }
    table = _table(("", ""), [*rows.items(), *((f.replace("_", " "), v) for f, v in metadata.provenance.items())])
    if metadata.labels is not None and len(metadata.labels) <= 100:  # ImageNet's thousand would bury the rest
        table += f"\n\nClasses: {', '.join(metadata.labels)}."
    return table


def _quantization(calibration: Calibration) -> str:
    images = counted(calibration.num_images, "image")
    text = (
        "## int8\n\nThis model is quantized: `model.onnx` computes in int8, and there are no float weights. "
        f"It was calibrated on {images} ({calibration.method}, NNCF {calibration.version}). "
        "Accuracies in the table above are those of the float model that it was made from."
    )
    measured = calibration.measured
    if measured is None:
        return text
    row = (measured.count, f"{measured.top1_float:.2f}", f"{measured.top1_int8:.2f}", f"{measured.drop:.2f}")
    return f"{text}\n\n{_table(('images', 'top1 in float', 'top1 in int8', 'points lost'), [row])}"


def _accuracy(published: PublishedWeights) -> str:
    rows = [(row.image_size, f"{row.crop_pct:g}", row.top1, row.top5) for row in published.imagenet]
    return "## Accuracy\n\nOn the 50,000 ImageNet validation images, in percent, as measured by timm:\n\n" + _table(
        ("image_size", "crop_pct", "top1", "top5"), rows
    )


def _usage(model: str, metadata: ModelMetadata) -> str:
    quoted = json.dumps(model, ensure_ascii=False)
    # timm's rule: a name alone means random weights, while a folder or file means its own.
    pretrained = ", pretrained=True" if is_name(model) or split_address(model)[0] == HUB else ""
    answer = "index" if metadata.labels is None else "label"
    ask = f"""\
```
regnety predict photo.jpg --model {shlex.quote(model)}
```

```python
import regnety

(prediction,) = regnety.Predictor({quoted}).predict("photo.jpg")
for answer in prediction.predictions:
    print(answer.{answer}, answer.prob)
```

"""
    build = f"""\
As a torch module, with its transform:

```python
import regnety

model = regnety.create_model({quoted}{pretrained}).eval()
transform = regnety.create_transform(**regnety.resolve_data_config({{}}, model=model))
```"""
    if metadata.is_quantized:  # there are no weights for a torch module
        return f"## Use\n\n{ask.rstrip()}"
    return f"## Use\n\n{ask if metadata.num_classes else ''}{build}"


def _page_section(page: PageEntry) -> str:
    rows = {
        **page.metadata,
        "Code": page.code,
        "Weights": page.weights,
        "Top 1 Accuracy": f"{page.top1:g}%",
        "Top 5 Accuracy": f"{page.top5:g}%",
    }
    remarks = "\n".join(f"- {remark}" for remark in page.remarks)
    return f"## From the model page\n\n{_table(('', ''), list(rows.items()))}\n\nRemarks:\n\n{remarks}"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *(tuple(_cell(value) for value in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{field} {_cell(item)}" for field, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    # A line break or a bare | would end the cell.
    return one_line(value).replace("|", "\\|")


def _yaml(values: dict[str, Any]) -> str:
    import yaml  # slow to import, and only cards need it

    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000))
