"""`regnety convert`."""

import click

from regnety.cli.options.shared import labels_option, model_argument, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.notices import say_notice
from regnety.export import TARGETS
from regnety.notices import say
from regnety.text import printable


@click.command()
@model_argument
@click.argument("place", metavar="", required=False)  # the earlier way to name the output, still accepted
@click.option(
    "--output", "-o", metavar="PATH", help="NAME.safetensors, NAME.pth (.pyth, .torch), NAME.onnx, or a folder."
)
@click.option("--to", required=True, type=click.Choice(TARGETS), help="Library whose names and file format to write.")
@click.option("--overwrite", is_flag=True, hidden=True, expose_value=False, help="Accepted; it is the default.")
@labels_option
@state_dict_option
@quiet_option
def convert(
    model: str,
    place: str | None,
    output: str | None,
    to: str,
    labels: str | None,
    state_dict: str | None,
    quiet: bool,
) -> None:
    """Write weights in another library's format.

    MODEL is a name, a folder, or a checkpoint of any library. regnety, timm and transformers read a folder. What is
    written is compared with its source before it is kept.

    Example:  regnety convert regnety_cifar10 -o cifar10.pyth --to pycls
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import with_found_labels
    from regnety.export.conversion import convert_model
    from regnety.export.targets import check_conversion_target, check_not_its_source

    if (place is None) == (output is None):
        raise click.UsageError("name one place to write to: --output PATH")
    output = output or place
    assert output is not None  # for mypy
    is_folder = check_conversion_target(output, to) == "folder"
    claimed = claim(output, is_folder=is_folder, check=lambda: check_conversion_target(output, to))  # before a download
    bundle = Bundle.load(model, quiet=quiet, state_dict=state_dict)
    if labels is not None:
        bundle = with_found_labels(bundle, labels)
    # only now: the loaded model knows which files it was read from
    check_not_its_source(output, bundle)
    say_replaced(claimed, quiet=quiet)
    converted = convert_model(bundle, output, to=to)
    if not quiet:
        say_notice(bundle)
        if bundle.labels is not None and not converted.keeps_metadata:
            say(f"{converted.path} holds weights alone, without labels and preprocessing; a folder keeps them")
        for file in converted.files:
            print(printable(f"{file.stat().st_size / 1e6:>9.1f} MB  {file}"))
