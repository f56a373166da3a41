"""`regnety duplicates`."""

import csv
import json
import sys
from typing import TYPE_CHECKING

import click

from regnety.cli import terminal
from regnety.cli.formats import RowFormat, row_format_option
from regnety.cli.notices import say
from regnety.cli.options import quiet_option

if TYPE_CHECKING:
    from regnety.inference.neighbours import SimilarImage

CSV_FIELDS = ("group", "filename", "similarity")
THRESHOLD = 0.99
"""Of `inference.duplicates`, which is not imported for a help text."""


@click.command()
@click.argument("embeddings", metavar="EMBEDDINGS", type=click.Path())
@click.option(
    "--threshold",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=THRESHOLD,
    metavar="COSINE",
    help="Similarity from which on two images are nearly the same, above 0, at most 1.",
)
@row_format_option
@quiet_option
def duplicates(embeddings: str, threshold: float, output_format: RowFormat, quiet: bool) -> None:
    """Find photographs that are nearly the same, in a file that `regnety embed` wrote.

    Each group is listed with the similarity to its first image; what is linked through others is in the same group.

    Example:  regnety duplicates embeddings.parquet --threshold 0.995
    """
    from regnety.inference.duplicates import find_duplicates
    from regnety.inference.embedding_files import read_embeddings

    if threshold != threshold:
        raise click.BadParameter("nan is no similarity", param_hint="'--threshold'")
    stored = read_embeddings(embeddings)
    groups = find_duplicates(stored, threshold, quiet=quiet)
    _print(groups, output_format)
    if not quiet:
        say(_told(stored.num_images, groups, threshold))


def _told(num_images: int, groups: "list[tuple[SimilarImage, ...]]", threshold: float) -> str:
    if not groups:
        return f"{num_images} images, no two of them as similar as {threshold:g}"
    spare = sum(len(group) - 1 for group in groups)
    return f"{num_images} images, {len(groups)} group{'s' * (len(groups) > 1)}, {spare} of them to spare"


def _print(groups: "list[tuple[SimilarImage, ...]]", output_format: RowFormat) -> None:
    tables = [
        {
            "group": number,
            "images": [{"filename": image.filename, "similarity": image.similarity} for image in group],
        }
        for number, group in enumerate(groups, start=1)
    ]
    if output_format is RowFormat.json:
        print(json.dumps(tables, indent=2, ensure_ascii=False))
    elif output_format is RowFormat.jsonl:
        for table in tables:
            print(json.dumps(table, ensure_ascii=False))
    elif output_format is RowFormat.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(CSV_FIELDS)
        for number, group in enumerate(groups, start=1):
            writer.writerows([number, image.filename, image.similarity] for image in group)
    elif groups:
        from regnety.cli.tables import print_table

        rows = [
            (str(number) if place == 0 else "", terminal.printable(image.filename), f"{image.similarity:.4f}")
            for number, group in enumerate(groups, start=1)
            for place, image in enumerate(group)
        ]
        print_table(("group", "image", "similarity"), rows, right=("group", "similarity"))
