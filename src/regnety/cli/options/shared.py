"""Options that mean the same in every command that has them."""

import logging
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from regnety.cli.output.formats import Command
from regnety.images.formats import MAX_PIXELS
from regnety.preprocessing import INTERPOLATIONS

ENGINES = ("auto", "onnxruntime", "openvino", "torch")
PRECISIONS = ("auto", "f32", "bf16", "int8")


def complete_model(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names, and where none fits the shell's own files and folders."""
    from regnety.catalog.models import list_models
    from regnety.catalog.published import list_weights

    known = [*list_models(), *(list_weights() if "." in incomplete else [])]
    names = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


model_argument = click.argument("model", metavar="MODEL", shell_complete=complete_model)
model_option = click.option(
    "--model",
    metavar="MODEL",
    help="A name, hf-hub:owner/name, a folder, a checkpoint, or an .onnx or .xml file.",
    shell_complete=complete_model,
)
labels_option = click.option(
    "--labels",
    metavar="NAMES",
    help="Class names for a model that brings none: a .txt, .json or .csv file, imagenet-1k or imagenet-12k.",
)
state_dict_option = click.option(
    "--state-dict",
    metavar="NAME",
    help="Which of a checkpoint's state dicts; `regnety inspect` lists them. Averaged weights come first if not given.",
)
image_size_option = click.option(
    "--image-size",
    type=click.IntRange(1, 8192),
    metavar="PIXELS",
    help="Height and width that the model is shown; its own if not given.",
)
crop_pct_option = click.option(
    "--crop-pct",
    type=click.FloatRange(0.01, 1.0),
    metavar="SHARE",
    help="Share of the shorter side that the crop keeps, 0.01 to 1; the model's own if not given.",
)


class PerChannelType(click.ParamType[Any]):
    """One number, or one for each channel with commas between; what they may be the model says."""

    name = "numbers"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """`0.5` or `0.485,0.456,0.406` to a tuple of numbers."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(float(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is neither a number nor numbers with commas between, as 0.5,0.5,0.5", param, ctx)


mean_option = click.option(
    "--mean",
    type=PerChannelType(),
    metavar="NUMBERS",
    help="Mean of the channels, of values in 0 to 1: 0.485,0.456,0.406, or one number; the model's own if not given.",
)
std_option = click.option(
    "--std", type=PerChannelType(), metavar="NUMBERS", help="Standard deviation of the channels, as --mean."
)
interpolation_option = click.option(
    "--interpolation",
    type=click.Choice(INTERPOLATIONS),
    help="The filter by which photographs are resized; the model's own if not given.",
)
test_size_option = click.option(
    "--test-size", is_flag=True, help="The larger size at which the model is best, where it has one."
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="PIXELS",
    default=MAX_PIXELS,
    help="Width times height above which an image is refused before it is decoded.",
)


def _hush(context: click.Context, parameter: click.Parameter, quiet: bool) -> bool:
    """Also what the cache would say."""
    if quiet:
        logging.getLogger("regnety.cache").setLevel(logging.ERROR)
    return quiet


quiet_option = click.option("--quiet", "-q", is_flag=True, callback=_hush, help="No notices and no progress.")
workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Threads, each with images of its own; one for each core if not given.",
)
engine_option = click.option("--engine", type=click.Choice(ENGINES), default="auto", help="What runs the model.")
recursive_option = click.option("--recursive", "-r", is_flag=True, help="Folders with their sub-folders.")
resume_option = click.option(
    "--resume", is_flag=True, help="Go on with what was interrupted: images with rows are not asked again."
)


def precision_option(default: str | None, *, shown: str | None = None) -> Callable[[Command], Command]:
    """--precision, whose default is not everywhere the same; `shown` says it where it depends on the model."""
    return click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=default,
        show_default=shown or True,
        help="What it computes in; auto is bf16 where the processor and the engine that is taken have it.",
    )


def check_sizes(image_size: int | None, test_size: bool) -> None:
    """Refuse two options that say different sizes."""
    if test_size and image_size is not None:
        raise click.UsageError("--image-size and --test-size contradict each other; give one of them")
