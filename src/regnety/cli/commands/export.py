"""`regnety export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from regnety.cli.options.run import preprocessing_options
from regnety.cli.options.shared import (
    PrecisionType,
    labels_option,
    model_argument,
    quiet_option,
    state_dict_option,
)
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.notices import say_notice
from regnety.text import printable

if TYPE_CHECKING:
    from regnety.export.comparison import Exported


@click.command()
@model_argument
@state_dict_option
@click.option("--output", "-o", required=True, metavar="PATH", help="NAME.onnx, NAME.xml (OpenVINO), or a folder.")
@click.option(
    "--input",
    "input_kind",
    type=click.Choice(["uint8", "float"]),
    default="uint8",
    help="uint8: the graph normalises pixels; float: they come normalised.",
)
@preprocessing_options(test_size=False)
@click.option(
    "--outputs",
    metavar="NAME,...",
    default="logits",
    help="One or more of stem, s1, s2, s3, s4, pre_logits, logits.",
)
@click.option(
    "--precision",
    type=PrecisionType(["f32", "f16"]),
    default="f32",
    help="Precision of the weights; f16 halves the file, computing stays f32.",
)
@click.option("--fp16", is_flag=True, hidden=True)  # the earlier spelling, still accepted
@labels_option
@quiet_option
def export(
    model: str,
    state_dict: str | None,
    output: str,
    input_kind: Literal["uint8", "float"],
    preprocessing: dict[str, Any],
    outputs: str,
    precision: Literal["f32", "f16"],
    fp16: bool,
    labels: str | None,
    quiet: bool,
) -> None:
    """Write an ONNX or OpenVINO model that runs without regnety.

    The file's outputs are compared with the model's before it is kept.

    Example:  regnety export regnety_cifar10 -o model.onnx
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import with_found_labels
    from regnety.export.model_export import export_model
    from regnety.export.targets import check_export_target, check_not_its_source

    # asked before the model is loaded, which may be a download
    is_folder = check_export_target(output) == "folder"
    place = claim(output, is_folder=is_folder, check=lambda: check_export_target(output))
    bundle = Bundle.load(model, quiet=quiet, state_dict=state_dict)
    # only now: the loaded model knows which files it was read from
    check_not_its_source(output, bundle)
    say_notice(bundle, quiet=quiet)
    say_replaced(place, quiet=quiet)
    exported = export_model(
        bundle if labels is None else with_found_labels(bundle, labels),
        output,
        input=input_kind,
        outputs=[name.strip() for name in outputs.split(",")],  # many write a space after a comma
        precision=precision,
        fp16=fp16,
        **preprocessing,
    )
    if not quiet:
        _print(exported)


def _print(exported: "Exported") -> None:
    for file in exported.files:
        print(printable(f"{_size(file):>10}  {file}"))
    sides = ("batch" if side is None else str(side) for side in exported.input_shape)
    print(f"input       images {exported.input_dtype} [{', '.join(sides)}]")
    for name, shape in exported.output_shapes.items():
        print(f"output      {name} float32 [{', '.join(('batch', *map(str, shape)))}]")
    print(
        f"difference  {exported.largest_difference:.1e} of the outputs' deviation at most, "
        f"from the model in {exported.precision} ({exported.engine})"
    )


def _size(file: Path) -> str:
    count = file.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
