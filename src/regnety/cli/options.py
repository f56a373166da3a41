"""Options that mean the same in every command that has them."""

from enum import StrEnum
from typing import Annotated

import typer


class EngineName(StrEnum):
    """What runs a model."""

    auto = "auto"
    onnxruntime = "onnxruntime"
    openvino = "openvino"
    torch = "torch"


class PrecisionName(StrEnum):
    """What it computes in."""

    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"


def _model_names(incomplete: str) -> list[str]:
    from regnety.catalog.models import list_models

    return [name for name in list_models() if name.startswith(incomplete)]


ModelOption = Annotated[
    str | None,
    typer.Option(
        help="A name, a bundle folder, or a .safetensors or .onnx file.", autocompletion=_model_names, metavar="MODEL"
    ),
]
EngineOption = Annotated[EngineName, typer.Option(help="What runs the model.")]
PrecisionOption = Annotated[PrecisionName, typer.Option(help="What it computes in; bf16 where the processor has it.")]
ImageSizeOption = Annotated[
    int | None, typer.Option(min=1, max=8192, help="Height and width that the model is shown, in pixels.")
]
CropPctOption = Annotated[
    float | None, typer.Option(min=0.01, max=1.0, help="Share of the shorter side that the crop keeps.")
]
TestSizeOption = Annotated[
    bool, typer.Option("--test-size", help="The larger size at which the model is best, where it has one.")
]
MaxPixelsOption = Annotated[
    int, typer.Option(min=1, help="Width times height above which an image is refused before it is decoded.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No notices and no progress.")]


def check_sizes(image_size: int | None, test_size: bool) -> None:
    """Refuse two options that say different sizes."""
    if test_size and image_size is not None:
        raise typer.BadParameter("--image-size and --test-size contradict each other; give one of them")
