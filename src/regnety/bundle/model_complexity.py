"""What is known of a model without its weights: its stages, parameters, multiply-adds and activations."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a model without its weights."""

    name: str | None
    """None for a design or an architecture."""
    architecture: Architecture
    image_size: int | tuple[int, int]
    """The size that `complexity` is counted for, in pixels, or (height, width)."""
    complexity: Complexity

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `regnety describe --format json`."""
        architecture, design = self.architecture, self.architecture.design
        shapes = architecture.output_shapes(self.image_size)
        return {
            "name": self.name,
            "design": design.as_dict(),
            "num_classes": architecture.num_classes,
            "in_chans": architecture.in_chans,
            "image_size": _side(self.image_size),
            "stages": [
                {
                    "name": stage.name,
                    "width": stage.width,
                    "depth": stage.depth,
                    "inner_width": stage.inner_width,
                    "group_width": stage.group_width,
                    "groups": stage.blocks[0].groups,
                    "stride": stage.stride,
                    "output_size": _side(shapes[stage.name][1:]),
                }
                for stage in architecture.stages
            ],
            **asdict(self.complexity),
            "model_index_flops": counting.model_index_flops(architecture),
            "paper_violations": list(design.paper_violations()),
        }


def describe(
    model: Any,
    image_size: int | tuple[int, int] | None = None,
    *,
    num_classes: int | None = None,
    state_dict: str | None = None,
) -> Description:
    """The stages of a model, its parameters, multiply-adds and activations; its weights are not read.

    Args:
        model: as in `complexity`.
        image_size: in pixels, or (height, width); None is the model's own, 224 for a design.
        num_classes: outputs of the classifier; None is the model's own, 1000 for a design.
        state_dict: which of a checkpoint's state dicts, as in `Bundle.load`.

    Raises:
        InvalidDesignError: a number is not allowed.
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    architecture, own_size = find_architecture(model, state_dict=state_dict)
    architecture = architecture.architecture(num_classes)
    size = own_size if image_size is None else image_size
    # A bundle has a name; designs and architectures have none.
    name = str(model) if isinstance(model, str | Path) else getattr(model, "name", None)
    return Description(
        name=name, architecture=architecture, image_size=size, complexity=counting.complexity(architecture, size)
    )


def complexity(
    model: Any,
    image_size: int | tuple[int, int] | None = None,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
) -> Complexity:
    """Count as pycls and the paper do, for one image.

    Args:
        model: a design, an architecture, a torch module of `create_model`, a bundle, or any other MODEL, as
            `regnety_002`; the weights of a name, or of `hf-hub:owner/name`, are not needed.
        image_size: in pixels, or (height, width); None is the model's own, 224 for a design.
        num_classes: outputs of the classifier; None is the model's own, 1000 for a design. 0 omits it.
        in_chans: channels of the image; None is the model's own, 3 for a design.

    Raises:
        InvalidDesignError: a number is not allowed; a side is a whole number from 1 to 65536.
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    architecture, own_size = find_architecture(model)
    size = own_size if image_size is None else image_size
    return counting.complexity(architecture.architecture(num_classes, in_chans), size)


def model_index_flops(model: Any) -> int:
    """The `FLOPs` of the RegNetY model page's index, exact for its twelve models.

    They are counted for an image of 224x286 pixels, without the classifier (`architecture.counting`).

    Args:
        model: as in `complexity`.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    return counting.model_index_flops(find_architecture(model)[0])


def find_architecture(model: Any, *, state_dict: str | None = None) -> tuple[Architecture, int]:
    """A model's layers, and its image size in pixels.

    Args:
        model: as in `complexity`.
        state_dict: which of a checkpoint's state dicts, as in `Bundle.load`.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is no model.
    """
    if isinstance(model, Design | AnyNetDesign | Architecture):  # which do not say an image size: the paper's is 224
        return model.architecture(), Preprocessing().image_size
    if isinstance(model, str | Path | Model):
        metadata = describe_model(model, state_dict=state_dict)
        return metadata.design.architecture(metadata.num_classes, metadata.in_chans), metadata.preprocessing.image_size
    architecture = getattr(model, "architecture", None)  # of a torch module: torch is not imported here
    if not isinstance(architecture, Architecture):
        raise UnknownModelError(f"{ACCEPTED}, a design or a network of create_model; got {type(model).__name__}")
    return architecture, model.preprocessing.image_size


def _side(size: int | Sequence[Any]) -> Any:
    """One number for a square, else [height, width]."""
    if isinstance(size, int):
        return size
    return size[0] if size[0] == size[1] else list(size)
