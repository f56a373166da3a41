"""`regnety pick`."""

import click

from regnety.cli.options.latency import fastest_precision_option, fresh_option, license_option, threads_option
from regnety.cli.options.run import image_size_option
from regnety.cli.options.shared import engine_option, quiet_option
from regnety.cli.output.formats import RowFormat, row_output_options
from regnety.cli.output.rows import RowOutput
from regnety.notices import say


@click.command()
@click.option(
    "--latency-ms",
    type=click.FloatRange(0, min_open=True),
    metavar="MS",
    help="Median milliseconds that one batch may take.",
)
@click.option(
    "--memory-mib",
    type=click.FloatRange(0, min_open=True),
    metavar="MIB",
    help="Peak memory of a batch job with 12-megapixel photographs, whole process.",
)
@click.option("--batch-size", type=click.IntRange(1, 4096), default=1, metavar="NUMBER", help="Images in a batch.")
@engine_option
@fastest_precision_option
@threads_option
@image_size_option
@license_option
@fresh_option
@row_output_options
@quiet_option
def pick(
    latency_ms: float | None,
    memory_mib: float | None,
    batch_size: int,
    engine: str,
    precision: str,
    threads: int | None,
    image_size: int | None,
    licenses: tuple[str, ...],
    fresh: bool,
    output_format: RowFormat | None,
    output: str | None,
    quiet: bool,
) -> int:
    """Find the most accurate model that fits a budget here.

    Published models are measured as by `bench`, the most accurate first, until two fit; the exit status is 1 if none
    does. Accuracy is the published ImageNet top1 in f32. Memory is measured on a real batch job.

    Example:  regnety pick --latency-ms 10 --memory-mib 200
    """
    from regnety.cli.output.latency_tables import figures, latency_listing
    from regnety.inference.latency.picking import pick as pick_model
    from regnety.inference.latency.timed_models import TimedModel, published_candidates
    from regnety.inference.latency.timing import LatencyRow
    from regnety.progress import Progress

    if latency_ms is None and memory_mib is None:
        raise click.UsageError("name a budget: --latency-ms, --memory-mib or both")
    # before anything is measured: minutes of it must not end in a refusal
    written = RowOutput(output_format, output, quiet=quiet)
    candidates = published_candidates(image_size=image_size, licenses=licenses)
    if not candidates:
        raise click.UsageError(f"no accuracy is published at {image_size} pixels; `regnety models` lists the sizes")
    with Progress("pick", total=len(candidates), quiet=quiet) as progress:

        def on_model(model: TimedModel, row: LatencyRow | None) -> None:
            progress.say(f"{model.name} does not fit" if row is None else figures(row))
            progress.advance()

        found = pick_model(
            latency_ms=latency_ms,
            memory_mib=memory_mib,
            candidates=candidates,
            engine=engine,
            precision=precision,
            batch_size=batch_size,
            threads=threads,
            fresh=fresh,
            on_model=on_model,
        )
    if found or not written.is_table:  # an empty table is only a heading; a program expects its file
        written.write(latency_listing(found))
    if not found:
        under = f" under {', '.join(licenses)}" if licenses else ""
        say(f"none of {len(candidates)} published models{under} fits here")
        return 1  # so that a script can ask
    if written.is_table and not quiet:
        runner_up = f", the runner-up {found[1].model}" if len(found) > 1 else ", and no other fits"
        fetch = f"get its weights with `regnety fetch {found[0].model}`"
        say(f"the most accurate that fits is {found[0].model}{runner_up}; {fetch}")
        if found[0].job_memory_mib is not None:
            how = f"--engine {found[0].engine} --precision {found[0].precision}"
            # in a job every thread has images of its own, in a batch they share it: the option has another name
            workers = f" --workers {threads}" if threads else ""
            say(f"a batch job of it with {how}{workers} takes {found[0].job_memory_mib:,.0f} MiB")
    return 0
