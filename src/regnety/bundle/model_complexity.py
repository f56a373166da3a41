"""Parameters, multiply-adds and activations of whatever a model may be: a name, a file, a design, a network."""

from pathlib import Path
from typing import Any

from regnety.architecture import counting
from regnety.architecture.counting import Complexity
from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.bundle.model import Model
from regnety.bundle.resolver import ACCEPTED, describe_model
from regnety.errors import UnknownModelError
from regnety.preprocessing import Preprocessing


def complexity(
    model: Any,
    image_size: int | tuple[int, int] | None = None,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
) -> Complexity:
    """Count as pycls and the paper do, for one picture.

    Args:
        model: a design, an architecture, a torch module of `create_model`, a bundle, or any other MODEL, as
            `regnety_002`; of a name, and of `hf-hub:owner/name`, the weights are not asked for.
        image_size: of the picture, in pixels, or (height, width); None is the model's own, 224 for a design.
        num_classes: outputs of the classifier; None is the model's own, 1000 for a design. 0 leaves it away.
        in_chans: channels of the picture; None is the model's own, 3 for a design.

    Raises:
        InvalidDesignError: a number is not allowed; a side is a whole number from 1 to 65536.
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    architecture, own_size = described(model)
    size = own_size if image_size is None else image_size
    return counting.complexity(architecture.architecture(num_classes, in_chans), size)


def model_index_flops(model: Any) -> int:
    """The `FLOPs` of the RegNetY model page's index, exact for its twelve models.

    They are counted on a picture of 224x286 pixels, without the classifier (`architecture.counting`).

    Args:
        model: as for `complexity`.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    return counting.model_index_flops(described(model)[0])


def described(model: Any, *, state_dict: str | None = None) -> tuple[Architecture, int]:
    """A model's layers, and the size of the pictures that it is shown, in pixels.

    Args:
        model: as for `complexity`.
        state_dict: which of a checkpoint's, as for `Bundle.load`.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    if isinstance(model, Design | AnyNetDesign | Architecture):
        return model.architecture(), Preprocessing().image_size
    if isinstance(model, str | Path | Model):
        metadata = describe_model(model, state_dict=state_dict)
        return metadata.design.architecture(metadata.num_classes, metadata.in_chans), metadata.preprocessing.image_size
    architecture = getattr(model, "architecture", None)  # of a torch module, which only the other half may import
    if not isinstance(architecture, Architecture):
        raise UnknownModelError(f"{ACCEPTED}, a design or a network of create_model; got {type(model).__name__}")
    return architecture, model.preprocessing.image_size
