"""`timm.models.regnet`: a function for each model's name, and the class of the networks."""

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from regnety.catalog.aliases import our_name
from regnety.catalog.models import MODULE, how_to_find, is_model, list_models
from regnety.errors import UnknownModelError
from regnety.extras import import_extra

if TYPE_CHECKING:
    from regnety.network.extractor import FeatureExtractor
    from regnety.network.modules import RegNet


class Entrypoint(Protocol):
    """`create_model` for one name."""

    def __call__(self, pretrained: bool = False, **arguments: Any) -> "RegNet | FeatureExtractor":
        """The network; arguments as for `create_model`."""


def model_entrypoint(model_name: str, module_filter: str | None = None) -> Entrypoint:
    """The function that creates a model, like timm's function of this name.

    Args:
        model_name: a name; a tag after it is ignored.
        module_filter: timm's module of the model, `regnet`; no other has any.

    Raises:
        UnknownModelError: there is no such model, or not in that module.
    """
    if not is_model(model_name):
        raise UnknownModelError(f"no model named {model_name!r}; {how_to_find(model_name)}")
    if module_filter and module_filter != MODULE:
        raise UnknownModelError(f"{model_name} is not in the module {module_filter}; it is in {MODULE}")
    return _entrypoint(our_name(model_name).partition(".")[0])


@cache
def _entrypoint(name: str) -> Entrypoint:
    def build(pretrained: bool = False, **arguments: Any) -> "RegNet | FeatureExtractor":
        import_extra("torch", feature="create_model", extra="torch")
        from regnety.network.creation import create_model

        network: RegNet | FeatureExtractor = create_model(name, pretrained, **arguments)
        return network

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f'`create_model("{name}")`.'
    return build


def __getattr__(name: str) -> Any:
    if name == "RegNet":
        from regnety.network.modules import RegNet

        return RegNet
    if not name.startswith("_") and name in list_models():
        return _entrypoint(name)
    raise AttributeError(f"module 'regnety.models.regnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["RegNet", "model_entrypoint", *list_models()]
