"""`regnety inspect`."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from regnety.cli.output.formats import ReportFormat, report_format_option
from regnety.cli.output.terminal import shortened
from regnety.text import counted, printable

if TYPE_CHECKING:
    from regnety.bundle.inspection import Inspection

MOST_NAMED = 6  # of a list of keys, which may have hundreds
LONGEST_VALUE = 100  # columns, of a key or of what a file says of itself: it may hold anything


@click.command()
@click.argument(
    # type="file": without it click would leave files out of the completion
    "path",
    metavar="FILE",
    shell_complete=lambda *_: [click.shell_completion.CompletionItem("", type="file")],
)
@click.option(
    "--state-dict", metavar="NAME", help="State dict to look at in a checkpoint; averaged weights by default."
)
@report_format_option
def inspect(path: str, state_dict: str | None, output_format: ReportFormat) -> int:
    """Say what a checkpoint, graph or folder contains.

    It shows which library's layer names the file has, the design, and what is missing. No code in the file is run.
    The exit status is 1 if it is no usable model.

    Example:  regnety inspect model_best.pth.tar
    """
    from regnety.bundle.inspection import inspect_model

    found = inspect_model(path, state_dict=state_dict)
    if output_format is ReportFormat.json:
        print(json.dumps(found.as_dict(), indent=2))  # in ASCII: what a file says may have power over a terminal
    else:
        _print(found)
    return 1 if found.problem else 0  # so that a script can ask


def _print(found: "Inspection") -> None:
    rows = list(_rows(found))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {printable(text)}")


def _rows(found: "Inspection") -> Iterator[tuple[str, str]]:
    yield "file", found.path
    kind = f"{found.container}, {found.num_bytes / 1e6:,.1f} MB"
    yield "kind", kind if len(found.files) == 1 else f"{kind} in {len(found.files)} files"
    if found.part or found.other_parts:
        others = f"; there is {', '.join(map(_short, found.other_parts))} too" if found.other_parts else ""
        yield "weights", f"under {_short(found.part or found.prefix.rstrip('.'))}{others}"
    if found.calibration:
        yield "precision", _quantization(found.calibration)
    yield from ((_short(name), _short(value)) for name, value in found.facts.items())
    if found.dialect:
        yield "names", found.dialect + (f", behind {_short(found.prefix)}" if found.prefix else "")
    if found.num_tensors:
        types = ", ".join(f"{count} {_short(dtype)}" for dtype, count in found.dtypes.items())
        yield "tensors", f"{found.num_tensors}{f': {types}' if types else ''}"
    if found.passed_over:
        yield "passed over", _some(found.passed_over)
    if found.design:
        yield "model", found.model or "a design without a name"
        yield "design", _fields(found.design)
        yield from (("", _fields(stage)) for stage in found.design.get("stages", ()))
        yield "parameters", f"{found.num_params:,}"
        yield "classes", str(found.num_classes)
        channels = f"{found.in_chans} channel{'' if found.in_chans == 1 else 's'}"
        yield "input", f"{channels}, {found.input_order}" if found.in_chans == 3 else channels
    if found.missing:
        yield "missing", _some(found.missing)
    if found.problem:
        yield "problem", found.problem


def _quantization(calibration: Mapping[str, Any]) -> str:
    text = f"{calibration['precision']}, calibrated on {counted(calibration['num_images'], 'image')}"
    measured = calibration["measured"]
    if measured:
        text += f"; top1 {measured['top1_int8']:.2f} % of {measured['count']}, {measured['top1_float']:.2f} % before"
    return text


def _fields(design: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in design.items() if name != "stages")


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(map(_short, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _short(value: object) -> str:
    """A value from a file on one line: its beginning and its end."""
    text = printable(str(value))
    if len(text) > 2 * LONGEST_VALUE:  # it may be megabytes long
        # `shortened` goes through a text letter by letter
        text = text[:LONGEST_VALUE] + text[-LONGEST_VALUE:]
    return shortened(text, LONGEST_VALUE)
