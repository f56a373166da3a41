"""transformers' two files, as they are written and read back."""

import pytest

from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.bundle.hub_config import read_hub_config
from regnety.bundle.transformers_config import processor_config, transformers_config
from regnety.catalog.models import list_models, model_info
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.dialects.transformers import TRANSFORMERS

MODELS = [name for name in list_models() if TRANSFORMERS.obstacle(model_info(name).design.architecture()) is None]


def read_back(design: object, preprocessing: Preprocessing, labels: tuple[str, ...] | None = None) -> ModelMetadata:
    architecture = design.architecture(2)  # type: ignore[attr-defined]
    assert TRANSFORMERS.obstacle(architecture) is None
    config = transformers_config(architecture, labels)
    found = read_hub_config(config, processor_config(preprocessing), source="x")
    assert found is not None
    assert found.owner == "transformers"
    return found.metadata


@pytest.mark.parametrize("name", MODELS)
def test_every_model_comes_back(name: str) -> None:
    design, published = model_info(name).design, model_info(name).published
    assert published is not None
    found = read_back(design, published.preprocessing)
    assert found.design.architecture(2).state_dict_shapes() == design.architecture(2).state_dict_shapes()
    assert found.preprocessing.resize_size == published.preprocessing.resize_size
    assert (found.preprocessing.mean, found.preprocessing.std) == (
        published.preprocessing.mean,
        published.preprocessing.std,
    )


def test_labels_come_back_and_made_up_ones_do_not() -> None:
    design = model_info("regnety_002").design
    assert read_back(design, Preprocessing(), ("a", "a")).labels == ("a", "a")
    assert read_back(design, Preprocessing()).labels is None


@pytest.mark.parametrize("image_size", [32, 224, 288, 384])
def test_sizes_come_back_to_the_pixel(image_size: int) -> None:
    """32 / (32 / 93) is below 93 in floats."""
    for resize_size in range(image_size, 3 * image_size):
        processor = processor_config(Preprocessing(image_size=image_size))
        processor["size"] = {"shortest_edge": resize_size}
        config = transformers_config(model_info("regnety_002").design.architecture(), None)
        found = read_hub_config(config, processor, source="x")
        assert found is not None
        shown = found.metadata.preprocessing
        assert (shown.image_size, shown.resize_size) == (image_size, resize_size)


def test_one_groups_width_for_stages_that_differ() -> None:
    """20 // 10 and 44 // 10 are the groups of both stages, 20 // 11 would be one."""
    design = AnyNetDesign(
        stages=(StageDesign(width=20, depth=1, group_width=10), StageDesign(width=44, depth=1, group_width=11))
    )
    assert transformers_config(design.architecture(2), None)["groups_width"] == 10
