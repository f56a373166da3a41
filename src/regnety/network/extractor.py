"""`create_model(..., features_only=True)`: a network that returns feature maps, and ends with the last one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor, nn

from regnety.errors import InvalidDesignError, WeightsError
from regnety.network.blocks import set_grad_checkpointing
from regnety.network.feature_maps import FeatureInfo, taken_indices
from regnety.network.modules import RegNet


class FeatureExtractor(nn.Module):
    """The stem and the stages up to the last map that is asked for, under the same keys as in the whole network.

    Args:
        network: where the modules come from; they are shared with it, not copied.
        out_indices: 0 for the stem, 1 for the first stage and so on, in rising order; negative ones count from the end,
            a single number is the number of last maps, and None means all.

    Raises:
        InvalidDesignError: an index is out of range, or they are not in rising order.
    """

    def __init__(self, network: RegNet, out_indices: int | Sequence[int] | None = None) -> None:
        super().__init__()
        count = len(network.feature_info)
        self._taken = taken_indices(count, out_indices, name="out_indices")
        if self._taken != sorted(set(self._taken)):
            raise InvalidDesignError(f"out_indices must rise, as the maps come in that order, got {out_indices!r}")
        if out_indices is None:
            out_indices = range(count)
        elif not isinstance(out_indices, Iterable):
            out_indices = range(-len(self._taken), 0)  # timm writes a count as negative positions
        info = [{**row, "index": index} for index, row in enumerate(network.feature_info)]
        self.feature_info = FeatureInfo(info, tuple(out_indices))
        self.pretrained_cfg = {
            key: value for key, value in network.pretrained_cfg.items() if key not in ("num_classes", "classifier")
        }
        """Size, crop and normalisation of the input in timm's keys; `resolve_data_config` reads it."""
        self.in_chans = network.in_chans
        # Later stages are not added, so that their weights are neither kept nor trained nor saved.
        for name, stage in list(network.stages())[: self._taken[-1] + 1]:
            self.add_module(name, stage)

    __jit_unused_properties__ = ("default_cfg",)

    @property
    def default_cfg(self) -> dict[str, Any]:
        """timm's older name of `pretrained_cfg`."""
        return self.pretrained_cfg

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images [N, in_chans, H, W] -> maps [N, channels, H / reduction, W / reduction], from first to last."""
        maps: list[Tensor] = []  # the annotation is for TorchScript, which compiles this
        for index, stage in enumerate(self.children()):
            x = stage(x)
            if index in self._taken:
                maps.append(x)
        return maps

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the activations within blocks in the backward pass instead of keeping them: slower, less memory."""
        set_grad_checkpointing(self, enable)

    def save_pretrained(self, folder: str | Path, **_: Any) -> NoReturn:
        """Refuse: a bundle is a whole network.

        Raises:
            WeightsError: always.
        """
        raise WeightsError(
            f"{folder}: a features_only model has no head, and a bundle is a whole network; save one without it"
        )
