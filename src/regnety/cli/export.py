"""`regnety export`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regnety.export.exporting import Exported


class InputKind(StrEnum):
    """What an exported graph takes."""

    uint8 = "uint8"
    float = "float"


def export(
    model: Annotated[str, typer.Argument(help="A name, a bundle folder, an .onnx or an .xml file.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="NAME.onnx, NAME.xml (OpenVINO), or a folder.", metavar="PATH")
    ],
    input_kind: Annotated[
        InputKind, typer.Option("--input", help="uint8: pixels, normalised inside; float: normalised already.")
    ] = InputKind.uint8,
    image_size: Annotated[
        int | None, typer.Option(help="Height and width in pixels; the model's own if not given.")
    ] = None,
    outputs: Annotated[str, typer.Option(help="Any of stem,s1,s2,s3,s4,pre_logits,logits.", metavar="LIST")] = "logits",
    fp16: Annotated[bool, typer.Option("--fp16", help="Keep weights in float16: half the size.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No report.")] = False,
) -> None:
    """Write a model for others to run, checked against the model before it is kept.

    Example:  regnety export regnety_cifar10 -o model.onnx
    """
    from regnety.export.exporting import export_model

    exported = export_model(
        model,
        output,
        input=input_kind.value,
        image_size=image_size,
        outputs=[name.strip() for name in outputs.split(",")],
        fp16=fp16,
    )
    if not quiet:
        _print(exported)


def _print(exported: "Exported") -> None:
    for file in exported.files:
        print(f"{_size(file):>10}  {file}")
    sides = ("batch" if side is None else str(side) for side in exported.input_shape)
    print(f"input       images {exported.input_dtype} [{', '.join(sides)}]")
    for name, shape in exported.output_shapes.items():
        print(f"output      {name} float32 [{', '.join(('batch', *map(str, shape)))}]")
    print(
        f"difference  {exported.largest_difference:.1e} of the outputs' deviation at most, "
        f"from the model in float32 ({exported.engine})"
    )


def _size(file: Path) -> str:
    count = file.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
