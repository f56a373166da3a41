"""`regnety embed`."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import click

from regnety.catalog.models import EMBEDDED_MODEL
from regnety.cli.formats import RowFormat, row_format
from regnety.cli.images import named_images, refuse_as_output, silence_decoders
from regnety.cli.notices import EngineNotice, say, say_notice
from regnety.cli.options import (
    check_sizes,
    crop_pct_option,
    draft_option,
    engine_option,
    exact_option,
    image_size_option,
    max_pixels_option,
    model_option,
    pixel_way,
    precision_option,
    quiet_option,
    test_size_option,
    workers_option,
)
from regnety.errors import RegNetYError

if TYPE_CHECKING:
    from regnety.images.sources import ImageSource
    from regnety.inference.embeddings import Embedding

SUFFIX = ".parquet"


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path())
@model_option
@click.option("--recursive", "-r", is_flag=True, help="Folders with their sub-folders.")
@click.option(
    "--output", "-o", required=True, type=click.Path(), metavar="FILE", help=f"A file or an address; {SUFFIX}."
)
@click.option("--resume", is_flag=True, help="Go on with what was interrupted: images with rows are not asked again.")
@engine_option
@precision_option("f32")
@workers_option
@exact_option
@draft_option
@click.option("--no-exif", is_flag=True, help="Do not turn photographs upright as their EXIF says.")
@max_pixels_option
@image_size_option
@crop_pct_option
@test_size_option
@quiet_option
def embed(
    images: tuple[str, ...],
    model: str | None,
    recursive: bool,
    output: str,
    resume: bool,
    engine: str,
    precision: str,
    workers: int | None,
    exact: bool,
    draft: bool,
    no_exif: bool,
    max_pixels: int,
    image_size: int | None,
    crop_pct: float | None,
    test_size: bool,
    quiet: bool,
) -> None:
    """Write the embeddings of photographs, which `neighbours` and `duplicates` read: files, folders, http(s) addresses.

    An embedding is what the model makes of a photograph before it names a class: its pooled features.

    Example:  regnety embed photos/ --recursive --output embeddings.parquet
    """
    if not output.lower().endswith(SUFFIX):
        raise RegNetYError(f"{output}: embeddings are written to Parquet; name it {SUFFIX}")
    row_format(RowFormat.parquet, output)
    check_sizes(image_size, test_size)
    way = pixel_way(exact, draft)
    from regnety.bundle.bundle import Bundle
    from regnety.cli.batch_job import run_batch_job
    from regnety.inference.embedding_files import EmbeddingRows, file_settings
    from regnety.inference.embeddings import Embedder

    silence_decoders()
    bundle = Bundle.load(EMBEDDED_MODEL if model is None else model, quiet=quiet)
    embedder = Embedder(
        bundle,
        engine=engine,
        precision=precision,
        workers=workers,
        pixels=way,
        exif_orientation=not no_exif,
        max_pixels=max_pixels,
        image_size=image_size,
        crop_pct=crop_pct,
        use_test_size=test_size,
    )
    sources = named_images(images, recursive=recursive)
    refuse_as_output(output, sources)
    if not quiet:
        if model is None:
            say(f"no --model named; {EMBEDDED_MODEL} embeds, which was trained on pictures of 32x32 pixels")
        say_notice(bundle)

    count, notice = len(sources), EngineNotice(embedder, quiet=quiet)

    def answer(waiting: "Iterator[ImageSource]") -> "Iterator[Embedding]":
        with closing(embedder.stream(waiting, on_error="record", count=count)) as embeddings:  # type: ignore[type-var]
            yield from embeddings

    def leave_out(earlier: int) -> None:
        nonlocal count
        count -= earlier

    summary = run_batch_job(
        sources,
        answer,
        EmbeddingRows(embedder.num_features),
        output,
        row_format=RowFormat.parquet.value,
        settings={**file_settings(embedder.origin), "max_pixels": max_pixels},
        about={"model": embedder.origin.model},
        facts=lambda: {} if embedder.engine is None else {"engine": notice.text()},
        resume=resume,
        quiet=quiet,
        description="embed",
        on_earlier=leave_out,
        on_record=lambda embedding: notice.say(answered=embedding.error is None),
    )
    if summary.unreadable:
        click.get_current_context().exit(1)
