"""`regnety inspect`."""

import json
from typing import TYPE_CHECKING

import click

from regnety.cli.formats import ReportFormat, report_format_option
from regnety.cli.terminal import printable

if TYPE_CHECKING:
    from regnety.bundle.inspection import Inspection

MOST_NAMED = 6
"""Keys that are shown of a long list."""


@click.command()
@click.argument(
    "path", metavar="FILE", shell_complete=lambda *_: [click.shell_completion.CompletionItem("", type="file")]
)
@report_format_option
def inspect(path: str, output_format: ReportFormat) -> int:
    """Say what a checkpoint, a graph or a folder is: whose names it has, which design, what is missing.

    Nothing of the file is run and no tensor is read. Exit status 1 where it is no model that can be used.

    Example:  regnety inspect model_best.pth.tar
    """
    from regnety.bundle.inspection import inspect_model

    found = inspect_model(path)
    if output_format is ReportFormat.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False, default=str))
    else:
        _print(found)
    return 1 if found.problem else 0


def _print(found: "Inspection") -> None:
    def line(name: str, text: object) -> None:
        print(f"{name:<14}  {printable(str(text))}")

    line("file", found.path)
    kind = f"{found.container}, {found.num_bytes / 1e6:,.1f} MB"
    line("kind", kind if len(found.files) == 1 else f"{kind} in {len(found.files)} files")
    if found.part:
        line("weights", f"under {found.part}{_others(found.other_parts)}")
    for name, value in found.facts.items():
        line(name.replace("_", " "), value)
    if found.dialect:
        prefix = f", behind {found.prefix!r}" if found.prefix else ""
        line("names", f"{found.dialect}'s{prefix}; its input is {found.input_order}")
    if found.num_tensors:
        types = ", ".join(f"{count} {dtype}" for dtype, count in found.dtypes.items())
        line("tensors", f"{found.num_tensors}{f': {types}' if types else ''}")
    if found.passed_over:
        line("passed over", _some(found.passed_over))
    if found.design:
        line("model", found.model or "a design without a name")
        line("design", ", ".join(f"{name}={value}" for name, value in found.design.items() if name != "stages"))
        for stage in found.design.get("stages", ()):
            line("", ", ".join(f"{name}={value}" for name, value in stage.items()))
        line("parameters", f"{found.num_params:,}")
        line("classes", found.num_classes)
        line("input", f"{found.in_chans} channels")
    if found.missing:
        line("missing", _some(found.missing))
    if found.problem:
        line("problem", found.problem)


def _others(parts: tuple[str, ...]) -> str:
    return f"; there is {', '.join(parts)} too" if parts else ""


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
