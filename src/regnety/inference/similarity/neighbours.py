"""`find_neighbours`: the images that are most similar to others, by the cosine of their embeddings.

Every stored embedding is read, some megabytes at a time, so that memory is flat and the answer exact. For a few queries
most of the time goes into reading (`benchmarks/similar_images.py`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regnety.inference.similarity.embedding_files import EmbeddingBlock, Embeddings

FloatArray = npt.NDArray[np.float32]
QUERY_ROWS = 1024  # queries that are compared with a block at once: bounds the memory of their similarities


@dataclass(frozen=True, slots=True)
class SimilarImage:
    """A stored image, and how similar it is to another one."""

    filename: str
    similarity: float
    """Cosine of the two embeddings, -1 to 1; of pooled features, which are not negative, 0 to 1."""


def find_neighbours(queries: FloatArray, embeddings: Embeddings, top_k: int = 5) -> list[tuple[SimilarImage, ...]]:
    """The stored images that are most similar to others.

    Args:
        queries: embeddings of the others [number, num_features], from an `Embedder.like(embeddings.origin)`.
        embeddings: from `read_embeddings`; read once.
        top_k: number of neighbours of each query, at most all.

    Returns:
        For each query its neighbours, the most similar first, and equally similar ones in the order of the file. An
        image that is stored itself is its own first neighbour.

    Raises:
        DataError: the file is damaged.
        ValueError: top_k is below 1, or the queries have another size.
    """
    if not isinstance(top_k, int | np.integer) or top_k < 1:
        raise ValueError(f"top_k must be a whole number of at least 1, got {top_k!r}")
    if queries.ndim != 2 or queries.shape[1] != embeddings.num_features:
        raise ValueError(f"queries must be [number, {embeddings.num_features}], got {queries.shape}")
    # at most as many as there are: the best are held for every query, and --top-k may be a million
    nearest = _Nearest(normalised(queries), min(top_k, max(1, embeddings.num_images)))
    for block in embeddings.blocks():
        nearest.look_at(block)
    return nearest.answers()


def normalised(values: npt.NDArray[np.floating]) -> FloatArray:
    """Rows of length 1, so that dot products are cosines; a row of zeros stays one."""
    norms = np.linalg.norm(values.astype(np.float32, copy=False), axis=1, keepdims=True)
    return (values / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)


class _Nearest:
    """The best so far for each query."""

    def __init__(self, queries: FloatArray, top_k: int) -> None:
        self._queries = queries
        self._top_k = top_k
        self._similarities = np.full((len(queries), top_k), -np.inf, np.float32)
        self._names = np.full((len(queries), top_k), None, object)

    def look_at(self, block: EmbeddingBlock) -> None:
        stored = normalised(block.values)
        for start in range(0, len(self._queries), QUERY_ROWS):
            self._merge(slice(start, start + QUERY_ROWS), stored, block)

    def _merge(self, some: slice, stored: FloatArray, block: EmbeddingBlock) -> None:
        similarities = self._queries[some] @ stored.T
        # most blocks have nothing better for most queries: only the others are sorted
        # strictly better: of equals, the one that came first in the file stays
        better = np.flatnonzero(similarities.max(axis=1) > self._similarities[some, -1])
        if not len(better):
            return
        similarities = similarities[better]
        columns = _largest_columns(similarities, self._top_k)
        similarities = np.take_along_axis(similarities, columns, axis=1)
        # only of these the names become texts: the others stay Arrow's bytes
        names = np.array(block.filenames(columns.ravel()), object).reshape(columns.shape)
        rows = better + some.start
        found = np.concatenate([self._similarities[rows], similarities], axis=1)
        # negated, as argsort goes upwards; reversed, a stable order would turn equals round
        order = np.argsort(-found, axis=1, kind="stable")[:, : self._top_k]
        self._similarities[rows] = np.take_along_axis(found, order, axis=1)
        self._names[rows] = np.take_along_axis(np.concatenate([self._names[rows], names], axis=1), order, axis=1)

    def answers(self) -> list[tuple[SimilarImage, ...]]:
        return [
            tuple(
                SimilarImage(name, float(similarity.clip(-1, 1)))
                for name, similarity in zip(names, similarities, strict=True)
                if name is not None
            )
            for names, similarities in zip(self._names, self._similarities, strict=True)
        ]


def _largest_columns(values: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Columns of the largest values of each row, from left to right; of equal values the left ones."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    # argpartition takes any of those that tie with the smallest one it keeps; rows with such ties are sorted instead
    columns = np.argpartition(-values, count - 1, axis=1)[:, :count]
    smallest = np.take_along_axis(values, columns, axis=1).min(axis=1, keepdims=True)
    tied = (values >= smallest).sum(axis=1) > count
    for row in np.flatnonzero(tied):
        columns[row] = np.argsort(-values[row], kind="stable")[:count]
    return np.sort(columns, axis=1)
