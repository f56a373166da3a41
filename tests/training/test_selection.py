"""What --design of `train` means, before anything is trained."""

import json
from pathlib import Path

import pytest

from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.training.selection import select_recipe

STAGES = AnyNetDesign(
    stages=(StageDesign(width=16, depth=1, group_width=8, stride=1), StageDesign(width=32, depth=2, group_width=8)),
    stem_stride=1,
)


@pytest.mark.parametrize("kind", ["text", "JSON", "file"])
def test_a_design_is_named_in_any_of_its_forms(kind: str, tmp_path: Path) -> None:
    wanted: Design | AnyNetDesign = STAGES
    table = json.dumps(STAGES.as_dict())
    (tmp_path / "mine.json").write_text(table)
    design = {"JSON": table, "file": str(tmp_path / "mine.json"), "text": "d=13,w_0=24,w_a=36.44,w_m=2.49,g=8"}[kind]
    if kind == "text":
        wanted = Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
    recipe = select_recipe(
        tmp_path / "run", model=None, design=design, recipe=None, options={}, settings=(), resume=False
    )
    assert (recipe.name, recipe.model, recipe.design) == ("scratch", None, wanted)
