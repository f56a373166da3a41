"""Groups of photographs that are one photograph: saved again, resized, made lighter or slightly cropped.

A photograph is first compared with all others by a few numbers of its small picture, which is a matrix product, and
then laid over the few that are most like it. Embeddings of a small network do this worse: at the cosine that finds
three of four copies less 5 % of their sides, 65,829 pairs of 10,000 photographs of Tiny ImageNet are alike.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from regnety.datasets.checking.alignment import FloatArray, aligned_similarity, blurred, shrunk
from regnety.progress import Progress

SIMILAR = 0.95
"""Correlation of the details of two pictures, one laid over the other, from which on they are one photograph. Different
photographs have up to 0.94, and these show one plain shape, as an obelisk or a beaker; two signs of one hand 0.91."""
ALIKE = 0.7
"""Cosine of signatures from which on pictures are laid over each other; copies less a tenth of their sides have it."""
NEIGHBOURS = 4
"""With how many of those most like it a picture is compared: of the hundreds of pictures of a series, each is joined
through its neighbours."""
SIGNATURE_SIDE = 16
BLOCK_BYTES = 1 << 26
"""Of the cosines that are held at once."""
PAIRS = 1024
"""That are laid over each other between two steps of the progress."""

Indices = npt.NDArray[np.intp]


def near_duplicates(greys: npt.NDArray[np.uint8], *, quiet: bool = True) -> list[Indices]:
    """Groups of pictures that show one photograph; a picture may be linked to another through a third.

    Args:
        greys: small pictures [pictures, side, side], each different from all others.
        quiet: no progress on stderr.

    Returns:
        The places of each group's pictures, at least two, in order; groups in the order of their first pictures.
    """
    first = list(range(len(greys)))

    def root(place: int) -> int:
        while first[place] != place:
            first[place] = first[first[place]]
            place = first[place]
        return place

    pairs = _alike(_signatures(greys), quiet=quiet)
    with Progress("comparing", total=len(pairs), quiet=quiet) as progress:
        for start in range(0, len(pairs), PAIRS):
            some = pairs[start : start + PAIRS]
            left, right = (greys[some[:, side]].astype(np.float32) for side in (0, 1))
            for one, other in some[aligned_similarity(left, right) >= SIMILAR].tolist():
                smaller, larger = sorted((root(one), root(other)))
                first[larger] = smaller
            progress.advance(len(some))
    roots = np.array([root(place) for place in range(len(greys))], np.intp)
    sizes = np.bincount(roots, minlength=1)
    return [np.flatnonzero(roots == group) for group in np.flatnonzero(sizes > 1)]


def _signatures(greys: npt.NDArray[np.uint8]) -> FloatArray:
    """[pictures, SIGNATURE_SIDE²], of length 1: the larger details, blurred so that a shift of a pixel matters less."""
    small = np.empty((len(greys), SIGNATURE_SIDE, SIGNATURE_SIDE), np.float32)
    for start in range(0, len(greys), PAIRS):
        small[start : start + PAIRS] = shrunk(greys[start : start + PAIRS].astype(np.float32), SIGNATURE_SIDE)
    values: FloatArray = (blurred(small, 1) - blurred(small, 3)).reshape(len(small), SIGNATURE_SIDE**2)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.where(lengths > 0, lengths, 1)
    return values


def _alike(signatures: FloatArray, *, quiet: bool) -> Indices:
    """[pairs, 2]: each picture with those most like it, the smaller place first, every pair once."""
    found: list[Indices] = [np.empty((0, 2), np.intp)]
    with Progress("looking for copies", total=len(signatures), quiet=quiet) as progress:
        for start, cosines in _blocks(signatures):
            here = np.arange(len(cosines))
            cosines[here, start + here] = -1  # with itself
            for _ in range(min(NEIGHBOURS, len(signatures) - 1)):
                nearest = cosines.argmax(axis=1)
                rows = np.flatnonzero(cosines[here, nearest] >= ALIKE)
                found.append(np.sort(np.stack([start + rows, nearest[rows]], axis=1), axis=1))
                cosines[here, nearest] = -1
            progress.advance(len(cosines))
    pairs: Indices = np.unique(np.concatenate(found), axis=0)
    return pairs


def _blocks(signatures: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """The cosines of some pictures with all, and the place of the first of them."""
    rows = max(1, BLOCK_BYTES // (4 * max(1, len(signatures))))
    for start in range(0, len(signatures), rows):
        yield start, signatures[start : start + rows] @ signatures.T
