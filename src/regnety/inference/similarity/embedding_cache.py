"""`cached_embeddings`: the embeddings of images, computed only for those whose content was not embedded before.

A file is read once: its bytes are hashed, and embedded if the cache does not know them. Content decides, not names and
times: a photograph that was moved is found again, one that was changed is not.
"""

import hashlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.errors import ImageError
from regnety.images.sources import NamedImage, StoredImage, read_image_file, source_name
from regnety.inference.engines.processor import available_cores
from regnety.inference.similarity.embedder import Embedder
from regnety.inference.similarity.kept_embeddings import KeptEmbeddings
from regnety.progress import Progress

KEPT_EVERY_S = 60.0
"""Seconds of work that a kill may cost."""
READERS_OF_ADDRESSES = 16  # threads that wait for a network and hardly compute
READ_AHEAD = 4
"""Files read and not yet embedded, for each thread that reads."""

ImageFile: TypeAlias = str | Path | StoredImage | NamedImage


class CachedEmbeddings(NamedTuple):
    """The embeddings of some images."""

    values: npt.NDArray[np.float32]
    """[N, num_features], not normalised; NaN for an image that cannot be read."""
    errors: list[str | None]
    """[N], why there is none, in one line; None where there is one."""


def cached_embeddings(embedder: Embedder, images: Sequence[ImageFile], *, quiet: bool = False) -> CachedEmbeddings:
    """Embed image files, in their order, and keep the embeddings in the cache.

    Args:
        embedder: the model, and what it is shown. Embeddings of another model, size, crop, way to pixels or precision
            are others.
        images: paths, addresses, images within larger files, or bytes with a name.
        quiet: no progress.

    Raises:
        EngineError, WeightsError: the model cannot be run.
    """
    kept = KeptEmbeddings({**embedder.origin.settings, "precision": embedder.options.precision}, embedder.num_features)
    values = np.full((len(images), embedder.num_features), np.nan, np.float32)
    errors: list[str | None] = [None] * len(images)
    waiting: deque[tuple[int, bytes]] = deque()  # which image each embedding that is to come belongs to
    first_with: dict[bytes, int] = {}
    copies: list[tuple[int, int]] = []
    fresh: dict[bytes, npt.NDArray[np.float32]] = {}
    kept_at = time.monotonic()

    def unknown() -> Iterator[NamedImage]:
        """The images that have to be embedded, while those that are known take their values."""
        for number, found in enumerate(_read_ahead(images)):
            if isinstance(found, ImageError):
                errors[number] = str(found)
            elif (known := kept.get(found[0])) is not None:
                values[number] = known
            elif found[0] in first_with:
                copies.append((number, first_with[found[0]]))
            else:
                first_with[found[0]] = number
                waiting.append((number, found[0]))
                yield found[1]
                continue
            progress.advance()

    try:
        with Progress("embeddings", total=len(images), quiet=quiet) as progress:
            # How many are unknown is not known yet. Most may be: then it pays to look for the fastest way.
            for embedding in embedder.stream(unknown(), on_error="record", count=len(images)):
                number, digest = waiting.popleft()
                errors[number] = embedding.error
                if embedding.values is not None:
                    values[number] = fresh[digest] = embedding.values
                progress.advance()
                if time.monotonic() - kept_at > KEPT_EVERY_S:
                    kept.add(fresh)
                    fresh, kept_at = {}, time.monotonic()
    finally:  # also after Ctrl-C: the next run goes on from there
        kept.add(fresh)
        kept.close()
    for number, original in copies:
        values[number] = values[original]
        if (error := errors[original]) is not None:
            errors[number] = _name(images[number], number) + error.removeprefix(_name(images[original], original))
    return CachedEmbeddings(values, errors)


def _name(image: ImageFile, number: int) -> str:
    return source_name(image) or f"images[{number}]"


def _read_ahead(images: Sequence[ImageFile]) -> Iterator[tuple[bytes, NamedImage] | ImageError]:
    """The SHA-256 of each file with its bytes, in order, while threads read the next ones."""
    is_remote = any(isinstance(image, str) and "://" in image for image in images)
    threads = READERS_OF_ADDRESSES if is_remote else available_cores()
    with ThreadPoolExecutor(threads, thread_name_prefix="regnety-read") as pool:
        reading: deque[Future[tuple[bytes, NamedImage] | ImageError]] = deque()
        try:
            for number, image in enumerate(images):
                reading.append(pool.submit(_read, image, _name(image, number)))
                if len(reading) == READ_AHEAD * threads:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(image: ImageFile, name: str) -> tuple[bytes, NamedImage] | ImageError:
    try:
        data = read_image_file(image)
    except ImageError as error:
        return error
    return hashlib.sha256(data).digest(), NamedImage(name, data)
