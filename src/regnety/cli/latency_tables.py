"""What `regnety bench` and `regnety pick` measured, for people and for programs."""

import csv
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.cli.formats import RowFormat
from regnety.cli.tables import print_table

if TYPE_CHECKING:
    from regnety.inference.timing import LatencyRow

NUMBERS = ("top1", "size", "batch", "p50 ms", "p99 ms", "images/s", "MiB")
COLUMNS = ("model", "top1", "size", "engine", "", "batch", "p50 ms", "p99 ms", "images/s", "MiB", "auto", "runs", "on")


def write_rows(rows: "Sequence[LatencyRow]", output_format: RowFormat, output: Path | None) -> None:
    """Print measurements, or write them to a file."""
    from regnety.cli.results import output_stream

    dicts = [row.as_dict() for row in rows]
    with output_stream(output) as stream:
        if output_format is RowFormat.json:
            stream.write(json.dumps(dicts, indent=2, ensure_ascii=False) + "\n")
        elif output_format is RowFormat.jsonl:
            stream.writelines(json.dumps(values, ensure_ascii=False) + "\n" for values in dicts)
        elif output_format is RowFormat.csv:
            from regnety.inference.timing import LatencyRow

            writer = csv.DictWriter(stream, [field.name for field in fields(LatencyRow)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(dicts)
        else:
            print_table(COLUMNS, map(_cells, rows), right=NUMBERS, stream=stream)


def figures(row: "LatencyRow") -> str:
    """One row in a few words."""
    memory = "" if row.memory_mib is None else f", {row.memory_mib:,.0f} MiB"
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
        f"{row.workers}x{row.images_per_run}",
        row.date[:10],
    )


def milliseconds(value: float) -> str:
    """Three digits, as many as can be trusted."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
