"""`regnety explain`."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.catalog.models import DEFAULT_MODEL
from regnety.cli.options.images import named_images, refuse_as_output, silence_decoders
from regnety.cli.options.run import run_options
from regnety.cli.options.shared import labels_option, model_option, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.formats import ReportFormat, report_format_option
from regnety.cli.output.notices import say_notice
from regnety.notices import say

if TYPE_CHECKING:
    from regnety.inference.explanation import ClassMap
    from regnety.inference.options import RunFields

SUFFIXES = (".png", ".npy")


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path())
@model_option
@state_dict_option
@click.option(
    "--label",
    metavar="CLASS",
    help="Explain this class, by its name or index; by default the model's answer.",
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="Write the picture here as .png, or the map alone as a NumPy array, .npy.",
)
@report_format_option
@run_options("f32")
@labels_option
@quiet_option
def explain(
    image: str,
    model: str | None,
    state_dict: str | None,
    label: str | None,
    output: str,
    output_format: ReportFormat,
    how: "RunFields",
    labels: str | None,
    quiet: bool,
) -> int:
    """Show where in a photograph an answer comes from.

    The picture is the crop that the model saw, with the places in colour that speak for the class: the brighter, the
    more. The places are those of the model's last feature map, often 7x7. --format json has the map's numbers too.

    Example:  regnety explain photo.jpg -o why.png
    """
    if not output.lower().endswith(SUFFIXES):
        raise click.UsageError(f"{output}: name it .png, or .npy for the numbers alone")
    # claimed before the slow imports, as a photograph must not be lost to a mistyped line
    place = claim(output, check=lambda: _refuse_as_overlay(output, image))
    from regnety.bundle.bundle import Bundle
    from regnety.inference.explanation import explain as explain_image

    silence_decoders()
    bundle = Bundle.load(DEFAULT_MODEL if model is None else model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        from regnety.bundle.label_files import with_found_labels

        bundle = with_found_labels(bundle, labels)
    say_notice(bundle, quiet=quiet)
    sources = list(named_images([image], recursive=False, stdin=True))
    if len(sources) != 1:
        raise click.UsageError(f"{image}: has {len(sources)} images; name one of them")
    found = explain_image(bundle, sources[0], label, **how)
    say_replaced(place, quiet=quiet)
    with place.output() as file:
        file.write(_array_of(found) if output.lower().endswith(".npy") else found.png())
    _print(found, output_format)
    if not quiet:
        say(f"wrote {output}")
    return 0


def _refuse_as_overlay(output: str, image: str) -> None:
    """As `refuse_as_output`; but a picture that this command wrote earlier may be written again."""
    from regnety.inference.overlay import OVERLAY_HEAD, is_overlay

    is_the_image = os.path.exists(image) and os.path.isfile(output) and os.path.samefile(output, image)
    if not is_the_image and os.path.isfile(output):
        with Path(output).open("rb") as file:
            if is_overlay(file.read(OVERLAY_HEAD)):
                return
    refuse_as_output(output, [image])


def _array_of(found: "ClassMap") -> bytes:
    import io

    import numpy as np

    file = io.BytesIO()
    np.save(file, found.values, allow_pickle=False)
    return file.getvalue()


def _print(found: "ClassMap", output_format: ReportFormat) -> None:
    if output_format is ReportFormat.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    from regnety.cli.output.predictions import TableWriter
    from regnety.inference.predictor import ClassProbability, Prediction

    answer = ClassProbability(found.index, found.label, found.prob)
    writer = TableWriter(sys.stdout, [found.filename or ""], None if found.label is None else [found.label])
    writer.write(Prediction(found.filename, None, (answer,)))
