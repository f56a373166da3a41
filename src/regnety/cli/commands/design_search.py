"""`regnety design search`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from regnety.cli.commands.design_sample import SPACES
from regnety.cli.main import Terminated, terminated_as
from regnety.cli.options.images import silence_decoders
from regnety.cli.options.latency import fastest_precision_option, fresh_option
from regnety.cli.options.ranges import RangeType, field_settings
from regnety.cli.options.shared import data_option, engine_option, folder_option, quiet_option
from regnety.cli.options.training import (
    device_option,
    settings_option,
    skip_unreadable_option,
    trial_cluster_options,
)
from regnety.cli.output.latency_tables import milliseconds
from regnety.cli.output.notices import list_unreadable
from regnety.cli.output.rows import print_table
from regnety.notices import say

if TYPE_CHECKING:
    from regnety.designspace.search.candidates import Candidate
    from regnety.designspace.search.result import SearchResult

ALL = "all"


class LimitType(click.ParamType):  # type: ignore[type-arg]
    """MOST, or LEAST:MOST."""

    name = "limit"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> float | tuple[float, float]:
        """A number, or the two limits."""
        parts = str(value).split(":")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2):
            self.fail(f"{value!r} is neither a number nor LEAST:MOST, as in 5 or 2:5", parameter, context)
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


@click.command("search")
@data_option("Labelled photographs, as for `train`.")
@folder_option("Folder for the search.")
@click.option(
    "--latency-ms",
    type=LimitType(),
    metavar="[LEAST:]MOST",
    help="Median milliseconds that a picture may take; candidates use at least half, or LEAST.",
)
@click.option(
    "--memory-mib",
    type=click.FloatRange(0, min_open=True),
    metavar="MIB",
    help="Peak memory of a process that loads and runs the network.",
)
@engine_option
@fastest_precision_option
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Threads of a prediction; one per core by default.",
)
@click.option("--space", type=click.Choice(SPACES), default="regnety", help="Design space of the paper.")
@click.option("--macs", type=RangeType(), metavar="LOW:HIGH", help="Draw from these multiply-adds alone, as in 5M:20M.")
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another field or range of the space: group_width=8,16,24, num_stages=3, stem_stride=1.",
)
@click.option("--trials", type=click.IntRange(1), default=25, metavar="NUMBER", help="Candidates that are trained.")
@click.option("--recipe", default="population", metavar="NAME|FILE", help="Recipe of the few epochs of each.")
@settings_option("image_size=32")
@click.option(
    "--keep-best",
    default="1/3",
    metavar="SHARE|all",
    help="Share that trains on after each of two rungs: with 1/3 after 1/9 and 1/3 of the epochs.",
)
@click.option(
    "--winners", type=click.IntRange(0), default=2, metavar="NUMBER", help="How many of the front are trained in full."
)
@click.option("--final-recipe", default="scratch", metavar="NAME|FILE", help="Recipe of these.")
@click.option(
    "--final-set", "final_settings", multiple=True, metavar="KEY=VALUE", help="Change a value of that recipe: epochs=50"
)
@click.option(
    "--trial-threads",
    type=click.IntRange(1, 1024),
    metavar="NUMBER",
    help="Threads of each trial; one per core by default, and one on a cluster.",
)
@trial_cluster_options
@device_option("Where networks are trained.")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="NUMBER", help="Of the draws and the trainings.")
@fresh_option
@click.option("--resume", is_flag=True, help="Continue a search; start one if there is none.")
@skip_unreadable_option
@quiet_option
def design_search(
    latency_ms: float | tuple[float, float] | None,
    memory_mib: float | None,
    macs: tuple[float, float] | None,
    ranges: tuple[str, ...],
    keep_best: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Find a design for your data under a measured budget.

    Designs are drawn and measured on this machine; those within the budget are trained for a few epochs, and the best
    of the front of error, latency and memory in full. FOLDER gets report.html and, in best-1/ and so on, their bundles.

    Example:  regnety design search --data photos/ --latency-ms 5 --engine openvino --output runs/mine
    """
    if latency_ms is None and memory_mib is None:
        raise click.UsageError("a search needs a limit: --latency-ms or --memory-mib")
    fields = field_settings(ranges, option="--range")
    if macs is not None:
        if "macs" in fields:
            raise click.UsageError("--macs and --range macs are the same")
        fields["macs"] = macs
    silence_decoders()
    try:
        with terminated_as(Terminated):
            # within: importing torch takes seconds, in which SIGTERM may come
            from regnety.datasets.unreadable import UnreadablePicturesError
            from regnety.designspace.search.searching import search_designs

            try:
                result = search_designs(
                    **options,
                    latency_ms=latency_ms,
                    memory_mib=memory_mib,
                    ranges=fields,
                    keep_best=None if keep_best == ALL else keep_best,
                    quiet=quiet,
                )
            except UnreadablePicturesError as error:
                list_unreadable(error.errors)
                raise
    except KeyboardInterrupt:
        say("stopped; --resume continues the search")
        raise
    _print(result)


def _print(result: "SearchResult") -> None:
    """The best with their bundles, or the front where none was trained in full."""
    numbers = ("ms", "MiB", "macs", "error", "held out", "test")
    columns: tuple[str, ...]
    if result.winners:
        columns = ("bundle", "trial", "ms", "MiB", "macs", "held out", "test")
        lines = [
            [
                str(winner.run.bundle),
                str(winner.result.trial.number),
                *_costs(winner.candidate),
                *("" if top1 is None else f"{top1:.2f}" for top1 in (winner.run.val_top1, winner.run.test_top1)),
            ]
            for winner in result.winners
        ]
    else:
        columns = ("trial", "ms", "MiB", "macs", "error")
        lines = [
            [str(each.trial.number), *_costs(result.candidate(each)), f"{each.error:.2f}"] for each in result.front
        ]
    print_table(columns, lines, right=("trial", *numbers), stream=sys.stdout)
    say(f"wrote {result.folder / 'report.html'}")


def _costs(candidate: "Candidate") -> tuple[str, ...]:
    measured = candidate.measured
    memory = "" if measured.memory_mib is None else f"{measured.memory_mib:.0f}"
    return milliseconds(measured.latency_ms), memory, f"{candidate.complexity.macs:,}"
