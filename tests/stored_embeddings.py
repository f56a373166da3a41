"""Files of embeddings that hold any numbers, as if a model had given them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regnety import Embeddings, Preprocessing, read_embeddings
from regnety.inference.jobs.job import Job, run_job
from regnety.inference.similarity.embedder import Embedding, EmbeddingOrigin
from regnety.inference.similarity.embedding_files import KIND, EmbeddingRows


def stored_embeddings(
    path: Path, values: npt.NDArray[np.float32], *, filenames: Sequence[str] = (), unreadable: Sequence[int] = ()
) -> Embeddings:
    """A file of these embeddings [rows, num_features], of which some rows have an error instead."""
    filenames = filenames or [f"{row}.jpg" for row in range(len(values))]
    origin = EmbeddingOrigin(
        model="none",
        weights="0" * 64,
        num_features=values.shape[1],
        preprocessing=Preprocessing(),
        exif_orientation=True,
        pixels="fast",
    )
    records = (
        Embedding(name, None, f"{name}: is empty") if row in unreadable else Embedding(name, values[row], None)
        for row, name in enumerate(filenames)
    )

    def answers(asked: "object", count: int | None) -> "object":
        for _, record in zip(asked, records, strict=False):  # type: ignore[call-overload]
            yield record

    job: Job[Embedding] = Job(
        answer=answers,  # type: ignore[arg-type]
        rows=EmbeddingRows(origin.num_features),
        row_format="parquet",
        settings={"kind": KIND, **origin.settings},
        about={"model": origin.model},
    )
    run_job(job, filenames, path)
    return read_embeddings(path)


def pooled(count: int, size: int, *, seed: int = 0, classes: int = 10) -> npt.NDArray[np.float32]:
    """What pooled features look like: around some centres, in few directions, not negative, a third of them 0."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((classes, size), np.float32)
    directions = 0.3 * random.standard_normal((16, size), np.float32)
    values = (
        centres[random.integers(classes, size=count)] + random.standard_normal((count, 16), np.float32) @ directions
    )
    return np.maximum(values + 0.2 * random.standard_normal((count, size), np.float32), 0)
