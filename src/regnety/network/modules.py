"""The torch module of a RegNet, with the keys, the methods and the numbers of timm's."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from regnety.architecture import validation
from regnety.architecture.description import Architecture
from regnety.architecture.stages import MAX_WIDTH
from regnety.bundle.data_config import pretrained_cfg_of
from regnety.bundle.training_files import TrainingFiles
from regnety.errors import InvalidDesignError, WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.network.blocks import ConvNormAct, RegStage, set_grad_checkpointing
from regnety.network.dilation import stage_samplings
from regnety.network.drop_path import drop_path_rates
from regnety.network.feature_maps import feature_table, taken_indices
from regnety.network.head import ClassifierHead
from regnety.network.origin import Origin
from regnety.network.saving import check_describable, save_network
from regnety.preprocessing import Preprocessing

logger = logging.getLogger("regnety")


class RegNet(nn.Module):
    """A RegNet with timm's keys. `regnety.create_model` makes it, and has these options.

    Args:
        architecture: the description; its `state_dict_shapes()` are the module's keys and shapes, except that the
            classifier is twice as wide under global_pool="catavgmax".
        output_stride: stages dilate instead of striding beyond this stride; None keeps the strides of the design.
        global_pool: pooling before the classifier.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth of the last block; it rises linearly from 0 in the first.

    Raises:
        InvalidDesignError: an option is not allowed.
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        output_stride: int | None = None,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.labels: tuple[str, ...] | None = None
        """Class names by index; None where they are not known, as for a new classifier."""
        self.preprocessing = Preprocessing().for_channels(architecture.in_chans)
        """Size, crop and normalisation of the input."""
        self.provenance: Mapping[str, Any] = {}
        """Licence, source, data and command of its weights, as far as they are known."""
        self.training_files: TrainingFiles | None = None
        """Fingerprints of the files that its weights were trained on; None where they are not known."""
        self.origin: Origin | None = None
        """Which labels and provenance came with the weights, and for which classifier; None for random weights."""
        self.pretrained_cfg = pretrained_cfg_of(self.preprocessing, num_classes=architecture.num_classes)
        """The preprocessing in timm's keys, and where the weights are from; `resolve_data_config` reads it."""
        samplings = stage_samplings(architecture, output_stride)
        self.dilated = any(sampling.dilation > 1 for sampling in samplings)
        """Whether stages dilate where the description strides."""
        drop_path_rate = validation.real("drop_path_rate", drop_path_rate, 0, 1)
        rates = iter(drop_path_rates(drop_path_rate, len(architecture.blocks)))
        self.feature_info = feature_table(architecture, samplings)
        """For each map of `forward_intermediates` its channels, its stride in pixels and the name of its module."""
        # Children run in the order in which they are added here (`forward_features`): stem, s1, s2, ..., head.
        self.stem = ConvNormAct(architecture.stem)
        for stage, sampling in zip(architecture.stages, samplings, strict=True):
            self.add_module(stage.name, RegStage(stage, sampling, [next(rates) for _ in stage.blocks]))
        self.head = ClassifierHead(architecture.head, global_pool=global_pool, drop_rate=drop_rate)

    # torch.jit.script compiles every property, and these return or read what TorchScript has no type for.
    __jit_unused_properties__ = (
        "default_cfg",
        "drop_rate",
        "head_hidden_size",
        "in_chans",
        "num_classes",
        "num_features",
    )

    @property
    def num_classes(self) -> int:
        """Outputs of the classifier."""
        return self.architecture.num_classes

    @property
    def in_chans(self) -> int:
        """Channels of the input."""
        return self.architecture.in_chans

    @property
    def num_features(self) -> int:
        """Channels of the last map."""
        return self.architecture.num_features

    @property
    def head_hidden_size(self) -> int:
        """Features that enter the classifier; twice as many under global_pool="catavgmax"."""
        return self.head.num_features

    @property
    def drop_rate(self) -> float:
        """Dropout before the classifier."""
        return self.head.drop.p

    @property
    def default_cfg(self) -> dict[str, Any]:
        """timm's older name of `pretrained_cfg`."""
        return self.pretrained_cfg

    def stages(self) -> Iterator[tuple[str, nn.Module]]:
        """The stem and the stages with their names, in the order in which they run."""
        for name, child in self.named_children():
            if name != "head":
                yield name, child

    def forward_features(self, x: Tensor) -> Tensor:
        """Images [N, in_chans, H, W] -> the last map [N, num_features, H / 32, W / 32], or with the design's stride."""
        for name, child in self.named_children():  # as in `stages`, which torch.jit.script cannot read
            if name != "head":
                x = child(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map -> logits [N, num_classes], or the pooled features [N, head_hidden_size]."""
        result: Tensor = self.head(x, pre_logits=pre_logits)
        return result

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, in_chans, H, W] -> logits [N, num_classes]."""
        return self.forward_head(self.forward_features(x))

    def forward_named(self, x: Tensor) -> dict[str, Tensor]:
        """Every output that the description names: `stem`, `s1` and so on, `pre_logits`, `logits`.

        They have the names of the graph's outputs, so that engines can be compared layer by layer.
        """
        outputs = {}
        for name, stage in self.stages():
            x = stage(x)
            outputs[name] = x
        outputs["pre_logits"] = self.head(x, pre_logits=True)
        if self.num_classes:
            outputs["logits"] = self.head.fc(outputs["pre_logits"])
        return outputs

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The last map and those on the way to it, like timm's method of this name.

        Args:
            x: images [N, in_chans, H, W].
            indices: 0 for the stem, 1 for the first stage and so on, negative ones from the end; a single number is the
                number of last maps, None means all. The maps come in the order of the network.
            norm: no effect, as no norm follows the last stage.
            stop_early: skip the stages after the last map that is asked for.
            output_fmt: "NCHW", the only layout.
            intermediates_only: return the list alone.

        Returns:
            The last map that was computed, and a list of maps [N, channels, H / reduction, W / reduction].

        Raises:
            InvalidDesignError: an index is out of range, or the layout is not NCHW.
        """
        if output_fmt != "NCHW":
            raise InvalidDesignError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        taken = taken_indices(len(self.feature_info), indices)
        maps = []
        for index, (_, stage) in enumerate(self.stages()):
            if stop_early and index > max(taken):
                break
            x = stage(x)
            if index in taken:
                maps.append(x)
        return maps if intermediates_only else (x, maps)

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the layers that `forward_intermediates` does not need for some maps, like timm's method of this name.

        Args:
            indices: the maps to keep, as in `forward_intermediates`.
            prune_norm: no effect, as no norm follows the last stage.
            prune_head: drop the classifier too; it is always dropped with the stage before it.

        Returns:
            Positions of the maps, from 0.
        """
        taken = taken_indices(len(self.feature_info), indices)
        kept = max(taken)
        if kept < len(self.architecture.stages):
            for stage in self.architecture.stages[kept:]:
                setattr(self, stage.name, nn.Identity())  # as in timm: the attribute stays, its weights go
            # From here on the description is no longer that of its design, by which `check_describable` knows it.
            head = replace(self.architecture.head, width_in=self.feature_info[kept]["num_chs"])
            self.architecture = replace(self.architecture, stages=self.architecture.stages[:kept], head=head)
            prune_head = True
        if prune_head:
            self.reset_classifier(0, "")
        return taken

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier with a new, random one, without class names.

        Args:
            num_classes: its outputs; 0 means no classifier.
            global_pool: another pooling; None keeps the present one.

        Raises:
            InvalidDesignError: an argument is not allowed.
        """
        num_classes = validation.whole("num_classes", num_classes, 0, MAX_WIDTH)
        head = replace(self.architecture.head, num_classes=num_classes)
        self.head.reset(head, global_pool, like=self.stem.conv.weight)
        self.architecture = replace(self.architecture, head=head)
        self.pretrained_cfg = {**self.pretrained_cfg, "num_classes": num_classes}
        self.labels = None

    def get_classifier(self) -> nn.Module:
        """The linear layer, or an identity where there is none."""
        return self.head.fc

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the activations within blocks in the backward pass instead of keeping them: slower, less memory."""
        set_grad_checkpointing(self, enable)

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Regular expressions that sort keys into blocks, or `coarse` into stages, for layer-wise learning rates."""
        return {"stem": r"^stem", "blocks": r"^s(\d+)" if coarse else r"^s(\d+)\.b(\d+)"}

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        labels: Sequence[str] | None = None,
        preprocessing: Preprocessing | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a bundle, in f32, for `create_model(folder)` and `Bundle.load(folder)`.

        `timm.create_model("local-dir:FOLDER", pretrained=True)` reads it too, where timm can build the design.

        Args:
            folder: where to; a bundle that is there is replaced.
            labels: class names by index. None keeps the names that came with the weights while the classifier is
                unchanged. After training they are left out, and the log says so, since the outputs may mean other
                classes; `labels=model.labels` keeps them.
            preprocessing: size, crop and normalisation; None keeps the network's.
            provenance: plain JSON values; None keeps the network's, but only its licence if the classifier has changed.

        Returns:
            The folder.

        Raises:
            WeightsError: there are more or fewer labels than classes, the folder holds something else, or the network
                does what its description does not say: it is dilated, pruned, or pools in another way.
        """
        folder = Path(folder)
        check_describable(
            folder,
            self.architecture,
            output_stride=self.feature_info[-1]["reduction"] if self.dilated else None,
            bn_eps=self.stem.bn.eps,
            global_pool=self.head.global_pool,
        )
        if self.stem.conv.weight.is_meta:
            raise WeightsError(f"{folder}: the network is on the meta device, where it has no weights to save")
        own_labels, own_provenance = self.labels, self.provenance
        if self.origin is not None:
            own_labels, own_provenance = self.origin.still_true(self.labels, self.provenance, self.head.fc)
        if labels is None and own_labels is not self.labels:
            logger.warning(
                "%s: saved without class names: the classifier was trained after they came with it; "
                "pass labels=model.labels if they still hold, or labels=[...]",
                folder,
            )
        labels = own_labels if labels is None else labels
        metadata = ModelMetadata(
            design=self.architecture.design,
            num_classes=self.num_classes,
            in_chans=self.in_chans,
            preprocessing=self.preprocessing if preprocessing is None else preprocessing,
            labels=None if labels is None else tuple(labels),
            provenance=own_provenance if provenance is None else provenance,
        )
        return save_network(self, folder, metadata, training_files=self.training_files)
