"""Sampled designs: exact, reproducible, within their space, and counted."""

import itertools
import tracemalloc

import numpy as np
import pytest

from regnety.architecture.counting import complexity
from regnety.architecture.design import WIDTH_QUANTUM, AnyNetDesign, Design
from regnety.architecture.stages import block_widths, group_stages
from regnety.designspace.designs import Designs
from regnety.designspace.linear_stages import linear_stages
from regnety.designspace.sampling import draws
from regnety.designspace.spaces import SPACES, DesignSpace
from regnety.errors import InvalidDesignError

SAMPLED = {
    **{name: make() for name, make in SPACES.items()},
    "pycls": DesignSpace.regnety("pycls", macs=(380e6, 400e6)),
    "constrained": DesignSpace.regnetx("constrained"),
    "all": DesignSpace.regnety(num_stages=None, image_size=(65, 32), num_classes=10, stem_stride=1, stem_width=16),
    "strides": DesignSpace.anynetx_c(num_stages=(1, 3), stage_strides=(1, 2, 3), se_ratio=0.5, width=(8, 64)),
    "wide": DesignSpace.regnety(bottleneck_multiplier=(4, 3, 1, 1 / 3), group_width=(3, 5, 16), wa=(0.0,), wm=(1.1,)),
    "gentle": DesignSpace.regnetx(wm=(1.01, 1.2), wa=(0.5, 3), w0=(8, 2048), num_stages=(2, 9)),
}
SAMPLED["wide"] = SAMPLED["wide"].replace(num_stages=1)


def assert_equal_to_the_scalar_path(designs: Designs, number: int) -> None:
    design, row, space = designs[number], designs.row(number), designs.space
    stages = design.fitted_stages()
    assert [stage.width for stage in stages] == row["stage_widths"], design
    assert [stage.depth for stage in stages] == row["stage_depths"], design
    assert [stage.inner_width for stage in stages] == row["stage_inner_widths"], design
    assert [stage.group_width for stage in stages] == row["stage_group_widths"], design
    counted = complexity(design.architecture(space.num_classes), space.image_size)
    assert (counted.num_params, counted.macs, counted.activations) == (
        row["num_params"],
        row["macs"],
        row["activations"],
    ), design


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_designs_equal_the_scalar_path(name: str) -> None:
    designs = SAMPLED[name].sample(60, seed=7)
    assert len(designs) == 60
    for number in range(60):
        assert_equal_to_the_scalar_path(designs, number)


