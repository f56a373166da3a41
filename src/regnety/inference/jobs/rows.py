"""How an answer is written: columns and rows for CSV and Parquet, an object for JSON lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from regnety.inference.predictor import Prediction

Record = TypeVar("Record", contravariant=True)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of CSV and Parquet."""

    name: str
    kind: Literal["text", "integer", "count", "real", "flag", "vector"]
    """In Parquet string, int32, int64, float64, bool, or a list of float32; any of them may be empty."""
    size: int | None = None
    """Number of values of a vector."""


class Answer(Protocol):
    """What a job has of each image: `Prediction`, `Embedding`."""

    @property
    def filename(self) -> str | None:
        """The name of the image, as it was given."""

    @property
    def error(self) -> str | None:
        """Why there is no answer, in one line; None if there is one."""


class Rows(Protocol[Record]):
    """How the answers of one kind are written."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of every row."""

    def rows_of(self, record: Record) -> Iterable[Sequence[Any]]:
        """At least one row, with a value per column: str, int, float, a float32 array [size], or None."""

    def as_dict(self, record: Record) -> Mapping[str, Any]:
        """Plain JSON values."""


class PredictionRows:
    """One row per file and rank. A file without an answer has one row, with its error or with nothing at all."""

    columns: tuple[Column, ...] = (
        Column("filename", "text"),
        Column("rank", "integer"),
        Column("index", "integer"),
        Column("label", "text"),
        Column("prob", "real"),
        Column("error", "text"),
    )

    def rows_of(self, record: "Prediction") -> Iterable[Sequence[Any]]:
        """One row per rank, from 1."""
        if not record.predictions:
            return [(record.filename, None, None, None, None, record.error)]
        return [
            (record.filename, rank, entry.index, entry.label, entry.prob, None)
            for rank, entry in enumerate(record.predictions, start=1)
        ]

    def as_dict(self, record: "Prediction") -> Mapping[str, Any]:
        """The fields of `--format json`."""
        return record.as_dict()


class WidePredictionRows(PredictionRows):
    """One row per file, for a spreadsheet: `label_1`, `prob_1`, `label_2` and so on, the most probable first.

    The label of a model without class names is the index.

    Args:
        count: pairs of a label and its probability; an answer with fewer leaves the rest empty.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        pairs = [
            column
            for rank in range(1, count + 1)
            for column in (Column(f"label_{rank}", "text"), Column(f"prob_{rank}", "real"))
        ]
        self.columns = (Column("filename", "text"), *pairs, Column("error", "text"))

    def rows_of(self, record: "Prediction") -> Iterable[Sequence[Any]]:
        """The one row."""
        values: list[Any] = [None] * (2 * self._count)  # also of an error: a spreadsheet wants rows of one width
        for rank, entry in enumerate(record.predictions[: self._count]):
            values[2 * rank : 2 * rank + 2] = str(entry.index) if entry.label is None else entry.label, entry.prob
        return [(record.filename, *values, record.error)]


def prediction_rows(top_k: int, num_classes: int, *, wide: bool) -> PredictionRows:
    """The rows of answers with the `top_k` best classes, or as many as there are."""
    # no columns for classes that the model does not have
    return WidePredictionRows(min(top_k, num_classes)) if wide else PredictionRows()


class PlainRows:
    """Rows that are tuples already; they need not be of images."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)

    def rows_of(self, record: Sequence[Any]) -> Iterable[Sequence[Any]]:
        """The row."""
        return [record]

    def as_dict(self, record: Sequence[Any]) -> Mapping[str, Any]:
        """By the names of the columns."""
        return {column.name: value for column, value in zip(self.columns, record, strict=True)}
