"""The maps that a network computes on its way: what each is, and which are asked for. Index 0 is the stem."""

from collections.abc import Iterable, Sequence
from typing import Any

from regnety.architecture import validation
from regnety.architecture.description import Architecture
from regnety.errors import InvalidDesignError
from regnety.network.dilation import StageSampling


class FeatureInfo:
    """What the maps are: timm's class of this name, with its methods and keys.

    Args:
        info: for every map of the network its `num_chs` channels, its `reduction` in pixels of the image, the `module`
            whose output it is, and its `index`.
        out_indices: the maps that are returned, as the caller wrote them: negative ones count from the end.
    """

    def __init__(self, info: list[dict[str, Any]], out_indices: tuple[int, ...]) -> None:
        self.info = info
        self.out_indices = out_indices

    def get(self, key: str, idx: int | Sequence[int] | None = None) -> Any:
        """The values under a key of the returned maps, or of those (or the one) at `idx` among all maps."""
        # timm's quirk, kept: without `idx` only the returned maps count, with it positions are among all of them.
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[index][key] for index in (self.out_indices if idx is None else idx)]

    def get_dicts(
        self, keys: Sequence[str] | None = None, out_indices: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """The tables of the returned maps, or of those at `out_indices` among all, with all or some of their keys."""
        rows = [self.info[index] for index in (self.out_indices if out_indices is None else out_indices)]
        return rows if keys is None else [{key: row[key] for key in keys} for row in rows]

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Channels of the maps."""
        return self.get("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """Strides of the maps, in pixels of the image."""
        return self.get("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """Names of the modules whose outputs the maps are."""
        return self.get("module", idx)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.info[index]

    def __len__(self) -> int:
        return len(self.info)


def feature_table(architecture: Architecture, samplings: Sequence[StageSampling]) -> list[dict[str, Any]]:
    """timm's `feature_info`: channels, stride in pixels of the image and module of each map, from the stem on."""
    reduction = architecture.stem.stride
    table = [{"num_chs": architecture.stem.width_out, "reduction": reduction, "module": architecture.stem.name}]
    for stage, sampling in zip(architecture.stages, samplings, strict=True):
        # A dilated stage has stride 1, so its maps stay as fine as those before it.
        reduction *= sampling.stride
        table.append({"num_chs": stage.width, "reduction": reduction, "module": stage.name})
    return table


def taken_indices(count: int, indices: int | Sequence[int] | None, *, name: str = "indices") -> list[int]:
    """Positions of the maps that are asked for, from 0, by timm's rules.

    Args:
        count: how many maps there are.
        indices: None for all, a number for that many last ones, or positions, negative ones from the end.
        name: of the argument, for messages.

    Raises:
        InvalidDesignError: one is out of range, or there are none.
    """
    if indices is None:
        return list(range(count))
    # A number means the last maps: detectors ask for the deepest three or four.
    if not isinstance(indices, Iterable):
        return list(range(count - validation.whole(name, indices, 1, count), count))
    positions = [validation.whole(f"each of {name}", index, -count, count - 1) for index in indices]
    if not positions:
        raise InvalidDesignError(f"{name} must name at least one of the {count} maps, got {indices!r}")
    # Repeated and unordered positions are kept as they were written.
    return [position % count for position in positions]
