"""Options that mean the same in every command that has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from regnety.cli.formats import Command, RowFormat
from regnety.images.formats import MAX_PIXELS

ENGINES = ("auto", "onnxruntime", "openvino", "torch")
PRECISIONS = ("auto", "f32", "bf16")


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
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No notices and no progress.")
engine_option = click.option("--engine", type=click.Choice(ENGINES), default="auto", help="What runs the model.")


def precision_option(default: str) -> Callable[[Command], Command]:
    """--precision, whose default is not everywhere the same."""
    return click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=default,
        help="What it computes in; auto is bf16 where the processor and an engine that is named have it.",
    )


class CommaList(click.ParamType):
    """Values with commas between them: `1,8`.

    Args:
        values: what each may be.
        metavar: how help calls them.
    """

    name = "list"

    def __init__(self, values: click.ParamType, metavar: str) -> None:
        self._values = values
        self._metavar = metavar

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What stands in the usage line."""
        return self._metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """The text as a tuple; a tuple is one already."""
        if isinstance(value, tuple):
            return value
        return tuple(self._values.convert(part.strip(), param, ctx) for part in str(value).split(","))


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Threads that a batch may use; one on each core if not given.",
)
fresh_option = click.option("--fresh", is_flag=True, help="Measure anew what the cache knows.")
engines_option = click.option(
    "--engines",
    type=CommaList(click.Choice(ENGINES), "NAME,..."),
    default="auto",
    help=f"Out of {', '.join(ENGINES)}; auto is onnxruntime and openvino where they are installed.",
)
precisions_option = click.option(
    "--precisions",
    type=CommaList(click.Choice(PRECISIONS), "NAME,..."),
    default="auto",
    help=f"Out of {', '.join(PRECISIONS)}; auto is all that the processor and each engine have.",
)
batch_sizes_option = click.option(
    "--batch-sizes",
    type=CommaList(click.IntRange(1, 4096), "NUMBER,..."),
    default="1,8",
    help="Images that are given at once.",
)
plot_option = click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw accuracy against latency into a .png or .svg file.",
)
output_option = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file instead of stdout: .json, .jsonl or .csv.",
)
open_format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice([*RowFormat]),
    help="How results are printed; a table unless --output says else.",
)


def check_sizes(image_size: int | None, test_size: bool) -> None:
    """Refuse two options that say different sizes."""
    if test_size and image_size is not None:
        raise click.UsageError("--image-size and --test-size contradict each other; give one of them")
