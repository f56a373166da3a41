"""timm's data config: a model's preprocessing under timm's keys, with timm's rules of precedence.

Follows timm 1.0.31, `data/config.py`. A plain name means the weights of `ModelInfo.default_tag`, which differ from
timm's current ones for 8 of the model page's 12 names.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regnety.bundle.folders.timm import pretrained_cfg
from regnety.bundle.model import Model
from regnety.bundle.resolver import resolve
from regnety.catalog.models import is_model, is_name, model_info
from regnety.errors import WeightsError
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

logger = logging.getLogger("regnety")


def resolve_data_config(
    args: Mapping[str, Any] | None = None,
    pretrained_cfg: Mapping[str, Any] | None = None,
    model: Any = None,
    use_test_size: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """The arguments for `create_transform`, as timm's function of this name returns them.

    Args:
        args: what overrides the model: `input_size` (channels, height, width) or `img_size` in pixels, `in_chans` or
            `chans`, `interpolation`, `mean`, `std`, `crop_pct`, `crop_mode`; a value of None, and any other key, is
            ignored.
        pretrained_cfg: used in place of the model's.
        model: a torch module made by `create_model` or timm, or MODEL: a name needs no weights on this disk.
        use_test_size: use the size and crop at which the model is best, where they differ from training's.
        verbose: log every value.

    Returns:
        `input_size` (channels, height, width), `interpolation`, `mean` and `std` for each channel of values in
        [0, 1], `crop_pct`, `crop_mode`.

    Raises:
        UnknownModelError: the name is not known, or the file or folder is not there.
        WeightsError: there is nothing to resolve, or an argument is not allowed.
    """
    # timm answers even this with its defaults, which would hide a forgotten argument.
    if model is None and not args and not pretrained_cfg:
        raise WeightsError("a data config needs a model: resolve_data_config(model='regnety_040')")
    args = args or {}
    published = pretrained_cfg or (_pretrained_cfg(model) if model is not None else {})
    input_size, in_chans = _input_size(args, published, use_test_size)
    test_crop_pct = published.get("test_crop_pct") if use_test_size else None
    # `or`, as in timm, and not a comparison with None: an empty text or 0 also means that nothing was given.
    config = {
        "input_size": input_size,
        "interpolation": args.get("interpolation") or published.get("interpolation") or "bicubic",
        "mean": _for_channels("mean", args, in_chans) or published.get("mean") or IMAGENET_MEAN,
        "std": _for_channels("std", args, in_chans) or published.get("std") or IMAGENET_STD,
        "crop_pct": args.get("crop_pct") or test_crop_pct or published.get("crop_pct") or 0.875,
        "crop_mode": args.get("crop_mode") or published.get("crop_mode") or "center",
    }
    if verbose:
        for name, value in config.items():
            logger.info("%s: %s", name, value)
    return config


def resolve_model_data_config(
    model: Any,
    args: Mapping[str, Any] | None = None,
    pretrained_cfg: Mapping[str, Any] | None = None,
    use_test_size: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """`resolve_data_config` with the model first."""
    return resolve_data_config(args, pretrained_cfg, model, use_test_size, verbose)


def pretrained_cfg_of(
    model: str | Path | Model | Preprocessing, *, num_classes: int | None = None, in_chans: int | None = None
) -> dict[str, Any]:
    """timm's `pretrained_cfg` of MODEL; a published name needs no weights on this disk.

    Args:
        model: MODEL, or only its preprocessing.
        num_classes: outputs of the classifier; None is the model's own.
        in_chans: channels of the input, over which mean and std are repeated; None is the model's own.

    Raises:
        UnknownModelError: the name is not known, or the file or folder is not there.
        WeightsError: the file or folder is no model.
    """
    origin: dict[str, Any] = {}  # only a published name has one: a folder's is in its own config.json
    published = model_info(model).published if isinstance(model, str) and is_name(model) else None
    if isinstance(model, Preprocessing):
        preprocessing, own_classes = model, 1000  # ImageNet's, timm's default
    elif published is None:
        bundle = resolve(model)
        preprocessing, own_classes = bundle.preprocessing, bundle.metadata.num_classes
    else:
        preprocessing, own_classes = published.preprocessing, published.num_classes
        origin = {
            "architecture": published.model,
            "tag": published.tag,
            "hf_hub_id": published.hub_repo,
            "url": published.url,
            "license": published.license,
        }
    channels = len(preprocessing.mean) if in_chans is None else in_chans
    classes = own_classes if num_classes is None else num_classes
    return {**origin, **pretrained_cfg(preprocessing.for_channels(channels), num_classes=classes)}


class PretrainedCfg(dict[str, Any]):
    """timm's `pretrained_cfg` of a name: a table whose entries are also attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # as copy and pickle look for
            raise AttributeError(name)
        return self.get(name)  # timm's is a dataclass in which every field has a default, most of them None

    def to_dict(self) -> dict[str, Any]:
        """A plain table."""
        return dict(self)


