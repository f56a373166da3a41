"""What `regnety bench` and `regnety pick` measured, for people and for programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from regnety.cli.output.rows import Listing, kinds_of, listing_of, print_table

if TYPE_CHECKING:
    from regnety.inference.latency.timing import LatencyRow

NUMBERS = ("top1", "size", "batch", "p50 ms", "p99 ms", "images/s", "MiB", "job MiB")
# The precision has no heading: beside the engine, f32 says what it is. `on` is the day.
COLUMNS = ("model", "top1", "size", "engine", "", "batch", "p50 ms", "p99 ms", "images/s", "MiB", "auto", "runs", "on")


def latency_listing(rows: "Sequence[LatencyRow]") -> Listing:
    """Measurements in all formats."""
    from regnety.inference.latency.timing import LatencyRow

    return listing_of([row.as_dict() for row in rows], kinds_of(LatencyRow), lambda stream: _print_table(rows, stream))


def _print_table(rows: "Sequence[LatencyRow]", stream: TextIO) -> None:
    # the memory of a batch job is measured by `pick --memory-mib` alone
    columns, cells = list(COLUMNS), [list(_cells(row)) for row in rows]
    if any(row.job_memory_mib is not None for row in rows):
        place = COLUMNS.index("MiB") + 1
        columns.insert(place, "job MiB")
        for row, line in zip(rows, cells, strict=True):
            line.insert(place, "" if row.job_memory_mib is None else f"{row.job_memory_mib:,.0f}")
    print_table(columns, cells, right=NUMBERS, stream=stream)


def figures(row: "LatencyRow") -> str:
    """One row in a few words."""
    memory = "" if row.memory_mib is None else f", {row.memory_mib:,.0f} MiB"
    if row.job_memory_mib is not None:  # what the budget of `pick` is held against
        memory = f", a batch job {row.job_memory_mib:,.0f} MiB"
    return (
        f"{row.model} {row.engine} {row.precision} batch {row.batch_size}: "
        f"{milliseconds(row.latency_p50_ms)} ms, {row.images_per_second:,.1f} images/s{memory}"
    )


def _cells(row: "LatencyRow") -> tuple[str, ...]:
    return (
        row.model,
        "" if row.top1 is None else f"{row.top1:.2f}",
        str(row.image_size),
        row.engine,
        row.precision,
        str(row.batch_size),
        milliseconds(row.latency_p50_ms),
        milliseconds(row.latency_p99_ms),
        f"{row.images_per_second:,.1f}",
        "" if row.memory_mib is None else f"{row.memory_mib:,.0f}",
        "*" if row.auto else "",
        # how a batch was run fastest: 4x2 is four runs side by side, of two images each
        f"{row.workers}x{row.images_per_run}",
        row.date[:10],
    )


def milliseconds(value: float) -> str:
    """Three digits, as many as can be trusted."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
