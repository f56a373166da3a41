"""`regnety bench`."""

from pathlib import Path

import click

from regnety.cli.options.latency import (
    batch_sizes_option,
    engines_option,
    fresh_option,
    plot_option,
    precisions_option,
    threads_option,
)
from regnety.cli.options.run import image_size_option
from regnety.cli.options.shared import complete_model, quiet_option, state_dict_option
from regnety.cli.output.claiming import claim_file, say_replaced
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput
from regnety.notices import say


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=complete_model)
@engines_option
@precisions_option
@batch_sizes_option
@threads_option
@image_size_option
@state_dict_option
@fresh_option
@plot_option
@row_output_options
@quiet_option
def bench(
    models: tuple[str, ...],
    engines: tuple[str, ...],
    precisions: tuple[str, ...],
    batch_sizes: tuple[int, ...],
    threads: int | None,
    image_size: int | None,
    state_dict: str | None,
    fresh: bool,
    plot: Path | None,
    output_format: RowFormat | None,
    output: str | None,
    quiet: bool,
) -> None:
    """Measure the speed and memory of models on this machine.

    MODEL may be a shell pattern for names; the default is the twelve models of the model page. A batch is run in two
    ways, as one piece on all threads and as pieces side by side; the faster way counts, and the column `runs` says
    which it was (threads x images). Each measurement has its own process, whose peak memory is reported. `auto` marks
    the fastest row of a batch size. Measurements are cached.

    Example:  regnety bench regnety_002 regnety_040 --plot pareto.png
    """
    from regnety.cli.output.latency_tables import figures, latency_listing
    from regnety.figures.picture_files import check_place
    from regnety.inference.latency.benchmark import bench as bench_models
    from regnety.inference.latency.benchmark import engines_to_time
    from regnety.inference.latency.timed_models import models_to_time, timed_model
    from regnety.inference.latency.timing import LatencyRow
    from regnety.progress import Progress

    # before anything is measured: hours of it must not end in a refusal
    written = RowOutput(output_format, output, quiet=quiet)
    picture = claim_file(plot, check=lambda: check_place(plot)) if plot is not None else None
    if plot is not None:  # matplotlib may be missing: that is said before hours of measuring
        from regnety.figures.pareto import ParetoPoint, plot_pareto
    # all models are found before the first is measured: the last name may be misspelt
    timed = [
        timed_model(name, image_size=image_size, quiet=quiet, state_dict=state_dict) for name in models_to_time(models)
    ]
    if plot is not None and all(model.top1 is None for model in timed):
        raise click.UsageError("--plot needs accuracies, and none is known for these models at this size")
    # for the progress: each model may have other engines and precisions, an int8 one for example
    pairs = [engines_to_time(engines, precisions, model.bundle) for model in timed]
    total = len(set(batch_sizes)) * sum(map(len, pairs))  # set: a size given twice is measured once
    if not quiet and any(model.has_random_weights for model in timed):
        say("speed does not depend on weights; named models are measured with random ones")
    with Progress("bench", total=total, quiet=quiet) as progress:

        def on_row(row: LatencyRow) -> None:
            # at once, not only in the table: a run of hours may be stopped
            progress.say(figures(row))
            progress.advance()

        rows = list(
            bench_models(
                timed,
                engines=engines,
                precisions=precisions,
                batch_sizes=batch_sizes,
                threads=threads,
                fresh=fresh,
                on_row=on_row,
            )
        )
    written.write(latency_listing(rows))
    if written.is_table and not quiet:
        # there is a first row: where no model can be measured, bench_models raises an error
        say(f"measured on {rows[0].processor or 'an unknown processor'}, {rows[0].cores} cores; times are per batch")
    if plot is not None:
        say_replaced(picture, quiet=quiet)
        smallest = min(batch_sizes)  # one point a model: latency is what a single request feels
        points = [
            ParetoPoint(row.model, row.top1, row.latency_p50_ms)
            for row in rows
            if row.auto and row.batch_size == smallest and row.top1 is not None
        ]
        plot_pareto(points, plot, title=f"batch {smallest}, {rows[0].processor}, {rows[0].cores} cores")
        say(f"wrote {plot}")
