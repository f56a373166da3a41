"""Feature maps: which there are, which are asked for, and a network that returns them and ends there."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from torch import Tensor, nn

from regnety.architecture import validation
from regnety.architecture.description import Architecture
from regnety.errors import InvalidDesignError, WeightsError
from regnety.network.blocks import RegStage
from regnety.network.dilation import StageSampling

if TYPE_CHECKING:
    from regnety.network.modules import RegNet


class FeatureInfo:
    """What the maps are, as timm's class of this name tells it.

    Args:
        info: a table for every map of the network: `num_chs` channels, `reduction` in pixels of the image, `module`
            that puts it out, and `index`.
        out_indices: the maps that are returned, as they were asked for; negative ones count from the end.
    """

    def __init__(self, info: list[dict[str, Any]], out_indices: tuple[int, ...]) -> None:
        self.info = info
        self.out_indices = out_indices

    def get(self, key: str, idx: int | Sequence[int] | None = None) -> Any:
        """The value under a key: for each returned map, or for those (or the one) at `idx` among all."""
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[index][key] for index in (self.out_indices if idx is None else idx)]

    def get_dicts(
        self, keys: Sequence[str] | None = None, out_indices: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """The tables of the returned maps, or of those at `out_indices` among all; with some of their keys alone."""
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


class FeatureExtractor(nn.Module):
    """The stem and the stages up to the last map that is asked for, with their keys in the whole network.

    Args:
        network: what the modules are taken from; they are shared with it.
        out_indices: 0 for the stem, 1 for the first stage and so on, rising; negative ones count from the end, one
            number alone is that many last maps, and None all.

    Raises:
        InvalidDesignError: an index is out of range, or they do not rise.
    """

    def __init__(self, network: "RegNet", out_indices: int | Sequence[int] | None = None) -> None:
        super().__init__()
        count = len(network.feature_info)
        self._taken = taken_indices(count, out_indices, name="out_indices")
        if self._taken != sorted(set(self._taken)):
            raise InvalidDesignError(f"out_indices must rise, as the maps come in that order, got {out_indices!r}")
        if out_indices is None:
            out_indices = range(count)
        elif not isinstance(out_indices, Iterable):
            out_indices = range(-len(self._taken), 0)
        info = [{**row, "index": index} for index, row in enumerate(network.feature_info)]
        self.feature_info = FeatureInfo(info, tuple(out_indices))
        self.pretrained_cfg = {
            key: value for key, value in network.pretrained_cfg.items() if key not in ("num_classes", "classifier")
        }
        """timm's table of what the model wants to be shown; `resolve_data_config` reads it."""
        self.in_chans = network.in_chans
        for name, stage in list(network.stages())[: self._taken[-1] + 1]:
            self.add_module(name, stage)

    __jit_unused_properties__ = ("default_cfg",)

    @property
    def default_cfg(self) -> dict[str, Any]:
        """timm's older name of `pretrained_cfg`."""
        return self.pretrained_cfg

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images [N, in_chans, H, W] -> maps [N, channels, H / reduction, W / reduction], first to last."""
        maps: list[Tensor] = []
        for index, stage in enumerate(self.children()):
            x = stage(x)
            if index in self._taken:
                maps.append(x)
        return maps

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute the activations within blocks again in the backward pass instead of keeping them."""
        set_grad_checkpointing(self, enable)

    def save_pretrained(self, folder: str | Path, **_: Any) -> NoReturn:
        """Refuse: a bundle is a whole network.

        Raises:
            WeightsError: always.
        """
        raise WeightsError(
            f"{folder}: a features_only model has no head, and a bundle is a whole network; save one without it"
        )


def feature_table(architecture: Architecture, samplings: Sequence[StageSampling]) -> list[dict[str, Any]]:
    """What timm tells of each map, from the stem on: channels, stride in pixels of the image, name of its module."""
    reduction = architecture.stem.stride
    table = [{"num_chs": architecture.stem.width_out, "reduction": reduction, "module": architecture.stem.name}]
    for stage, sampling in zip(architecture.stages, samplings, strict=True):
        reduction *= sampling.stride
        table.append({"num_chs": stage.width, "reduction": reduction, "module": stage.name})
    return table


def taken_indices(count: int, indices: int | Sequence[int] | None, *, name: str = "indices") -> list[int]:
    """Positions from 0 of the maps that are asked for, by timm's rules.

    Args:
        count: how many maps there are.
        indices: None for all, a number for that many last ones, or positions, negative ones from the end.
        name: what the message calls them.

    Raises:
        InvalidDesignError: one is out of range, or there are none.
    """
    if indices is None:
        return list(range(count))
    if not isinstance(indices, Iterable):
        return list(range(count - validation.whole(name, indices, 1, count), count))
    positions = [validation.whole(f"each of {name}", index, -count, count - 1) for index in indices]
    if not positions:
        raise InvalidDesignError(f"{name} must name at least one of the {count} maps, got {indices!r}")
    return [position % count for position in positions]


def set_grad_checkpointing(model: nn.Module, enable: bool) -> None:
    """Switch gradient checkpointing on or off in every stage."""
    for module in model.children():
        if isinstance(module, RegStage):
            module.grad_checkpointing = enable
