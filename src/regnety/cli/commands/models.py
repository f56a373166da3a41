"""`regnety models`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.output import terminal
from regnety.cli.output.formats import RowFormat
from regnety.cli.output.rows import RowOutput, listing_of, row_output_options
from regnety.errors import UnknownModelError

if TYPE_CHECKING:
    from regnety.architecture.description import Architecture
    from regnety.preprocessing import Preprocessing


@click.command()
@click.argument("pattern", default="*", metavar="[PATTERN]")
@row_output_options
def models(pattern: str, output_format: RowFormat | None, output: str | None) -> None:
    """List models and their published weights.

    PATTERN is a shell pattern for names, with or without a tag: 'regnety_*', '*.pycls_in1k'; or the name that
    torchvision or pycls gives a model: regnet_y_3_2gf, RegNetY-3.2GF.

    Example:  regnety models 'regnety_0*'
    """
    from regnety.catalog.aliases import our_name
    from regnety.catalog.models import how_to_find, list_models
    from regnety.catalog.published import list_weights

    written = RowOutput(output_format, output)
    pattern = our_name(pattern)
    rows = [_published_row(name) for name in list_weights(pattern)]
    if EMBEDDED_MODEL in list_models([pattern]):
        rows.insert(0, _embedded_row())
    if not rows:
        raise UnknownModelError(f"no model matches {pattern!r}; {how_to_find(pattern)}")
    written.write(listing_of(rows, KINDS, lambda stream: _print_table(rows, stream)))


def _published_row(name: str) -> dict[str, Any]:
    from regnety.catalog.models import model_info

    info = model_info(name)
    published = info.published
    assert published is not None
    preprocessing, test = published.preprocessing, published.preprocessing.at_test_size()
    accuracy = published.accuracy(preprocessing)
    test_accuracy = published.accuracy(test)
    return {
        "name": published.name,
        "model": published.model,
        "tag": published.tag,
        "default": published.tag == info.default_tag,
        **_size_and_work(info.design.architecture(published.num_classes), preprocessing),
        **_place(published.cached_file, published.cache_path),
        "top1": accuracy and accuracy.top1,
        "top5": accuracy and accuracy.top5,
        "test_image_size": test.image_size,
        "test_crop_pct": test.crop_pct,
        "test_top1": test_accuracy and test_accuracy.top1,
        "test_top5": test_accuracy and test_accuracy.top5,
        "license": published.license,
        "source": f"https://huggingface.co/{published.hub_repo}",
    }


def _embedded_row() -> dict[str, Any]:
    """The model that comes with the package; its accuracy is not ImageNet's, and stands on its card."""
    from regnety.bundle.bundle import Bundle
    from regnety.catalog.models import embedded_bundle
    from regnety.files.file_names import WEIGHTS_FILE

    bundle, weights = Bundle.load(EMBEDDED_MODEL), embedded_bundle() / WEIGHTS_FILE
    return {
        "name": EMBEDDED_MODEL,
        "model": EMBEDDED_MODEL,
        "tag": None,
        "default": True,
        **_size_and_work(bundle.architecture, bundle.preprocessing),
        **_place(weights, weights),
        "top1": None,
        "top5": None,
        "test_image_size": bundle.preprocessing.image_size,
        "test_crop_pct": bundle.preprocessing.crop_pct,
        "test_top1": None,
        "test_top5": None,
        "license": bundle.provenance.get("license"),
        "source": None,
    }


def _size_and_work(architecture: "Architecture", preprocessing: "Preprocessing") -> dict[str, Any]:
    from regnety.architecture.counting import complexity, weights_bytes

    design = architecture.design.as_dict()
    counted = complexity(architecture, preprocessing.image_size)
    return {
        **{field: design[field] for field in ("depth", "w0", "wa", "wm", "group_width")},
        "num_classes": architecture.num_classes,
        "num_params": counted.num_params,
        "macs": counted.macs,
        "image_size": preprocessing.image_size,
        "crop_pct": preprocessing.crop_pct,
        "weights_bytes": weights_bytes(architecture),
    }


def _place(here: Path | None, path: Path) -> dict[str, Any]:
    """The file on this disk and its own size, or where one is looked for."""
    if here is None:
        return {"path": str(path), "cached": False}
    return {"weights_bytes": here.stat().st_size, "path": str(here), "cached": True}


KINDS = {
    "name": "text",
    "model": "text",
    "tag": "text",
    "default": "flag",
    "depth": "integer",
    "w0": "real",
    "wa": "real",
    "wm": "real",
    "group_width": "integer",
    "num_classes": "integer",
    "num_params": "count",
    "macs": "count",
    "image_size": "integer",
    "crop_pct": "real",
    "weights_bytes": "count",
    "path": "text",
    "cached": "flag",
    "top1": "real",
    "top5": "real",
    "test_image_size": "integer",
    "test_crop_pct": "real",
    "test_top1": "real",
    "test_top5": "real",
    "license": "text",
    "source": "text",
}
"""The columns of CSV and Parquet."""
COLUMNS = {"name": 32, "top1": 10, "params": 8, "macs": 7, "here": 4, "licence": 12, "at test": 10, "on disk": 8}
"""Their widths, those first that a narrow window keeps longest."""
ORDER = ("name", "params", "on disk", "macs", "top1", "at test", "licence", "here")


def _print_table(rows: list[dict[str, Any]], stream: TextIO) -> None:
    """A heading for each design, under it a row for each of its weights; at most 100 columns."""
    columns = _columns_that_fit(terminal.width() if stream is sys.stdout else None)
    print(_line({column: column for column in columns}), file=stream)
    heading = None
    for row in rows:
        if row["model"] != heading:
            heading = row["model"]
            fields = ", ".join(f"{field}={row[field]}" for field in ("depth", "w0", "wa", "wm", "group_width"))
            print(f"{heading}: {fields}", file=stream)
        cells = {
            "name": f"  {row['name']}{' *' if row['default'] and row['tag'] else ''}",
            "params": f"{row['num_params'] / 1e6:.1f} M",
            "on disk": f"{row['weights_bytes'] / 1e6:,.0f} MB",
            "macs": f"{row['macs'] / 1e9:.3g} G",
            "top1": _at_size(row["top1"], row["image_size"]),
            "at test": _at_size(row["test_top1"], row["test_image_size"]) if row["test_top1"] != row["top1"] else "",
            "licence": row["license"] or "",
            "here": "yes" if row["cached"] else "no",
        }
        print(_line({column: cells[column] for column in columns}), file=stream)
    print("\n* is what the plain name means; top1 in percent, on ImageNet, at the size in pixels", file=stream)


def _columns_that_fit(width: int | None) -> list[str]:
    """As many columns as a window has room for, in the order in which they are shown; a pipe gets all."""
    kept: list[str] = []
    used = 0
    for column, size in COLUMNS.items():
        used += size + 1
        if width is None or used <= width or not kept:
            kept.append(column)
    return [column for column in ORDER if column in kept]


def _line(cells: dict[str, str]) -> str:
    texts = [
        f"{text:<{COLUMNS[column]}}" if column in ("name", "licence", "here") else f"{text:>{COLUMNS[column]}}"
        for column, text in cells.items()
    ]
    return " ".join(texts).rstrip()


def _at_size(top1: float | None, image_size: int) -> str:
    return "" if top1 is None else f"{top1:.2f} @{image_size}"
