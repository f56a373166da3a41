"""Embeddings in Parquet: one row per image, and in the file's metadata the model and what it was shown."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.errors import DataError, RegNetYError
from regnety.extras import import_extra
from regnety.files.opening import open_file
from regnety.images.sources import ImageSource
from regnety.inference.jobs.job import Job, JobSummary, run_job
from regnety.inference.jobs.places import Place
from regnety.inference.jobs.rows import Column
from regnety.inference.similarity.embedder import Embedder, Embedding, EmbeddingOrigin, origin_from_dict
from regnety.text import one_line

if TYPE_CHECKING:
    import pyarrow

KEY = "regnety"  # under which `row_files` keeps what is known of a whole file
MAGIC = b"PAR1"  # of Parquet
KIND = "embeddings"
BLOCK_BYTES = 8 << 20  # of embeddings that are read at once


class EmbeddingRows:
    """One row per image: `filename`, `embedding`, `error`.

    Args:
        num_features: values of an embedding.
    """

    def __init__(self, num_features: int) -> None:
        self.columns = (
            Column("filename", "text"),
            Column("embedding", "vector", num_features),
            Column("error", "text"),
        )

    def rows_of(self, record: Embedding) -> Iterable[Sequence[Any]]:
        """The one row."""
        return [(record.filename, record.values, record.error)]

    def as_dict(self, record: Embedding) -> Mapping[str, Any]:
        """Plain JSON values."""
        values = None if record.values is None else record.values.tolist()
        return {"filename": record.filename, "embedding": values, "error": record.error}


def write_embeddings(
    path: str | Path | Place,
    embedder: Embedder | Bundle | str | Path,
    images: Iterable[ImageSource],
    *,
    resume: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_record: Callable[[Embedding], None] | None = None,
) -> JobSummary:
    """Embed images and write a Parquet file, which appears once all are done.

        summary = write_embeddings("embeddings.parquet", "regnety_040", list_of_paths, resume=True)

    The output comes first here; `write_predictions` takes it last.

    Args:
        path: a path, or an address that fsspec reaches.
        embedder: an embedder, or whatever a model may be (`Bundle.load`).
        images: paths or addresses; any number, read one at a time.
        resume: continue what was interrupted: images that have rows are skipped.
        on_start: called before the first image with the number of those that have rows already.
        on_record: called with each answer.

    Returns:
        As for `write_predictions`.

    Raises:
        JobError: there is an unfinished job and `resume` is not set, or it has other settings; with `resume`, the
            finished output lacks some of the images or has other settings; another process is writing the output, or it
            cannot be written.
        MissingExtraError: pyarrow is not installed, or fsspec for an address.
        TypeError: the arguments are in another order, as that of `write_predictions`.
    """
    # Before a model is loaded. A string of images would be read as one image for each letter.
    if isinstance(images, str | Path) or not isinstance(embedder, Embedder | Bundle | str | Path):
        raise TypeError("write_embeddings takes the output, the model and a list of images, in this order")
    embedder = embedder if isinstance(embedder, Embedder) else Embedder(embedder)
    job = Job(
        answer=lambda waiting, count: embedder.stream(waiting, on_error="record", count=count),
        rows=EmbeddingRows(embedder.num_features),
        row_format="parquet",
        # max_pixels too: it decides which images have an error in place of an embedding
        settings={"kind": KIND, **embedder.origin.settings, "max_pixels": embedder.options.max_pixels},
        about={"model": embedder.origin.model},
        model=embedder,
    )
    return run_job(job, images, path, resume=resume, on_start=on_start, on_record=on_record)


@dataclass(frozen=True, slots=True)
class EmbeddingBlock:
    """Some rows of a file, without those that have no embedding."""

    values: npt.NDArray[np.float32]
    """[rows, num_features], not normalised."""
    names: "pyarrow.StringArray"

    def filenames(self, rows: npt.NDArray[np.intp] | None = None) -> list[str]:
        """File names of some rows, or of all."""
        names = self.names if rows is None else self.names.take(rows)
        return [name or "" for name in names.to_pylist()]


class Embeddings:
    """A file of embeddings, opened by `read_embeddings`. Rows are read when they are asked for, in blocks."""

    def __init__(self, path: str | Path) -> None:
        pq = import_extra("pyarrow.parquet", feature="a file of embeddings", extra="table")
        self.path = Path(path)
        with _read_errors(self.path):
            # refuses a pipe, on which Arrow would wait for ever; what is no Parquet at all is told by its first letters
            with open_file(self.path) as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise DataError(f"{path}: is not a file that `regnety embed` wrote")
            metadata = pq.read_metadata(self.path)
            schema = pq.read_schema(self.path)
        self.num_images = metadata.num_rows
        """Number of rows, including images that could not be read."""
        self.origin = _origin(self.path, schema)
        """The model, and what it was shown."""

    @property
    def num_features(self) -> int:
        """Values of an embedding."""
        return self.origin.num_features

    def blocks(self) -> Iterator[EmbeddingBlock]:
        """All embeddings in the order of their rows, some megabytes at a time; rows without one are left out.

        Raises:
            DataError: the file is damaged.
        """
        import pyarrow.parquet as pq

        rows = max(1, BLOCK_BYTES // (4 * self.num_features))
        # pre_buffer keeps what it reads ahead: 60 MiB more for a file of 95 MiB
        with _read_errors(self.path), pq.ParquetFile(self.path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=rows, columns=["filename", "embedding"]):
                column = batch.column("embedding")
                names = batch.column("filename").filter(column.is_valid())
                # flatten leaves out nulls: as many rows as there are names
                values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(names), self.num_features)
                if len(names):
                    yield EmbeddingBlock(values, names)

    def load(self) -> tuple[list[str], npt.NDArray[np.float32]]:
        """All file names, and their embeddings [images that could be read, num_features].

        Raises:
            DataError: the file is damaged.
        """
        filenames: list[str] = []
        # a row for each image of the file; those without an embedding leave the last ones unused
        values = np.empty((self.num_images, self.num_features), np.float32)
        for block in self.blocks():
            values[len(filenames) : len(filenames) + len(block.values)] = block.values
            filenames += block.filenames()
        return filenames, values[: len(filenames)]


def read_embeddings(path: str | Path) -> Embeddings:
    """Open a file of embeddings that `regnety embed` or `write_embeddings` wrote.

    Raises:
        DataError: it is not such a file, or cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    return Embeddings(path)


def _origin(path: Path, schema: "pyarrow.Schema") -> EmbeddingOrigin:
    """The origin in the metadata, if the columns match it."""
    import pyarrow as pa

    try:
        table = json.loads((schema.metadata or {})[KEY.encode()])
        if table["kind"] != KIND:
            raise KeyError(KIND)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise DataError(f"{path}: is not a file that `regnety embed` wrote") from None
    try:
        origin = origin_from_dict(table)
    except (RegNetYError, TypeError) as error:
        raise DataError(f"{path}: {error}; embed the images again") from error
    wanted = {"filename": pa.string(), "embedding": pa.list_(pa.float32(), origin.num_features)}
    for name, kind in wanted.items():
        if name not in schema.names or schema.field(name).type != kind:
            raise DataError(f"{path}: has no column {name} of type {kind}; embed the images again")
    return origin


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Arrow's errors as one line that names the file."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {one_line(error)}") from error
