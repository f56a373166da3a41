"""The part of `timm.data` that exists here: the same names at the same places, for code that was written for timm.

They are defined in other rooms, and imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from regnety.errors import TimmNameError
from regnety.extras import import_extra

if TYPE_CHECKING:
    from regnety.bundle.data_config import resolve_data_config as resolve_data_config
    from regnety.bundle.data_config import resolve_model_data_config as resolve_model_data_config
    from regnety.data.constants import IMAGENET_DEFAULT_MEAN as IMAGENET_DEFAULT_MEAN
    from regnety.data.constants import IMAGENET_DEFAULT_STD as IMAGENET_DEFAULT_STD
    from regnety.images.torch_transform import create_transform as create_transform

_HOMES = {
    "IMAGENET_DEFAULT_MEAN": "regnety.data.constants",
    "IMAGENET_DEFAULT_STD": "regnety.data.constants",
    "create_transform": "regnety.images.torch_transform",
    "resolve_data_config": "regnety.bundle.data_config",
    "resolve_model_data_config": "regnety.bundle.data_config",
}
"""Where each name is defined. Not asked of `regnety` itself: it imports this room."""
__all__ = list(_HOMES)
_INSTEAD = {
    "create_dataset": "torchvision.datasets.ImageFolder takes a transform of create_transform",
    "create_loader": "torch.utils.data.DataLoader takes a data set whose transform is create_transform's",
    "ImageDataset": "torchvision.datasets.ImageFolder takes a transform of create_transform",
    "Mixup": "timm.data.Mixup works with networks of create_model",
    "ImageNetInfo": "regnety.labels('imagenet-1k') has the names of the classes",
}
"""timm's names that do not exist here, and what to use instead."""


def __getattr__(name: str) -> Any:
    if name in _INSTEAD:
        raise TimmNameError(f"timm.data.{name}", _INSTEAD[name])
    if name in ("config", "constants", "transforms_factory"):
        return importlib.import_module(f"regnety.data.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'regnety.data' has no attribute {name!r}")
    if name == "create_transform":
        import_extra("torch", feature=name, extra="torch")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
