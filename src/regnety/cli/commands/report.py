"""`regnety report`."""

from pathlib import Path

import click

from regnety.cli.options.shared import file_option
from regnety.cli.output.claiming import claim_page, say_replaced
from regnety.notices import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Set this run beside the first: their figures, and the photographs that only one is right about.",
)
@file_option(
    "Write this file; by default report.html, or comparison.html, in the folder of the run, or beside the file."
)
def report(run: Path, beside: Path | None, output: Path | None) -> None:
    """Write the report of a run again, or two runs beside each other.

    RUN is a folder that `regnety finetune` or `train` has written, or the .npz file that `regnety eval --report` writes
    beside its page. Neither the photographs nor the model are needed.

    Example:  regnety report runs/birds --beside runs/more-birds
    """
    from regnety.reports.comparison import Comparison
    from regnety.reports.comparison_page import write_comparison
    from regnety.reports.report import write_report
    from regnety.reports.stored_content import content_of_run

    page = run / "report.html" if run.is_dir() else run.with_suffix(".html")
    target = output or (page if beside is None else page.with_name("comparison.html"))
    content = content_of_run(run)
    other = None if beside is None else content_of_run(beside)
    place = claim_page(target)
    if output is not None:  # a report in the run's own folder is made to be made again
        say_replaced(place)
    if other is None:
        write_report(target, content)
    else:
        write_comparison(target, Comparison((str(run), str(beside)), (content, other)))
    say(f"wrote {target}")
