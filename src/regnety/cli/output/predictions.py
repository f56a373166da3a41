"""Predictions on stdout or in a file, written one by one as they come: for people or for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from regnety.cli.output import terminal
from regnety.cli.output.formats import RowFormat
from regnety.text import printable

if TYPE_CHECKING:
    from regnety.inference.jobs.rows import PredictionRows
    from regnety.inference.predictor import Prediction

PROBABILITY = "probability"


class Writer(Protocol):
    """Writes one prediction after the other."""

    def write(self, prediction: "Prediction") -> None:
        """Add one."""

    def end(self) -> None:
        """There are no more; whatever came is whole."""


class JsonWriter:
    """One array, an entry a prediction."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._separator = "["

    def write(self, prediction: "Prediction") -> None:
        """Add an entry."""
        text = json.dumps(prediction.as_dict(), indent=2, ensure_ascii=False)
        self._stream.write(f"{self._separator}\n  " + text.replace("\n", "\n  "))
        self._separator = ","

    def end(self) -> None:
        """Close the array."""
        self._stream.write("[]\n" if self._separator == "[" else "\n]\n")


class JsonLinesWriter:
    """A line a prediction."""

    def __init__(self, stream: TextIO) -> None:
        from regnety.inference.jobs.row_files import json_line

        self._stream = stream
        self._line = json_line

    def write(self, prediction: "Prediction") -> None:
        """Add a line."""
        self._stream.write(self._line(prediction.as_dict()))

    def end(self) -> None:
        """Nothing is open."""


class CsvWriter:
    """Rows, as in a file of them."""

    def __init__(self, stream: TextIO, rows: "PredictionRows") -> None:
        from regnety.inference.jobs.row_files import csv_text

        self._stream = stream
        self._rows = rows
        self._text = csv_text
        stream.write(csv_text([[column.name for column in self._rows.columns]]))

    def write(self, prediction: "Prediction") -> None:
        """Add the rows of a prediction."""
        self._stream.write(self._text(self._rows.rows_of(prediction)))

    def end(self) -> None:
        """Nothing is open."""


class TableWriter:
    """Aligned columns for people; errors go to stderr. In a narrow window names lose their middle, in a pipe nothing.

    Args:
        stream: where the table goes.
        names: of all images, so that the first row is as wide as the last.
        labels: of all classes; None where the index is shown.
    """

    def __init__(self, stream: TextIO, names: Iterable[str], labels: Sequence[str] | None) -> None:
        self._stream = stream
        self._bold = terminal.has_colours(stream)
        name = max([len("image"), *(terminal.columns_of(printable(name)) for name in names)])
        label = max([len("class"), *(terminal.columns_of(printable(label)) for label in labels or ())])
        limit = terminal.width() if stream is sys.stdout else None
        if limit is not None:
            spare = limit - len(PROBABILITY) - 4
            label = max(5, min(label, spare - min(name, spare // 2)))
            name = max(5, min(name, spare - label))
        self._widths = (name, label)
        self._begun = False

    def write(self, prediction: "Prediction") -> None:
        """Add the lines of a prediction."""
        if prediction.error is not None:
            return
        name = prediction.filename or ""
        for entry in prediction.predictions:
            label = str(entry.index) if entry.label is None else entry.label
            self._line(name, label, f"{100 * entry.prob:.1f} %")
            name = ""
        if not prediction.predictions:
            self._line(name, "-", "")

    def end(self) -> None:
        """Nothing is open."""

    def _line(self, name: str, label: str, probability: str) -> None:
        if not self._begun:
            self._begun = True
            head = self._cells("image", "class", PROBABILITY)
            self._stream.write(f"\x1b[1m{head}\x1b[0m\n" if self._bold else f"{head}\n")
        self._stream.write(self._cells(printable(name), printable(label), probability) + "\n")

    def _cells(self, name: str, label: str, probability: str) -> str:
        cells = [
            terminal.padded(terminal.shortened(text, size), size)
            for text, size in zip((name, label), self._widths, strict=True)
        ]
        return "  ".join([*cells, terminal.padded(probability, len(PROBABILITY), right=True)]).rstrip()


def make_writer(
    output_format: RowFormat,
    stream: TextIO,
    names: Iterable[str],
    labels: Sequence[str] | None,
    rows: "PredictionRows | None" = None,
) -> Writer:
    """The writer of a format; `names` and `labels` are as for the table, `rows` those of CSV, which needs them."""
    if output_format is RowFormat.table:
        return TableWriter(stream, names, labels)
    if output_format is RowFormat.csv:
        assert rows is not None
        return CsvWriter(stream, rows)
    return JsonWriter(stream) if output_format is RowFormat.json else JsonLinesWriter(stream)


@contextmanager
def output_stream(output: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that comes to its place when all is written, or when Ctrl-C ends the writing."""
    if output is None:
        yield sys.stdout
        return
    from regnety.storage import replacing

    if output.exists() and not (output.is_file() or output.is_dir()):  # /dev/stdout, a named pipe: written as it comes
        with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        return
    interrupted = False
    with replacing(output) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        try:
            yield file
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt
