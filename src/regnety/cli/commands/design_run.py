"""`regnety design run`."""

from pathlib import Path

import click

from regnety.cli.main import Terminated, terminated_as
from regnety.cli.options.durations import DurationType
from regnety.cli.options.images import silence_decoders
from regnety.cli.options.shared import data_option, folder_option, quiet_option
from regnety.cli.options.training import (
    device_option,
    settings_option,
    skip_unreadable_option,
    trial_cluster_options,
)
from regnety.cli.output.notices import list_unreadable
from regnety.notices import say


@click.command("run")
@click.argument("designs", metavar="DESIGNS")
@data_option("Labelled photographs, as for `train`.")
@folder_option("Folder for the population: its plan and its journal.")
@click.option("--recipe", default="population", metavar="NAME|FILE", help="Recipe that trains every design.")
@settings_option("image_size=32")
@click.option(
    "--vary",
    multiple=True,
    metavar="KEY=LAW",
    help="Draw a value for each design: optimizer.lr=log:0.01:1, KEY=uniform:LOW:HIGH, KEY=choice:VALUE:VALUE",
)
@click.option("--draws", type=click.IntRange(1), default=1, metavar="NUMBER", help="Draws of those for each design.")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="NUMBER", help="Seeds for each design and draw.")
@click.option(
    "--keep-best",
    metavar="SHARE",
    help="Share of each rung that trains on: with 1/3, all to 1/9 of the epochs, the best third to 1/3, the best third "
    "of those to the end.",
)
@trial_cluster_options
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=1,
    metavar="NUMBER",
    help="Threads of each trial; with others the last digits differ.",
)
@device_option("Where trials are trained.")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=DurationType(),
    metavar="90s|10m|2h",
    help="Begin no trial after this time, and end when those that run have ended; --resume goes on.",
)
@click.option("--resume", is_flag=True, help="Continue a population; start one if there is none.")
@skip_unreadable_option
@quiet_option
def design_run(
    designs: str,
    data: str,
    output: Path,
    recipe: str,
    settings: tuple[str, ...],
    vary: tuple[str, ...],
    draws: int,
    repeat: int,
    keep_best: str | None,
    ray: str | None,
    ray_workers: int | None,
    gpus_per_worker: float,
    threads: int,
    device: str,
    time_limit_s: float | None,
    resume: bool,
    skip_unreadable: bool,
    quiet: bool,
) -> None:
    """Train every design of a file as a population.

    DESIGNS is a .parquet, .csv, .json or .jsonl file of `regnety design sample`, or one design as for `describe`. Each
    result is kept as it comes: a population that was killed is continued with --resume, no trial is lost, and none is
    trained twice.

    Example:  regnety design run designs.parquet --data DIR --output runs/population --ray local
    """
    silence_decoders()
    try:
        with terminated_as(Terminated):
            # within: importing torch takes seconds, in which SIGTERM may come
            from regnety.datasets.unreadable import UnreadablePicturesError
            from regnety.designspace.design_lists import read_designs
            from regnety.designspace.populations import Population
            from regnety.designspace.running import run_population

            try:
                folder = run_population(
                    read_designs(designs),
                    data,
                    output,
                    recipe,
                    settings=settings,
                    vary=vary,
                    draws=draws,
                    repeat=repeat,
                    keep_best=keep_best,
                    ray=ray,
                    ray_workers=ray_workers,
                    gpus_per_worker=gpus_per_worker,
                    threads=threads,
                    device=device,
                    time_limit_s=time_limit_s,
                    resume=resume,
                    skip_unreadable=skip_unreadable,
                    quiet=quiet,
                )
            except UnreadablePicturesError as error:
                list_unreadable(error.errors)
                raise
    except KeyboardInterrupt:
        say("stopped; --resume continues after the last result")
        raise
    counts = Population.load(folder).counts()
    print(f"{folder}: " + ", ".join(f"{number} {status}" for status, number in counts.items() if number))
