"""`regnety design report`."""

from pathlib import Path

import click

from regnety.cli.options.shared import file_option
from regnety.cli.output.claiming import claim_page, say_replaced
from regnety.notices import say


@click.command("report")
@click.argument("populations", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@file_option("Write this file; by default report.html in the first folder.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write each picture there too, as PNG and SVG.",
)
def design_report(populations: tuple[Path, ...], output: Path | None, pictures: Path | None) -> None:
    """Write the report on populations as one page.

    It has their errors beside each other, and all about the first. FOLDER is one that `regnety design run` has written,
    or still writes.

    Example:  regnety design report runs/population -o population.html
    """
    from regnety.designspace.pages.report import write_population_report
    from regnety.designspace.populations import Population

    loaded = [Population.load(folder) for folder in populations]
    target = output or populations[0] / "report.html"
    place = claim_page(target)
    if output is not None:  # a report in the population's own folder is made to be made again
        say_replaced(place)
    write_population_report(target, loaded, pictures=pictures)
    say(f"wrote {target}")
