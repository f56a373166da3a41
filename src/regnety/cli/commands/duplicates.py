"""`regnety duplicates`."""

from typing import TYPE_CHECKING, TextIO

import click

from regnety.cli.options.shared import quiet_option
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import Listing, RowOutput, listing_of, print_table
from regnety.inference.similarity import THRESHOLD
from regnety.notices import say
from regnety.text import counted

if TYPE_CHECKING:
    from regnety.inference.similarity.neighbours import SimilarImage

COLUMNS = {"group": "integer", "filename": "text", "similarity": "real"}


@click.command()
@click.argument("embeddings", metavar="EMBEDDINGS", type=click.Path())
@click.option(
    "--threshold",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=THRESHOLD,
    metavar="COSINE",
    help="Smallest similarity that counts as nearly the same.",
)
@row_output_options
@quiet_option
def duplicates(
    embeddings: str, threshold: float, output_format: RowFormat | None, output: str | None, quiet: bool
) -> None:
    """Find photographs that are nearly the same.

    EMBEDDINGS is a file that `regnety embed` wrote. Photographs that are linked through others share a group; each
    is listed with its similarity to the first of its group.

    Example:  regnety duplicates embeddings.parquet --threshold 0.995
    """
    from regnety.inference.similarity.duplicates import find_duplicates
    from regnety.inference.similarity.embedding_files import read_embeddings

    if threshold != threshold:  # nan: click's range takes it, as no comparison with it is true
        raise click.BadParameter("nan is not a similarity", param_hint="'--threshold'")
    rows = RowOutput(output_format, output, quiet=quiet)
    stored = read_embeddings(embeddings)
    groups = find_duplicates(stored, threshold, quiet=quiet)
    rows.write(_listing(groups))
    if not quiet:
        say(_summary(stored.num_images, groups, threshold))


def _summary(num_images: int, groups: "list[tuple[SimilarImage, ...]]", threshold: float) -> str:
    if not groups:
        return f"{counted(num_images, 'image')}, no two of them similar at {threshold:g}"
    spare = sum(len(group) - 1 for group in groups)
    return f"{counted(num_images, 'image')}, {counted(len(groups), 'group')}, {spare} redundant"


def _listing(groups: "list[tuple[SimilarImage, ...]]") -> Listing:
    # in JSON a group is one line with its images, in CSV a row for each image
    lines = [
        {
            "group": number,
            "images": [{"filename": image.filename, "similarity": image.similarity} for image in group],
        }
        for number, group in enumerate(groups, start=1)
    ]
    rows = [{"group": line["group"], **image} for line in lines for image in line["images"]]  # type: ignore[attr-defined]
    return listing_of(rows, COLUMNS, lambda stream: _print_table(groups, stream), lines=lines)


def _print_table(groups: "list[tuple[SimilarImage, ...]]", stream: TextIO) -> None:
    rows = [
        # the number stands once, so that groups can be told apart at a glance
        (str(number) if place == 0 else "", image.filename, f"{image.similarity:.4f}")
        for number, group in enumerate(groups, start=1)
        for place, image in enumerate(group)
    ]
    if rows:
        print_table(("group", "image", "similarity"), rows, right=("group", "similarity"), stream=stream)
