"""All named models with their published weights, a row each: `model_table`."""

from dataclasses import asdict, dataclass
from typing import Any

from regnety.architecture.counting import complexity, weights_bytes
from regnety.architecture.description import Architecture
from regnety.bundle.bundle import Bundle
from regnety.catalog.aliases import our_name
from regnety.catalog.models import EMBEDDED_MODELS, embedded_bundle, how_to_find, list_models, model_info
from regnety.catalog.published import list_weights
from regnety.errors import UnknownModelError
from regnety.files.file_names import WEIGHTS_FILE
from regnety.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A named model with one set of its weights. Accuracies are ImageNet's; None where none is known."""

    name: str
    """`regnety_032.ra_in1k`."""
    model: str
    """`regnety_032`."""
    tag: str | None
    default: bool
    """Whether the plain name means these weights."""
    depth: int
    w0: float
    wa: float
    wm: float
    group_width: int
    num_classes: int
    num_params: int
    macs: int
    """Multiply-adds at `image_size`."""
    image_size: int
    """Input size in training, in pixels."""
    crop_pct: float
    weights_bytes: int
    """Size of the file; if it is not here, that of the weights in f32."""
    path: str
    """The file, or where it is looked for."""
    cached: bool
    """Whether the file is on this disk."""
    top1: float | None
    """In percent, at `image_size`."""
    top5: float | None
    test_image_size: int
    test_crop_pct: float
    test_top1: float | None
    test_top5: float | None
    license: str | None
    source: str | None
    """The page of the weights on the Hub, from which they are fetched."""
    url: str | None
    """Where their authors publish another file of them, if anywhere."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `regnety models --format json`."""
        return asdict(self)


def model_table(pattern: str = "*") -> list[ModelRow]:
    """The models that come with the package, and each set of published weights, in natural order.

    Args:
        pattern: a shell pattern for names, with or without a tag (`regnety_*`, `*.pycls_in1k`), or the name that
            torchvision or pycls gives a model (`regnet_y_3_2gf`).

    Returns:
        A row for each; the models that come with the package are first.

    Raises:
        UnknownModelError: nothing matches.
    """
    pattern = our_name(pattern)
    # First: they are here on every machine.
    rows = [_embedded_row(name) for name in EMBEDDED_MODELS if name in list_models([pattern])]
    rows += map(_published_row, list_weights(pattern))
    if not rows:
        raise UnknownModelError(f"no model matches {pattern!r}; {how_to_find(pattern)}")
    return rows


def _published_row(name: str) -> ModelRow:
    info = model_info(name)
    published = info.published
    assert published is not None
    preprocessing, test = published.preprocessing, published.preprocessing.at_test_size()
    accuracy, test_accuracy = published.accuracy(preprocessing), published.accuracy(test)
    facts = _facts(info.design.architecture(published.num_classes), preprocessing)
    if published.cached_file is not None:  # one in half precision is smaller than what the shapes say
        facts["weights_bytes"] = published.cached_file.stat().st_size
    return ModelRow(
        name=published.name,
        model=published.model,
        tag=published.tag,
        default=published.tag == info.default_tag,
        path=str(published.cached_file or published.cache_path),
        cached=published.cached_file is not None,
        top1=accuracy.top1 if accuracy else None,
        top5=accuracy.top5 if accuracy else None,
        test_top1=test_accuracy.top1 if test_accuracy else None,
        test_top5=test_accuracy.top5 if test_accuracy else None,
        license=published.license,
        source=f"https://huggingface.co/{published.hub_repo}",
        url=published.url,
        **facts,
    )


def _embedded_row(name: str) -> ModelRow:
    """Its accuracy is that on its own data, not ImageNet's: it is on the model's card instead."""
    bundle, weights = Bundle.load(name), embedded_bundle(name) / WEIGHTS_FILE
    return ModelRow(
        name=name,
        model=name,
        tag=None,
        default=True,
        path=str(weights),
        cached=True,
        top1=None,
        top5=None,
        test_top1=None,
        test_top5=None,
        license=bundle.provenance.get("license"),
        source=None,
        url=None,
        **_facts(bundle.architecture, bundle.preprocessing) | {"weights_bytes": weights.stat().st_size},
    )


def _facts(architecture: Architecture, preprocessing: Preprocessing) -> dict[str, Any]:
    design, work = architecture.design.as_dict(), complexity(architecture, preprocessing.image_size)
    test = preprocessing.at_test_size()
    return {
        **{field: design[field] for field in ("depth", "w0", "wa", "wm", "group_width")},
        "num_classes": architecture.num_classes,
        "num_params": work.num_params,
        "macs": work.macs,
        "image_size": preprocessing.image_size,
        "crop_pct": preprocessing.crop_pct,
        "test_image_size": test.image_size,
        "test_crop_pct": test.crop_pct,
        "weights_bytes": weights_bytes(architecture),
    }
