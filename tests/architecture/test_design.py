"""Designs refuse nonsense by themselves, and say which parameter it was and what is allowed."""

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import designs
import goldens
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError

DESIGN = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}
STAGE = {"width": 48, "depth": 2, "group_width": 8}
ANYNET = {"stages": (StageDesign(**STAGE),)}

NOT_WHOLE = ("8", 8.0, True, math.nan, math.inf, None, [8])
NOT_REAL = ("1", True, math.nan, math.inf, -math.inf, None, [1])
WHOLE = (*NOT_WHOLE, -8, 0)
WIDTH = (*WHOLE, (1 << 20) + 8)
STRIDE = (*WHOLE, 65)
MULTIPLIER = (*NOT_REAL, 0, -1, 1.5, 0.3, 2 / 3, 65, 1 / 65)
RATIO = (*NOT_REAL, -0.25, 16.5)
MIN_RATIO = (*NOT_REAL, -0.1, 1.1)

WRONG_DESIGN = {
    "depth": (*WHOLE, 4097),
    "w0": (*WIDTH, 20, 4),
    "wa": (*NOT_REAL, -0.1, 1 << 21),
    "wm": (*NOT_REAL, 1, 0.5, 0, -2),
    "group_width": WIDTH,
    "bottleneck_multiplier": MULTIPLIER,
    "se_ratio": RATIO,
    "stem_width": WIDTH,
    "stem_stride": STRIDE,
    "stage_strides": (2, "2222", (), (2, 2, 2), (2,) * 5, *((2, 2, 2, wrong) for wrong in STRIDE)),
    "group_min_ratio": MIN_RATIO,
}
WRONG_STAGE = {
    "width": WIDTH,
    "depth": (*WHOLE, 4097),
    "bottleneck_multiplier": MULTIPLIER,
    "group_width": WIDTH,
    "stride": STRIDE,
}
WRONG_ANYNET = {
    "stages": (None, (), "s1", StageDesign(**STAGE), (STAGE,), (StageDesign(**{**STAGE, "depth": 4000}),) * 2),
    "se_ratio": RATIO,
    "stem_width": WIDTH,
    "stem_stride": STRIDE,
    "group_min_ratio": MIN_RATIO,
}


@pytest.mark.parametrize(
    ("kind", "valid", "field", "wrong"),
    [
        pytest.param(kind, valid, field, wrong, id=f"{kind.__name__}-{field}-{wrong!r:.40}")
        for kind, valid, table in (
            (Design, DESIGN, WRONG_DESIGN),
            (StageDesign, STAGE, WRONG_STAGE),
            (AnyNetDesign, ANYNET, WRONG_ANYNET),
        )
        for field, values in table.items()
        for wrong in values
    ],
)
def test_wrong_value_is_refused_by_name(kind: type, valid: dict[str, Any], field: str, wrong: object) -> None:
    with pytest.raises(InvalidDesignError, match=rf"^(each of )?{field} must .+, got ") as raised:
        kind(**{**valid, field: wrong})
    assert "\n" not in str(raised.value)


def test_table_of_wrong_values_has_every_field() -> None:
    for kind, table in ((Design, WRONG_DESIGN), (StageDesign, WRONG_STAGE), (AnyNetDesign, WRONG_ANYNET)):
        assert list(table) == [field.name for field in dataclasses.fields(kind)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depth": 4096, "wa": 1000}, "wa 1000 passes 1048576 channels at depth 4096; lower either"),
        ({"w0": 8, "wa": 1 << 19, "wm": 1 << 20, "depth": 2}, r"\bwm\b"),
        (
            {"group_width": 24, "bottleneck_multiplier": 64, "w0": 8, "wa": 0, "group_min_ratio": 0.9},
            "group_width 24 does not divide the inner width .* allowed: a group_width that divides it, or group_min",
        ),
    ],
    ids=["wa", "wm", "group_width"],
)
def test_parameters_that_do_not_go_together_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        Design(**{**DESIGN, **values})


def test_se_ratio_that_leaves_no_channel_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(
        InvalidDesignError, match=r"^se_ratio 0\.01 of the \d+ channels .* allowed: 0, or .* above "
    ) as raised:
        Design(**DESIGN, se_ratio=0.01).architecture()
    lowest = float(str(raised.value).rpartition(" ")[2])
    squeezed = [block.se for block in Design(**DESIGN, se_ratio=1.001 * lowest).architecture().blocks]
    assert min(se.se_width for se in squeezed if se is not None) == 1