@pytest.mark.slow
def test_a_hundred_thousand_designs_equal_the_scalar_path() -> None:
    count = -(-100_000 // len(SAMPLED))
    for space in SAMPLED.values():
        designs = space.sample(count, seed=11)
        for number in range(count):
            assert_equal_to_the_scalar_path(designs, number)


def test_stages_where_rounding_meets_a_half() -> None:
    """Factors whose powers are exact in floats, and slopes that meet the half: the definition decides."""
    rows = list(itertools.product((1, 2, 13, 30), (8, 16, 24, 40, 256), (0.0, 4.0, 8.0, 12.0, 20.5), (1.5, 2, 2.25, 4)))
    depth, w0, wa, wm = np.array(rows, float).T
    kept, stages = linear_stages(depth, w0, wa, wm, fewest=1, most=None, no_step_skipped=False)
    assert kept.tolist() == list(range(len(rows)))
    for number, (d, first, slope, factor) in enumerate(rows):
        expected = group_stages(block_widths(d, first, slope, factor, quantum=WIDTH_QUANTUM))
        found = list(zip(stages.widths[:, number].tolist(), stages.depths[:, number].tolist(), strict=True))
        assert found[: stages.count[number]] == expected, rows[number]
        assert not any(itertools.chain(*found[stages.count[number] :]))


def test_steps_that_are_skipped_or_merged() -> None:
    """pycls rejects both: a power of wm without a block, and two powers that are rounded to one width."""
    # 8, 12 -> 16, 18 -> 16: two powers of one width; 8, then 8 + 256: powers without blocks
    depth, w0, wa, wm = np.array([(12, 8, 1.0, 1.5), (2, 8, 256.0, 2.0), (13, 24, 36.44, 2.49)]).T
    kept, stages = linear_stages(depth, w0, wa, wm, fewest=1, most=None, no_step_skipped=True)
    assert kept.tolist() == [2]
    assert stages.count.tolist() == [4]
    kept, _ = linear_stages(depth, w0, wa, wm, fewest=2, most=3, no_step_skipped=False)
    assert kept.tolist() == [0, 1]


@pytest.mark.parametrize("name", SAMPLED)
def test_restrictions_hold_in_every_design(name: str) -> None:
    space = SAMPLED[name]
    designs = space.sample(2000, seed=2)
    columns = designs.columns
    stages, widths, depths = (columns[column] for column in ("num_stages", "stage_widths", "stage_depths"))
    if space.num_stages:
        assert stages.min() >= space.num_stages[0]
        assert stages.max() <= space.num_stages[1]
    there = np.arange(widths.shape[1]) < stages[:, None]
    assert ((widths > 0) == there).all()
    assert ((depths > 0) == there).all()
    for rises, values in ((space.widths_do_not_fall, widths), (space.depths_do_not_fall, depths)):
        if rises:
            assert ((np.diff(values, axis=1) >= 0) | ~there[:, 1:]).all()
    for shared, column in (
        (space.share_multiplier, "stage_bottleneck_multipliers"),
        (space.share_group_width, "drawn_group_widths"),
    ):
        if shared:
            assert ((columns[column] == columns[column][:, :1]) | ~there).all()
    if space.macs:
        assert columns["macs"].min() >= space.macs[0]
        assert columns["macs"].max() <= space.macs[1]
    if space.params_bound:
        assert (columns["num_params"] <= space.params_bound[0] + space.params_bound[1] * columns["macs"]).all()
        assert (columns["activations"] <= (space.activations_bound or 0) * np.sqrt(columns["macs"])).all()
    assert designs.draws == len(designs) + designs.rejected
    assert columns["draw"][-1] == designs.draws - 1
    assert (np.diff(columns["draw"]) > 0).all()


def test_a_draw_depends_on_seed_and_number_alone() -> None:
    space = DesignSpace.regnety(macs=(100e6, 900e6))
    many, few = space.sample(300, seed=4), space.sample(20, seed=4)
    assert list(many[:20]) == list(few)
    assert few.draws == int(many.columns["draw"][19]) + 1
    last = few.draws
    parts = [draws(space, start, min(start + 37, last), seed=4).columns["macs"] for start in range(0, last, 37)]
    assert np.concatenate(parts).tolist() == few.columns["macs"].tolist()
    assert list(space.sample(20, seed=5)) != list(few)
    # the same numbers for ever: whoever writes a seed into a paper relies on it
    assert DesignSpace.regnety("pycls").sample(4, seed=0).columns["w0"].tolist() == PYCLS_FIRST_WIDTHS


PYCLS_FIRST_WIDTHS = [96, 96, 40, 16]


def test_designs_are_made_on_access() -> None:
    linear, table = DesignSpace.regnety().sample(5), DesignSpace.anynetx_a().sample(5)
    assert isinstance(linear[-1], Design)
    assert isinstance(table[0], AnyNetDesign)
    assert linear[-1] == linear[4] == list(linear)[4]
    assert isinstance(linear[1:3], Designs)
    assert list(linear[1:3]) == [linear[1], linear[2]]
    with pytest.raises(IndexError, match="there are 5 designs, and no number 5"):
        linear[5]
    assert len(DesignSpace.regnety().sample(0)) == 0


def test_arrow_has_the_columns() -> None:
    designs = DesignSpace.anynetx_a(num_stages=(2, 4)).sample(50)
    rows = designs.to_arrow().to_pylist()
    assert rows == [designs.row(number) for number in range(50)]
    empty = DesignSpace.regnety(num_stages=None).sample(0).to_arrow()
    assert empty.num_rows == 0
    assert "stage_widths" in empty.column_names


def test_draws_end_where_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    space = DesignSpace.regnety("pycls", macs=(1, 2))
    designs = space.sample(3, max_draws=1000)
    assert (len(designs), designs.draws, designs.rejected) == (0, 1000, 1000)
    assert set(designs.rejections) == {"num_stages", "macs"}
    monkeypatch.setattr("regnety.designspace.sampling.MOST_FRUITLESS", 20_000)
    with pytest.raises(InvalidDesignError, match="no design among 32,768 draws in a row belongs to the space"):
        space.sample(1)
    for wrong in (
        {"count": -1},
        {"count": 1, "seed": -1},
        {"count": 1, "seed": 1 << 64},
        {"count": 1, "max_draws": -1},
    ):
        with pytest.raises(InvalidDesignError, match="must be a whole number"):
            space.sample(**wrong)


def test_a_million_draws_take_no_more_memory_than_a_few() -> None:
    space = DesignSpace.regnety("pycls", macs=(399e6, 400e6))
    space.sample(1)  # what is imported and kept for good
    peaks = []
    for count in (50_000, 1_000_000):
        tracemalloc.start()
        designs = space.sample(1 << 30, max_draws=count)
        peaks.append(tracemalloc.get_traced_memory()[1] - sum(column.nbytes for column in designs.columns.values()))
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (4 << 20)


def test_networks_that_squeeze_to_nothing_are_rejected() -> None:
    space = DesignSpace.anynetx_a(se_ratio=0.02)
    designs = space.sample(50)
    assert designs.rejections["squeeze"] > 0
    for number in range(50):
        assert_equal_to_the_scalar_path(designs, number)
