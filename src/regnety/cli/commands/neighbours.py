"""`regnety neighbours`."""

from typing import Any, TextIO

import click

from regnety.cli.options.images import from_option, named_images, silence_decoders
from regnety.cli.options.shared import (
    complete_model,
    engine_option,
    max_pixels_option,
    precision_option,
    quiet_option,
    recursive_option,
    state_dict_option,
    workers_option,
)
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import Listing, RowOutput, listing_of, print_table
from regnety.notices import say

COLUMNS = {"filename": "text", "rank": "integer", "neighbour": "text", "similarity": "real", "error": "text"}


@click.command()
@click.argument("embeddings", metavar="EMBEDDINGS", type=click.Path())
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=click.Path())
@from_option
@click.option("--top-k", type=click.IntRange(1), default=5, metavar="NUMBER", help="Neighbours shown for each image.")
@click.option(
    "--model",
    metavar="MODEL",
    help="Where the model that made EMBEDDINGS is now; by default where it was then.",
    shell_complete=complete_model,
)
@state_dict_option
@recursive_option
@row_output_options
@engine_option
@precision_option("f32")  # as in `embed`: cosines of two precisions are not quite comparable
@workers_option
@max_pixels_option
@quiet_option
def neighbours(
    embeddings: str,
    images: tuple[str, ...],
    lists: tuple[str, ...],
    top_k: int,
    model: str | None,
    state_dict: str | None,
    recursive: bool,
    output_format: RowFormat | None,
    output: str | None,
    engine: str,
    precision: str,
    workers: int | None,
    max_pixels: int,
    quiet: bool,
) -> int:
    """Find the photographs that are most similar to given ones.

    EMBEDDINGS is a file that `regnety embed` wrote. It names the model that embeds the given photographs; if that
    model has moved, --model says where it is now. Similarity is the cosine of two embeddings.

    Example:  regnety neighbours embeddings.parquet photo.jpg --top-k 3
    """
    from regnety.bundle.bundle import Bundle
    from regnety.inference.similarity.embedder import Embedder
    from regnety.inference.similarity.embedding_files import read_embeddings
    from regnety.inference.similarity.neighbours import find_neighbours

    if state_dict is not None and model is None:
        raise click.UsageError("--state-dict needs --model")
    silence_decoders()
    rows = RowOutput(output_format, output, quiet=quiet)
    # before a model is loaded: the file says which one
    stored = read_embeddings(embeddings)
    embedder = Embedder.like(
        stored.origin,
        None if model is None else Bundle.load(model, quiet=quiet, state_dict=state_dict),
        engine=engine,
        precision=precision,
        workers=workers,
        max_pixels=max_pixels,
    )
    sources = named_images(images, lists, recursive=recursive)
    # all are embedded before the file is searched, which is read once for all of them
    queries = list(embedder.stream(sources, on_error="record"))
    answers = find_neighbours(embedder.stacked(queries), stored, top_k)
    remaining = iter(answers)  # one for each query that could be read; the others have an error
    results = [
        {
            "filename": query.filename,
            "error": query.error,
            "neighbours": []
            if query.values is None
            else [{"filename": image.filename, "similarity": image.similarity} for image in next(remaining)],
        }
        for query in queries
    ]
    rows.write(_listing(results))
    failed = [query.error for query in queries if query.error is not None]
    # else they stand among the rows on stdout
    if rows.is_table or output is not None:
        for error in failed:
            say(error)
    return int(bool(failed))


def _listing(results: list[dict[str, Any]]) -> Listing:
    # an image without an answer is a row too, with its error
    nothing = dict.fromkeys(("rank", "neighbour", "similarity"))
    rows = [
        {"filename": result["filename"], "error": result["error"], **found}
        for result in results
        for found in [
            {"rank": rank, "neighbour": entry["filename"], "similarity": entry["similarity"]}
            for rank, entry in enumerate(result["neighbours"], start=1)
        ]
        or [nothing]
    ]
    return listing_of(rows, COLUMNS, lambda stream: _print_table(results, stream), lines=results)


def _print_table(results: list[dict[str, Any]], stream: TextIO) -> None:
    rows = [
        (
            result["filename"] if rank == 0 else "",
            entry["filename"],
            f"{entry['similarity']:.3f}",
        )
        for result in results
        for rank, entry in enumerate(result["neighbours"])
    ]
    if rows:
        print_table(("image", "neighbour", "similarity"), rows, right=("similarity",), stream=stream)