@pytest.mark.parametrize(
    "design", [Design(**DESIGN), StageDesign(**STAGE), AnyNetDesign(**ANYNET)], ids=lambda d: type(d).__name__
)
def test_designs_are_frozen_and_keyword_only(design: Any) -> None:
    for field in dataclasses.fields(design):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(design, field.name, getattr(design, field.name))
    with pytest.raises(TypeError, match="positional argument"):
        type(design)(*(getattr(design, field.name) for field in dataclasses.fields(design)))
    assert hash(design) == hash(dataclasses.replace(design))


def test_values_become_plain_python() -> None:
    plain = Design(**DESIGN)
    numpy = Design(
        depth=np.int64(13), w0=np.int32(24), wa=np.float64(36.44), wm=np.float64(2.49), group_width=np.uint8(8)
    )
    assert numpy == plain
    for field, value in numpy.as_dict().items():
        assert type(value) is type(getattr(plain, field)), field


@pytest.mark.parametrize("given_value", [1 / 3, 0.333333333, 1 / 49, 2.0000000001])
def test_multiplier_is_snapped_to_the_ratio_it_means(given_value: float) -> None:
    design = Design(**DESIGN, bottleneck_multiplier=given_value)
    assert design.bottleneck_multiplier in (1 / 3, 1 / 49, 2.0)
    assert design.bottleneck_multiplier == pytest.approx(given_value, rel=1e-6)


@pytest.mark.parametrize("name", goldens.models("paper_models.json"))
def test_paper_model_keeps_the_papers_restrictions(name: str) -> None:
    assert model_info(name).design.paper_violations() == ()


@pytest.mark.parametrize(
    ("values", "violations"),
    [
        ({"bottleneck_multiplier": 0.5}, ["bottleneck_multiplier is 0.5, the paper has b = 1"]),
        ({"depth": 11}, ["depth is 11, the paper has 12 <= d <= 28"]),
        ({"depth": 12}, []),
        ({"depth": 28}, []),
        ({"depth": 29}, ["depth is 29, the paper has 12 <= d <= 28"]),
        ({"wm": 1.99}, ["wm is 1.99, the paper has wm >= 2"]),
        ({"wm": 2}, []),
        (
            {"bottleneck_multiplier": 4, "depth": 1, "wm": 1.5},
            ["bottleneck_multiplier is 4", "depth is 1", "wm is 1.5"],
        ),
    ],
)
def test_each_violation_of_the_paper_shows(values: dict[str, Any], violations: list[str]) -> None:
    found = Design(**{**DESIGN, **values}).paper_violations()
    assert len(found) == len(violations)
    assert all(sentence.startswith(wanted) for sentence, wanted in zip(found, violations, strict=True))


def test_anynet_says_that_it_is_no_regnet() -> None:
    def violations(**values: Any) -> tuple[str, ...]:
        return AnyNetDesign(stages=(StageDesign(**{**STAGE, "depth": 12, **values}),)).paper_violations()

    assert [re.split(r" is | are ", sentence)[0] for sentence in violations()] == ["the stages"]
    assert violations(bottleneck_multiplier=0.25)[1:] == ("bottleneck_multiplier is 0.25, the paper has b = 1",)
    assert violations(depth=3)[1:] == ("depth is 3, the paper has 12 <= d <= 28",)


@given(designs.designs() | designs.anynet_designs())
@designs.examples(1000)
def test_stages_fit_their_groups(design: AnyDesign) -> None:
    stages = design.fitted_stages()
    assert sum(stage.depth for stage in stages) == design.depth
    for stage in stages:
        assert stage.inner_width % stage.group_width == 0
        assert stage.inner_width == max(1, round(stage.width * stage.bottleneck_multiplier))
        assert stage.fitted(design.group_min_ratio) == stage, "fitting twice changes nothing"


@given(designs.designs(max_depth=60))
@designs.examples(1000)
def test_widths_of_a_design_never_fall(design: Design) -> None:
    grouped = [width for width, _ in design.grouped_widths()]
    assert grouped == sorted(set(grouped)), "stages differ in width before groups are fitted"
    assert all(width % 8 == 0 for width in grouped)
    fitted = [stage.width for stage in design.fitted_stages()]
    assert fitted == sorted(fitted)


@pytest.mark.parametrize("row", goldens.models("paper_models.json").items(), ids=lambda row: row[0])
def test_paper_model_has_the_published_parameters_and_stages(row: tuple[str, dict[str, Any]]) -> None:
    name, paper = row
    design = model_info(name).design
    assert isinstance(design, Design)
    assert (design.depth, design.w0, design.wa, design.wm, design.group_width) == tuple(
        paper[field] for field in ("d", "w0", "wa", "wm", "group_width")
    )
    assert (design.se_ratio > 0) == paper["se_on"]
    stages = design.fitted_stages()
    assert [stage.width for stage in stages] == paper["stage_widths"]
    assert [stage.depth for stage in stages] == paper["stage_depths"]
    assert [stage.group_width for stage in stages] == paper["group_widths"]
