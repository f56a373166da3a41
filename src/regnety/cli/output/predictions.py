"""Predictions on stdout or in a file, written as they come: a table for people, the others for programs."""

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from regnety.cli.output import terminal
from regnety.cli.output.formats import RowFormat
from regnety.text import printable

if TYPE_CHECKING:
    from regnety.inference.jobs.rows import PredictionRows
    from regnety.inference.predictor import Prediction

PROBABILITY = "probability"


class Writer(ABC):
    """Writes one prediction after the other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @abstractmethod
    def write(self, prediction: "Prediction") -> None:
        """Add one."""

    def end(self) -> None:  # noqa: B027 - most formats leave nothing open
        """Close what is open, also after Ctrl-C: what has come is a whole file."""


class JsonWriter(Writer):
    """One array with an entry per prediction."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._separator = "["

    def write(self, prediction: "Prediction") -> None:
        """Add an entry."""
        # each entry as it comes: an array of a million answers is never in memory
        text = json.dumps(prediction.as_dict(), indent=2, ensure_ascii=False)
        self._stream.write(f"{self._separator}\n  " + text.replace("\n", "\n  "))
        self._separator = ","

    def end(self) -> None:
        """Close the array."""
        self._stream.write("[]\n" if self._separator == "[" else "\n]\n")


class LinesWriter(Writer):
    """Predictions that stand alone, one or more lines each."""

    def __init__(self, stream: TextIO, lines_of: "Callable[[Prediction], str]") -> None:
        super().__init__(stream)
        self._lines_of = lines_of

    def write(self, prediction: "Prediction") -> None:
        """Add its lines."""
        self._stream.write(self._lines_of(prediction))


class TableWriter(Writer):
    """Aligned columns for people; errors go to stderr.

    Args:
        stream: where the table goes.
        names: names of all images, as the first row is written before the last is known.
        labels: names of all classes; None if indexes are shown.
    """

    def __init__(self, stream: TextIO, names: Iterable[str], labels: Sequence[str] | None) -> None:
        super().__init__(stream)
        self._bold = terminal.has_colours(stream)
        name = max([len("image"), *(terminal.columns_of(printable(name)) for name in names)])
        label = max([len("class"), *(terminal.columns_of(printable(label)) for label in labels or ())])
        limit = terminal.width() if stream is sys.stdout else None
        if limit is not None:  # half the window for either; what one of them does not need is the other's
            spare = limit - len(PROBABILITY) - 4  # two gaps of two spaces
            # five columns even in a very narrow window: a letter or two on either side of the dots
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
            name = ""  # it stands in the first line alone
        if not prediction.predictions:
            self._line(name, "-", "")

    def _line(self, name: str, label: str, probability: str) -> None:
        if not self._begun:
            self._begun = True
            head = self._cells("image", "class", PROBABILITY)
            # not by rich: it takes 90 ms to import, and rows come one at a time
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
    """The writer of a format; `names` and `labels` are for the table, `rows` for CSV."""
    if output_format is RowFormat.table:
        return TableWriter(stream, names, labels)
    if output_format is RowFormat.json:
        return JsonWriter(stream)
    from regnety.inference.jobs.row_files import csv_text, json_line

    if rows is None:
        return LinesWriter(stream, lambda prediction: json_line(prediction.as_dict()))
    stream.write(csv_text([[column.name for column in rows.columns]]))
    return LinesWriter(stream, lambda prediction: csv_text(rows.rows_of(prediction)))


@contextmanager
def output_stream(output: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that appears at its place when all is written or Ctrl-C ends the writing."""
    if output is None:
        yield sys.stdout
        return
    from regnety.storage.replacing import replacing

    if output.exists() and not (output.is_file() or output.is_dir()):  # /dev/stdout, a named pipe: written as it comes
        with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        return
    # `replacing` throws away what an exception cuts short; but the answers until Ctrl-C are worth keeping
    interrupted = False
    with replacing(output) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        try:
            yield file
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt
