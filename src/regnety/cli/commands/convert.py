"""`regnety convert`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from regnety.cli.options.shared import complete_model, labels_option, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.notices import say, say_notice
from regnety.text import printable

if TYPE_CHECKING:
    from regnety.export.conversion_targets import Target

TARGETS = ("regnety", "timm", "pycls", "torchvision", "transformers", "vissl", "onnx")


@click.command()
@click.argument("model", metavar="IN", shell_complete=complete_model)
@click.argument("output", metavar="OUT")
@click.option("--to", required=True, type=click.Choice(TARGETS), help="Whose names and file it is to have.")
@click.option("--overwrite", is_flag=True, hidden=True, expose_value=False, help="Accepted, and done anyway.")
@labels_option
@state_dict_option
@quiet_option
def convert(model: str, output: str, to: "Target", labels: str | None, state_dict: str | None, quiet: bool) -> None:
    """Write a model's weights as another code base keeps them, compared with their source before they are kept.

    IN is any model: a name, a folder, a checkpoint of any dialect. OUT is NAME.safetensors, a file of torch (.pth,
    .pyth, .torch), NAME.onnx, or a folder for regnety, timm and transformers.

    Example:  regnety convert regnety_cifar10 cifar10.pyth --to pycls
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import find_labels
    from regnety.export.conversion import convert_model
    from regnety.export.conversion_targets import check_not_its_source, check_target

    is_folder = check_target(output, to) == "folder"
    place = claim(output, is_folder=is_folder, check=lambda: check_target(output, to))  # before anything is fetched
    bundle = Bundle.load(model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        bundle = bundle.with_labels(find_labels(labels))
    check_not_its_source(Path(output), bundle)
    say_replaced(place, quiet=quiet)
    converted = convert_model(bundle, output, to=to)
    if not quiet:
        say_notice(bundle)
        if bundle.labels is not None and not converted.keeps_metadata:
            say(f"{converted.path} holds weights alone; labels and preprocessing stay behind (a folder keeps them)")
        for file in converted.files:
            print(printable(f"{file.stat().st_size / 1e6:>9.1f} MB  {file}"))
