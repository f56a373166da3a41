"""Whether the tensors of a checkpoint are those of a description: every key, none left over, every shape equal."""

from collections.abc import Collection, Sequence

from regnety.architecture.description import Architecture
from regnety.errors import WeightsError


def check_keys(
    architecture: Architecture, keys: Collection[str], *, source: str, wanted_by: str = "the architecture"
) -> None:
    """Compare names; `num_batches_tracked` may be absent, as only training uses it.

    Args:
        architecture: what the tensors are for.
        keys: their names.
        source: the file, or whatever the message should begin with.
        wanted_by: what the message calls the architecture.

    Raises:
        WeightsError: names the first key that is missing or not known; the message begins with `source`.
    """
    wanted = architecture.state_dict_shapes()
    for key, shape in wanted.items():
        if key not in keys and not key.endswith("num_batches_tracked"):
            raise WeightsError(f"{source}: lacks {key}, which {wanted_by} wants as {shape}")
    for key in keys:
        if key not in wanted:
            raise WeightsError(f"{source}: has {key}, which {wanted_by} does not know")


def check_shape(
    key: str, found: Sequence[int], wanted: Sequence[int], *, source: str, wanted_by: str = "the architecture"
) -> None:
    """Compare one tensor's shape; arguments as for `check_keys`.

    Raises:
        WeightsError: names the key and both shapes; the message begins with `source`.
    """
    if tuple(found) != tuple(wanted):
        raise WeightsError(f"{source}: {key} is {tuple(found)}, {wanted_by} wants {tuple(wanted)}")
