"""Whether two small grey pictures are one photograph, saved again, resized or slightly cropped.

The second picture is laid over the first one: what is searched are its size and place along both axes, by the least
squares of Lucas and Kanade, on blurred pictures first. Then the details of both are correlated where they overlap.
Different photographs of one scene have the same large shapes, which is all that a network of 32 pixels sees, but their
details do not lie on each other.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

LARGEST_CHANGE = 0.25
"""Of size and of place, as a share of the side: a copy that was cropped more than that is another picture."""
SMALL_SIDE = 16
"""Of the pictures that are laid over each other first."""
POSSIBLE = 0.8
"""Similarity on the small pictures from which on the whole ones are compared. Of copies less 5 or 10 % of their sides
one in twenty is below."""
SMALL_BLURS = (1,)
BLURS = (2, 1)
"""Reach of the blur in the rounds of the search, in pixels."""
STEPS = 4
"""In each round; more change nothing."""
PAIRS = 128
"""At once: their arrays stay in a core's cache."""


def aligned_similarity(first: FloatArray, second: FloatArray) -> FloatArray:
    """How well the details of pictures lie on each other, -1 to 1 for each pair; below `POSSIBLE` it is rough.

    Args:
        first: [pairs, side, side], brightness in any unit; `side` is a multiple of `SMALL_SIDE`.
        second: the same, each to be laid over the picture of its place in `first`.
    """
    similarity = np.empty(len(first), np.float32)
    for start in range(0, len(first), PAIRS):
        some = slice(start, start + PAIRS)
        similarity[some] = _similarity(first[some], second[some])
    return similarity


def shrunk(pictures: FloatArray, side: int) -> FloatArray:
    """[pictures, larger, larger] -> [pictures, side, side], each pixel the mean of those that it stands for."""
    step = pictures.shape[-1] // side
    means: FloatArray = pictures.reshape(-1, side, step, side, step).mean(axis=(2, 4))
    return means


def details(pictures: FloatArray) -> FloatArray:
    """Shapes of some 3 to 13 pixels of a side of 64, [pictures, side, side]: neither noise nor the light of a scene."""
    unit = pictures.shape[-1] / 64
    return blurred(pictures, round(unit)) - blurred(pictures, max(1, round(6 * unit)))


def blurred(pictures: FloatArray, reach: int) -> FloatArray:
    """The mean of each pixel's neighbours up to `reach` away, twice as many and one more along both axes."""
    for axis in (1, 2):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (reach + 1, reach)
        sums = np.cumsum(np.pad(pictures, padding, mode="edge"), axis=axis, dtype=np.float32)
        size = pictures.shape[axis]
        width = 2 * reach + 1
        upper = sums.take(range(width, width + size), axis=axis)
        pictures = (upper - sums.take(range(size), axis=axis)) / np.float32(width)
    return pictures


def _similarity(first: FloatArray, second: FloatArray) -> FloatArray:
    columns = np.zeros((len(first), 2), np.float32)  # change of size, and of place, for each pair
    small = shrunk(first, SMALL_SIDE), shrunk(second, SMALL_SIDE)
    columns, rows = _aligned(*small, columns, np.zeros_like(columns), SMALL_BLURS)
    similarity = _correlation(*small, columns, rows)
    some = np.flatnonzero(similarity >= POSSIBLE)
    if len(some):
        whole = first[some], second[some]
        similarity[some] = _correlation(*whole, *_aligned(*whole, columns[some], rows[some], BLURS))
    return similarity


def _aligned(
    first: FloatArray, second: FloatArray, columns: FloatArray, rows: FloatArray, blurs: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """What lays the second pictures over the first ones, found from a guess: its change along columns and rows."""
    for blur in blurs:
        fixed, moved = (_standardised(blurred(pictures, blur)) for pictures in (first, second))
        for _ in range(STEPS):
            change = _step(fixed, moved, columns, rows)
            columns = np.clip(columns + change[:, :2], -LARGEST_CHANGE, LARGEST_CHANGE)
            rows = np.clip(rows + change[:, 2:], -LARGEST_CHANGE, LARGEST_CHANGE)
    return columns, rows


def _step(fixed: FloatArray, moved: FloatArray, columns: FloatArray, rows: FloatArray) -> FloatArray:
    """[pairs, 4]: by how much to change size and place along columns and rows."""
    pairs, side = fixed.shape[:2]
    now, overlap = _laid_over(moved, columns, rows)
    slope_down, slope_across = (slope * side for slope in np.gradient(now, axis=(1, 2)))
    place = _places(side)
    # the last one is brightness: a copy may have been made lighter
    slopes = [slope_across * place, slope_across, slope_down * place[:, None], slope_down, np.ones_like(now)]
    jacobian = (np.stack(slopes, axis=1) * overlap[:, None]).reshape(pairs, 5, -1)
    difference = ((fixed - now) * overlap).reshape(pairs, -1, 1)
    # a little added to the diagonal: a picture of stripes says nothing about one of the axes
    matrix = jacobian @ jacobian.transpose(0, 2, 1) + np.eye(5, dtype=np.float32) * (1e-3 * side * side)
    change: FloatArray = np.linalg.solve(matrix, jacobian @ difference)[:, :4, 0]
    return change


def _laid_over(pictures: FloatArray, columns: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pictures in their new size and place, and where there is something of them: 1 and 0."""
    side = pictures.shape[-1]
    across, there_across = _resampling(columns, side)
    down, there_down = _resampling(rows, side)
    overlap = there_down[:, :, None] & there_across[:, None, :]
    return np.matmul(np.matmul(down, pictures), across.transpose(0, 2, 1)), overlap.astype(np.float32)


def _resampling(change: FloatArray, side: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The matrices [pairs, side, side] that resize and move along one axis, and which results lie in the picture."""
    wanted = ((_places(side) * (1 + change[:, :1]) + change[:, 1:]) + 0.5) * side - 0.5
    # clipped: beyond its edge a picture goes on as at the edge
    distance = np.abs(wanted.clip(0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32))
    weights = np.maximum(0, 1 - distance)  # linear interpolation: at most two pixels have a weight
    return weights, (wanted >= -0.5) & (wanted <= side - 0.5)


def _places(side: int) -> FloatArray:
    """The middle of each pixel, -0.5 to 0.5."""
    return ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)


def _standardised(pictures: FloatArray) -> FloatArray:
    pictures = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    standardised: FloatArray = pictures / (np.sqrt((pictures**2).mean(axis=(1, 2), keepdims=True)) + np.float32(1e-6))
    return standardised


def _correlation(first: FloatArray, second: FloatArray, columns: FloatArray, rows: FloatArray) -> FloatArray:
    """Of the details, where the second pictures lie on the first ones."""
    laid_over, overlap = _laid_over(second, columns, rows)
    count = overlap.sum(axis=(1, 2), keepdims=True).clip(1)
    left, right = (
        (values - (values * overlap).sum(axis=(1, 2), keepdims=True) / count) * overlap
        for values in (details(first), details(laid_over))
    )
    lengths = np.sqrt((left**2).sum(axis=(1, 2)) * (right**2).sum(axis=(1, 2)))
    result: FloatArray = (left * right).sum(axis=(1, 2)) / (lengths + np.float32(1e-3))
    return result
