"""The options of commands that show a model photographs: how it is run, and what it is shown."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from regnety.cli.options.shared import engine_option, max_pixels_option, precision_option, workers_option
from regnety.cli.output.formats import Command
from regnety.preprocessing import INTERPOLATIONS

if TYPE_CHECKING:
    from regnety.images.formats import PixelWay
    from regnety.inference.options import RunFields


class PerChannelType(click.ParamType[Any]):
    """One number, or one per channel separated by commas; how many the model has is checked later."""

    name = "numbers"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """`0.5` or `0.485,0.456,0.406` to a tuple of numbers."""
        if not isinstance(value, str):  # click converts defaults too
            return value
        try:
            return tuple(float(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is neither a number nor numbers separated by commas, as in 0.5,0.5,0.5", param, ctx)


image_size_option = click.option(
    "--image-size",
    type=click.IntRange(1, 8192),  # bounded: a typing error must not take all memory
    metavar="PIXELS",
    help="Input height and width; by default the model's own.",
)
_TEST_SIZE = click.option(
    "--test-size",
    is_flag=True,
    help="Use the larger input size at which the model is most accurate, if it has one.",
)
_PREPROCESSING = (
    click.option(
        "--crop-pct",
        type=click.FloatRange(0.01, 1.0),
        metavar="SHARE",
        help="Share of the shorter side that the crop keeps; by default the model's own.",
    ),
    click.option(
        "--mean",
        type=PerChannelType(),
        metavar="NUMBERS",
        help="Channel means on a 0 to 1 scale: 0.485,0.456,0.406; by default the model's own.",
    ),
    click.option("--std", type=PerChannelType(), metavar="NUMBERS", help="Channel standard deviations, as for --mean."),
    click.option(
        "--interpolation", type=click.Choice(INTERPOLATIONS), help="Resize filter; by default the model's own."
    ),
)
_PIXELS = (
    click.option("--exact", is_flag=True, help="Resize exactly as timm does, to the last bit; slower."),
    click.option(
        "--draft",
        is_flag=True,
        help="Decode large JPEGs at a fraction of their size: faster, off by one grey level on average.",
    ),
    click.option("--no-exif", is_flag=True, help="Ignore the EXIF orientation of photographs."),
    max_pixels_option,
)


def preprocessing_options(*, test_size: bool = True) -> Callable[[Command], Command]:
    """Give a command these options; it gets what they say as `preprocessing`: fields of `RunOptions`."""
    options = (image_size_option, *((_TEST_SIZE,) if test_size else ()), *_PREPROCESSING)

    def decorate(command: Command) -> Command:
        # wraps copies the function's __dict__, where click keeps the options that are attached already
        @wraps(command)
        def called(
            *,
            image_size: int | None,
            crop_pct: float | None,
            mean: tuple[float, ...] | None,
            std: tuple[float, ...] | None,
            interpolation: str | None,
            **others: Any,
        ) -> Any:
            preprocessing: RunFields = {
                "image_size": image_size,
                "crop_pct": crop_pct,
                "mean": mean,
                "std": std,
                "interpolation": interpolation,
            }
            if test_size:
                preprocessing["use_test_size"] = others.pop("test_size")
                if preprocessing["use_test_size"] and image_size is not None:
                    raise click.UsageError("--image-size and --test-size contradict each other; give one of them")
            return command(preprocessing=preprocessing, **others)

        result: Command = _with(options, called)
        return result

    return decorate


def run_options(
    precision: str | None, *, shown: str | None = None, pixels: bool = True
) -> Callable[[Command], Command]:
    """Give a command all options of how a model is run; it gets what they say as `how`: fields of `RunOptions`.

    Args:
        precision: the default; with None it is the callee's, and `shown` says in the help what that is.
        pixels: also the options of how photographs are decoded, which `eval` does not have: its way is the exact one.
    """
    options = (engine_option, precision_option(precision, shown=shown), workers_option, *(_PIXELS if pixels else ()))

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(
            *, engine: str, precision: str | None, workers: int | None, preprocessing: "RunFields", **others: Any
        ) -> Any:
            how: RunFields = {"engine": engine, "workers": workers, **preprocessing}
            # None is not handed on: the callee's own default depends on the model
            if precision is not None:
                how["precision"] = precision
            if pixels:
                # popped: the command gets `how` in their place
                how["pixels"] = _pixel_way(others.pop("exact"), others.pop("draft"))
                how["exif_orientation"] = not others.pop("no_exif")
                how["max_pixels"] = others.pop("max_pixels")
            return command(how=how, **others)

        result: Command = _with(options, preprocessing_options()(called))
        return result

    return decorate


def _with(options: tuple[Callable[[Any], Any], ...], command: Any) -> Any:
    for option in reversed(options):  # as decorators: the last is applied first, and is listed last
        command = option(command)
    return command


def _pixel_way(exact: bool, draft: bool) -> "PixelWay":
    if exact and draft:
        raise click.UsageError("--exact and --draft contradict each other; give one of them")
    return "exact" if exact else "draft" if draft else "fast"