def get_pretrained_cfg(model_name: str, allow_unregistered: bool = True) -> PretrainedCfg | None:
    """The `pretrained_cfg` of a name, as timm's function of this name returns it.

    Args:
        model_name: with or without a tag; a plain name means the weights of `ModelInfo.default_tag`.
        allow_unregistered: return None for an unknown name, instead of an error.

    Raises:
        UnknownModelError: there is no model of that name, or no weights of that tag.
    """
    if allow_unregistered and not is_model(model_name):
        return None
    model_info(model_name)
    return PretrainedCfg(pretrained_cfg_of(model_name))


def get_pretrained_cfg_value(model_name: str, cfg_key: str) -> Any:
    """An entry of the `pretrained_cfg` of a name; None where it has no such entry.

    Raises:
        UnknownModelError: there is no model of that name, or no weights of that tag.
    """
    cfg = get_pretrained_cfg(model_name, allow_unregistered=False)
    return None if cfg is None else cfg.get(cfg_key)


def _pretrained_cfg(model: Any) -> Mapping[str, Any]:
    if isinstance(model, str | Path | Model):
        return pretrained_cfg_of(model)
    carried = getattr(model, "pretrained_cfg", None)  # of a torch module: torch is not imported here
    if not isinstance(carried, Mapping):
        raise WeightsError(
            f"model is a {type(model).__name__} without pretrained_cfg; give the name of a model, a module of "
            "create_model, or pretrained_cfg="
        )
    return carried


def _input_size(
    args: Mapping[str, Any], published: Mapping[str, Any], use_test_size: bool
) -> tuple[tuple[int, ...], int]:
    """(channels, height, width), and how many values a mean and a std need."""
    in_chans = next((args[name] for name in ("in_chans", "chans") if args.get(name) is not None), 3)
    # timm's order of precedence: input_size, img_size, the model's own.
    size, side = args.get("input_size"), args.get("img_size")
    if size is not None:
        if not isinstance(size, list | tuple) or len(size) != 3:
            raise WeightsError(f"input_size must be (channels, height, width), got {size!r}")
        return tuple(size), size[0]
    if side is not None:
        if not isinstance(side, int):
            raise WeightsError(f"img_size must be a whole number of pixels, got {side!r}")
        return (in_chans, side, side), in_chans
    test_size = published.get("test_input_size") if use_test_size else None
    return test_size or published.get("input_size") or (in_chans, 224, 224), in_chans


def _for_channels(name: str, args: Mapping[str, Any], in_chans: int) -> tuple[float, ...] | None:
    """A mean or std that overrides the model's; a single value is used for all channels."""
    values = args.get(name)
    if values is None:
        return None
    if not isinstance(values, Sequence) or len(values) not in (1, in_chans):
        raise WeightsError(f"{name} must be a number for each of {in_chans} channels, or one for all, got {values!r}")
    return tuple(values) * in_chans if len(values) == 1 else tuple(values)
