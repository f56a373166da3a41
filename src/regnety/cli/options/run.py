"""The options of commands that answer photographs: how the model is run, and what it is shown."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from regnety.cli.options.shared import (
    check_sizes,
    crop_pct_option,
    engine_option,
    image_size_option,
    interpolation_option,
    max_pixels_option,
    mean_option,
    precision_option,
    std_option,
    test_size_option,
    workers_option,
)
from regnety.cli.output.formats import Command

if TYPE_CHECKING:
    from regnety.images.formats import PixelWay


def run_options(precision: str) -> Callable[[Command], Command]:
    """Give a command these options, and hand it what they say as `how`: keyword arguments of a model that answers.

    Args:
        precision: where none is named.
    """
    options = (
        engine_option,
        precision_option(precision),
        workers_option,
        click.option("--exact", is_flag=True, help="Resize exactly as timm does, to the last bit; slower."),
        click.option(
            "--draft",
            is_flag=True,
            help="Decode large JPEGs at a fraction of their size: faster, off by one grey level on average.",
        ),
        click.option("--no-exif", is_flag=True, help="Ignore the EXIF orientation of photographs."),
        max_pixels_option,
        image_size_option,
        crop_pct_option,
        test_size_option,
        mean_option,
        std_option,
        interpolation_option,
    )

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(
            *,
            engine: str,
            precision: str,
            workers: int | None,
            exact: bool,
            draft: bool,
            no_exif: bool,
            max_pixels: int,
            image_size: int | None,
            crop_pct: float | None,
            test_size: bool,
            mean: tuple[float, ...] | None,
            std: tuple[float, ...] | None,
            interpolation: str | None,
            **others: Any,
        ) -> Any:
            check_sizes(image_size, test_size)
            how = {
                "engine": engine,
                "precision": precision,
                "workers": workers,
                "pixels": _pixel_way(exact, draft),
                "exif_orientation": not no_exif,
                "max_pixels": max_pixels,
                "image_size": image_size,
                "crop_pct": crop_pct,
                "use_test_size": test_size,
                "mean": mean,
                "std": std,
                "interpolation": interpolation,
            }
            return command(how=how, **others)

        result: Any = called
        for option in reversed(options):
            result = option(result)
        return result  # type: ignore[no-any-return]

    return decorate


def _pixel_way(exact: bool, draft: bool) -> "PixelWay":
    """The way to pixels that two flags say; refuse both."""
    if exact and draft:
        raise click.UsageError("--exact and --draft contradict each other; give one of them")
    return "exact" if exact else "draft" if draft else "fast"
