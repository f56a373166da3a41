"""Whether the tensors of a checkpoint are those of a description: every key, none left over, every shape equal."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError

NAMED_DIFFERENCES = 3
"""How many keys a message names after the first."""


def check_shapes(
    architecture: Architecture,
    shapes: Mapping[str, Sequence[int]],
    *,
    source: str,
    wanted_by: str = "the architecture",
) -> None:
    """Compare names and shapes; `num_batches_tracked` may be absent, as only training uses it.

    Args:
        architecture: what the tensors are for.
        shapes: key to shape.
        source: what the message begins with: the file.
        wanted_by: what the message calls the architecture.

    Raises:
        WeightsError: says what is wrong with the first key that differs, and which other keys do.
    """
    _refuse(differences(architecture, shapes, wanted_by=wanted_by), source)


def differences(
    architecture: Architecture, shapes: Mapping[str, Sequence[int]], *, wanted_by: str = "the architecture"
) -> dict[str, str]:
    """Key to what is wrong with it, missing ones first; arguments as for `check_shapes`."""
    wanted = architecture.state_dict_shapes()
    found = dict(_different_keys(wanted, shapes, wanted_by))
    for key in (key for key in shapes if key in wanted and tuple(shapes[key]) != wanted[key]):
        found[key] = f"{key} is {tuple(shapes[key])}, {wanted_by} expects {wanted[key]}"
    return found


def check_keys(
    architecture: Architecture, keys: Collection[str], *, source: str, wanted_by: str = "the architecture"
) -> None:
    """Compare names alone; arguments and errors as for `check_shapes`."""
    _refuse(dict(_different_keys(architecture.state_dict_shapes(), keys, wanted_by)), source)


def check_shape(
    key: str, found: Sequence[int], wanted: Sequence[int], *, source: str, wanted_by: str = "the architecture"
) -> None:
    """Compare one tensor's shape; arguments as for `check_shapes`.

    Raises:
        WeightsError: names the key and both shapes; the message begins with `source`.
    """
    if tuple(found) != tuple(wanted):
        raise WeightsError(f"{source}: {key} is {tuple(found)}, {wanted_by} expects {tuple(wanted)}")


def _different_keys(
    wanted: Mapping[str, Sequence[int]], keys: Collection[str], wanted_by: str
) -> Iterator[tuple[str, str]]:
    for key, shape in wanted.items():
        if key not in keys and not key.endswith("num_batches_tracked"):  # old torch has none
            yield key, f"lacks {key}, which {wanted_by} expects as {tuple(shape)}"
    for key in keys:
        if key not in wanted:
            yield key, f"has {key}, which {wanted_by} does not know"


def _refuse(found: Mapping[str, str], source: str) -> None:
    if not found:
        return
    first, *others = found
    named = ", ".join([*others[:NAMED_DIFFERENCES], *(["..."] if len(others) > NAMED_DIFFERENCES else [])])
    rest = f" ({len(others)} more differ{'s' if len(others) == 1 else ''}: {named})" if others else ""
    raise WeightsError(f"{source}: {found[first]}{rest}")
