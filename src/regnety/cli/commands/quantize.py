"""`regnety quantize`."""

from typing import TYPE_CHECKING, Any

import click

from regnety.cli.options.images import ImageList, from_option, named_images
from regnety.cli.options.run import preprocessing_options
from regnety.cli.options.shared import labels_option, model_argument, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim, say_replaced
from regnety.cli.output.notices import say_notice
from regnety.errors import ExportError
from regnety.notices import say
from regnety.text import counted, printable

if TYPE_CHECKING:
    from regnety.export.quantization import Quantized


@click.command()
@model_argument
@state_dict_option
@click.option("--output", "-o", required=True, metavar="FOLDER", help="Folder to write the bundle to.")
@click.option(
    "--calibrate",
    type=click.Path(),
    metavar="FOLDER",
    help="Typical photographs for calibration, with all folders inside; no labels needed. Or a data set as for --data.",
)
@from_option
@click.option(
    "--data",
    type=click.Path(),
    metavar="DATA",
    help="Labelled photographs, as for `eval`, to measure accuracy before and after.",
)
@click.option(
    "--split",
    metavar="NAME",
    help="Split of --data; by default test, else val, leaving out images it was trained on.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    metavar="POINTS",
    help="Largest loss of top1 on --data, in points; layers stay in f32 to keep it.",
)
@click.option(
    "--samples",
    type=click.IntRange(8),  # fewer are refused by quantize_model, but later
    default=300,
    metavar="NUMBER",
    help="Largest number of photographs to calibrate on.",
)
@click.option("--seed", type=int, default=0, metavar="NUMBER", help="Random seed for the choice of photographs.")
@preprocessing_options()
@labels_option
@quiet_option
def quantize(
    model: str,
    state_dict: str | None,
    output: str,
    calibrate: str | None,
    lists: tuple[str, ...],
    data: str | None,
    split: str | None,
    max_drop: float | None,
    samples: int,
    seed: int,
    preprocessing: dict[str, Any],
    labels: str | None,
    quiet: bool,
) -> int:
    """Make an int8 model: smaller, and faster on many processors.

    It is faster where the processor multiplies bytes (VNNI or AMX).

    Example:  regnety quantize regnety_cifar10 --calibrate photos/ -o int8
    """
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.label_files import with_found_labels
    from regnety.export.quantization import quantize_model
    from regnety.export.targets import check_export_target, check_not_its_source

    if max_drop is not None and data is None:
        raise click.UsageError("--max-drop needs labelled photographs to measure accuracy on: give --data")
    if calibrate is None and not lists:
        raise click.UsageError("name photographs to calibrate on: a folder with --calibrate, or a list with --from")
    # all refusals come before the model is loaded, which may be a download
    if check_export_target(output) != "folder":
        raise ExportError(f"{output}: an int8 model is a folder; name one without a suffix")
    place = claim(output, is_folder=True, check=lambda: check_export_target(output))
    bundle = Bundle.load(model, quiet=quiet, state_dict=state_dict)
    say_notice(bundle, quiet=quiet)
    photographs: str | ImageList
    if calibrate is not None and not lists:
        photographs = calibrate
    else:
        photographs = named_images([calibrate] if calibrate else [], lists, recursive=True)
    # only now: the loaded model knows which files it was read from
    check_not_its_source(output, bundle)
    say_replaced(place, quiet=quiet)
    result = quantize_model(
        bundle if labels is None else with_found_labels(bundle, labels),
        output,
        calibrate=photographs,
        data=data,
        split=split,
        max_drop=max_drop,
        samples=samples,
        seed=seed,
        quiet=quiet,
        **preprocessing,
    )
    if not quiet:
        _print(result)
    if result.notice is not None and not quiet:
        say(result.notice)
    # unreadable photographs are omitted: the model is made, and the status says that something was wrong
    for error in result.errors:
        say(error)
    return int(bool(result.errors))


def _print(result: "Quantized") -> None:
    calibration = result.calibration
    print(printable(f"bundle       {result.path}"))
    print(f"size         {result.float_bytes / 1e6:.1f} MB before, {result.int8_bytes / 1e6:.1f} MB in int8")
    measured = calibration.measured
    if measured is not None:
        accuracy = f"{measured.top1_float:.2f} % before, {measured.top1_int8:.2f} % in int8"
        print(printable(f"top1         {accuracy}, on {counted(measured.count, 'image')} of {measured.data}"))
    print(f"same answer  {result.agreement:.1f} % of the {calibration.num_images} calibration images")
    print(f"in f32       {counted(len(calibration.float_layers), 'layer')}")
    for speed in result.speeds:
        print(f"speed        {speed.latency_ms:.2f} ms an image  {speed.engine}, {speed.precision}")
