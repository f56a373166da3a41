"""`regnety check`."""

from typing import TYPE_CHECKING

import click

from regnety.cli.options.images import silence_decoders
from regnety.cli.options.shared import max_pixels_option, quiet_option
from regnety.cli.output.formats import ReportFormat, report_format_option
from regnety.notices import say

if TYPE_CHECKING:
    from regnety.datasets.checking.data_check import DataCheck
    from regnety.datasets.checking.findings import Finding

MOST_CLASSES = 40
"""Of which a table has a line each."""
MOST_EXAMPLES = 5
"""Lines of names below a finding; JSON has all."""


@click.command()
@click.argument("data", metavar="DATA", type=click.Path())
@max_pixels_option
@report_format_option
@quiet_option
def check(data: str, max_pixels: int, output_format: ReportFormat, quiet: bool) -> int:
    """Check labelled photographs before hours are spent on them.

    Finds what cannot be read, is blank or tiny; copies of a photograph, also resized or cropped ones, in one class, in
    two, or in two splits; and classes with too few photographs. DATA is whatever `finetune` takes. The exit status is 1
    if something was found.

    Example:  regnety check photos/
    """
    import json

    from regnety.datasets.checking.data_check import check_data

    silence_decoders()
    found = check_data(data, max_pixels=max_pixels, quiet=quiet)
    if output_format == ReportFormat.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not quiet:
        for notice in found.notices:
            say(notice)
    return int(bool(found.findings))


def _print(found: "DataCheck") -> None:
    from regnety.cli.output.rows import print_table
    from regnety.datasets.split_names import UNSPLIT
    from regnety.text import counted, printable

    splits = [*found.counts]
    classes = sorted({label for of_class in found.counts.values() for label in of_class})
    if len(classes) <= MOST_CLASSES:
        heads = ["photographs" if split == UNSPLIT else split for split in splits]
        rows = [(label, *(str(found.counts[split].get(label, 0)) for split in splits)) for label in classes]
        print_table(("class", *heads), rows, right=heads)
        print()
    print(f"{counted(found.count, 'photograph')} of {counted(len(classes), 'class', 'classes')}", end="")
    print(": nothing found" if not found.findings else f", {counted(len(found.findings), 'finding')}")
    for finding in found.findings:
        print(f"\n{finding.title}: {finding.text}")
        for line in _examples(finding):
            print(f"  {printable(line)}")


def _examples(finding: "Finding") -> list[str]:
    from regnety.text import one_line

    lines = [" = ".join(names) for names in finding.examples[:MOST_EXAMPLES]]
    more = len(finding.examples) - MOST_EXAMPLES
    return [*map(one_line, lines), *([f"and {more} more: --format json"] if more > 0 else [])]
