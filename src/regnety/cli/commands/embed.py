"""`regnety embed`."""

from functools import partial
from typing import TYPE_CHECKING

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.options.images import from_option, named_images, refuse_as_output, silence_decoders
from regnety.cli.options.run import run_options
from regnety.cli.options.shared import model_option, quiet_option, recursive_option, resume_option, state_dict_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.formats import RowFormat, row_format
from regnety.cli.output.notices import say_notice
from regnety.notices import say

if TYPE_CHECKING:
    from regnety.inference.options import RunFields

SUFFIX = ".parquet"  # no other format has both vectors and metadata, which name their model


@click.command()
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=click.Path())
@from_option
@model_option
@state_dict_option
@recursive_option
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help=f"A {SUFFIX} file to write; an address works too.",
)
@resume_option
@run_options("f32")  # a file of embeddings is kept and compared with others; bf16 would round them
@quiet_option
def embed(
    images: tuple[str, ...],
    lists: tuple[str, ...],
    model: str | None,
    state_dict: str | None,
    recursive: bool,
    output: str,
    resume: bool,
    how: "RunFields",
    quiet: bool,
) -> int:
    """Write embeddings of photographs, to find similar ones.

    IMAGE is a file, a folder or an address. `neighbours` and `duplicates` read what this writes.

    An embedding is the model's pooled features, before the classifier. For photographs use a model trained on
    ImageNet, such as --model regnety_040; the default model was trained on pictures of 64x64 pixels.

    Example:  regnety embed photos/ --recursive --output embeddings.parquet
    """
    if not output.lower().endswith(SUFFIX):
        raise click.UsageError(f"{output}: embeddings are stored as Parquet; name it {SUFFIX}")
    row_format(RowFormat.parquet, output)  # refuses a folder that does not exist
    # claimed before the slow imports: a second process that was started by mistake ends at once
    place = claim(output, resume=resume, check=lambda: refuse_as_output(output, [*images, *lists]))
    from regnety.bundle.bundle import Bundle
    from regnety.cli.batch_job import run_batch_job
    from regnety.inference.similarity.embedder import Embedder
    from regnety.inference.similarity.embedding_files import write_embeddings

    silence_decoders()
    bundle = Bundle.load(DEFAULT_MODEL if model is None else model, quiet=quiet, state_dict=state_dict)
    embedder = Embedder(bundle, **how)
    sources = named_images(images, lists, recursive=recursive)
    if not quiet:
        if model is None:
            size = bundle.preprocessing.image_size
            said = f"no --model given; using {DEFAULT_MODEL}, which was trained on pictures of {size}x{size} pixels"
            say(f"{said}; for photographs use --model regnety_040")
        say_notice(bundle)
    say_replaced(place, quiet=quiet)
    write = partial(write_embeddings, place, embedder, sources, resume=resume)
    return int(run_batch_job(write, embedder, place.name, description="embed", total=len(sources), quiet=quiet))
