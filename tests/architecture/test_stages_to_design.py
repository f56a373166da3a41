"""From stages back to the six numbers."""

import random

import pytest

from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.architecture.stages_to_design import linear_design, simplest_design
from regnety.catalog.models import list_models, model_info
from regnety.errors import InvalidDesignError


def as_stages(design: Design) -> AnyNetDesign:
    return AnyNetDesign(
        stages=design.fitted_stages(),
        se_ratio=design.se_ratio,
        stem_width=design.stem_width,
        stem_stride=design.stem_stride,
    )


def random_design(generator: random.Random) -> Design:
    """Like those that the paper samples, and beyond."""
    while True:
        try:
            return Design(
                depth=generator.randint(2, 28),
                w0=8 * generator.randint(1, 40),
                wa=round(generator.uniform(1, 256), 1),
                wm=round(generator.uniform(1.8, 3), 3),
                group_width=generator.choice([8, 16, 24, 56, 64, 112, 128]),
                bottleneck_multiplier=generator.choice([1, 1, 0.5, 0.25, 2]),
                group_min_ratio=generator.choice([0, 0, 0.9]),
                se_ratio=generator.choice([0, 0.25]),
                stage_strides=None,
            )
        except InvalidDesignError:
            continue


@pytest.mark.parametrize("name", list_models())
def test_every_named_design_is_found_in_its_stages(name: str) -> None:
    design = model_info(name).design
    assert isinstance(design, Design)
    found = linear_design(as_stages(design))
    assert isinstance(found, Design)
    assert found.architecture().state_dict_shapes() == design.architecture().state_dict_shapes()
    assert [block.stride for block in found.architecture().blocks] == [
        block.stride for block in design.architecture().blocks
    ]
    assert (found.stem_stride, found.se_ratio) == (design.stem_stride, design.se_ratio)


def test_most_random_designs_are_found_and_none_wrongly() -> None:
    generator = random.Random(0)
    found = 0
    for _ in range(400):
        design = random_design(generator)
        linear = linear_design(as_stages(design))
        if linear is not None:
            found += 1
            assert linear.fitted_stages() == design.fitted_stages()
            assert linear.architecture().state_dict_shapes() == design.architecture().state_dict_shapes()
    assert found >= 390


def test_strides_are_kept() -> None:
    design = Design(depth=8, w0=64, wa=32, wm=2, group_width=32, stem_stride=1, stage_strides=(1, 2, 2))
    found = linear_design(as_stages(design))
    assert found is not None
    assert (found.stem_stride, found.stage_strides) == (1, (1, 2, 2))


@pytest.mark.parametrize(
    "widths_and_depths",
    [[(64, 1), (32, 1)], [(64, 2), (64, 2)], [(8, 9), (16, 1), (24, 9)], [(8 * n, 1) for n in range(1, 12)]],
    ids=["narrower", "equal", "no line", "eleven stages"],
)
def test_stages_that_follow_no_line(widths_and_depths: list[tuple[int, int]]) -> None:
    stages = tuple(StageDesign(width=width, depth=depth, group_width=8) for width, depth in widths_and_depths)
    design = AnyNetDesign(stages=stages)
    assert linear_design(design) is None
    assert simplest_design(design) is design


def test_stages_of_different_multipliers() -> None:
    stages = (
        StageDesign(width=32, depth=1, group_width=8),
        StageDesign(width=64, depth=1, group_width=8, bottleneck_multiplier=0.5),
    )
    assert linear_design(AnyNetDesign(stages=stages)) is None
