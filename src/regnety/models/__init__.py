"""The part of `timm.models` that exists here: the same names at the same places, for code that was written for timm.

`regnety.models.regnety_002(pretrained=True)` is `regnety.create_model("regnety_002", pretrained=True)`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from regnety.errors import TimmNameError
from regnety.extras import import_extra

if TYPE_CHECKING:
    from regnety.bundle.data_config import get_pretrained_cfg as get_pretrained_cfg
    from regnety.bundle.data_config import get_pretrained_cfg_value as get_pretrained_cfg_value
    from regnety.catalog.models import is_model as is_model
    from regnety.catalog.models import is_model_pretrained as is_model_pretrained
    from regnety.catalog.models import list_models as list_models
    from regnety.catalog.models import list_modules as list_modules
    from regnety.catalog.models import list_pretrained as list_pretrained
    from regnety.models.regnet import model_entrypoint as model_entrypoint
    from regnety.network.checkpoint_loading import load_checkpoint as load_checkpoint
    from regnety.network.creation import create_model as create_model

_HOMES = {
    "create_model": "regnety.network.creation",
    "get_pretrained_cfg": "regnety.bundle.data_config",
    "get_pretrained_cfg_value": "regnety.bundle.data_config",
    "is_model": "regnety.catalog.models",
    "is_model_pretrained": "regnety.catalog.models",
    "list_models": "regnety.catalog.models",
    "list_modules": "regnety.catalog.models",
    "list_pretrained": "regnety.catalog.models",
    "load_checkpoint": "regnety.network.checkpoint_loading",
    "model_entrypoint": "regnety.models.regnet",
}
"""Where each name is defined. Not asked of `regnety` itself: it imports this room."""
__all__ = list(_HOMES)
_UPLOAD = "NETWORK.save_pretrained('birds') writes a folder, and `hf upload OWNER/NAME birds` puts it on the Hub"
_INSTEAD = {
    "push_to_hf_hub": _UPLOAD,
    "save_for_hf": _UPLOAD,
    "register_model": "give create_model a Design instead of a name",
    "load_pretrained": "create_model(MODEL, pretrained=True) loads weights",
    "load_state_dict": "Bundle.load(FILE).weights has the arrays of a checkpoint, under timm's keys",
    "build_model_with_cfg": "give create_model a Design",
}
"""timm's names that do not exist here, and what to use instead."""


def __getattr__(name: str) -> Any:
    if name in _INSTEAD:
        raise TimmNameError(f"timm.models.{name}", _INSTEAD[name])
    if name in _HOMES:
        if name in ("create_model", "load_checkpoint"):
            import_extra("torch", feature=name, extra="torch")
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name.startswith("_"):
        raise AttributeError(f"module 'regnety.models' has no attribute {name!r}")
    # `from regnety.models import regnet` would first ask this function for the name, without end.
    regnet = importlib.import_module("regnety.models.regnet")
    return regnet if name == "regnet" else getattr(regnet, name)


def __dir__() -> list[str]:
    return __all__
