"""Budgets, fronts, and candidates by a timer whose times are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from regnety.architecture.counting import complexity
from regnety.architecture.description import AnyDesign
from regnety.designspace.search.budget import Budget, Measured
from regnety.designspace.search.candidates import find_candidates
from regnety.designspace.search.default_space import default_space
from regnety.designspace.search.front import pareto_front
from regnety.errors import EngineError, InvalidDesignError, JobError

MACS_A_MS = 5e6
SPACE = default_space("regnety", 32, num_classes=10)


def measured(latency_ms: float, memory_mib: float | None = 50.0) -> Measured:
    return Measured(
        engine="onnxruntime",
        engine_version="1",
        precision="f32",
        latency_ms=latency_ms,
        latency_p99_ms=2 * latency_ms,
        memory_mib=memory_mib,
    )


class KnownTimes:
    """A millisecond for every five million multiply-adds, times the depth of a design over twenty."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        self.asked: list[AnyDesign] = []
        self._failing = failing

    def measure(self, design: AnyDesign, *, name: str, limit_ms: float | None = None) -> Measured:
        self.asked.append(design)
        if len(self.asked) in self._failing:
            raise EngineError(f"{name}: no memory")
        counts = complexity(design.architecture(10), 32)
        return measured(counts.macs / MACS_A_MS * sum(stage.depth for stage in design.fitted_stages()) / 20)


def test_candidates_are_within_the_budget_and_use_half_of_it() -> None:
    timer = KnownTimes()
    found = find_candidates(SPACE, 12, timer, Budget.of(4.0, None), seed=3, quiet=True)
    assert len(found.found) == 12
    assert all(2 <= candidate.measured.latency_ms <= 4 for candidate in found.found)
    assert [candidate.draw for candidate in found.found] == sorted(candidate.draw for candidate in found.found)
    assert found.measured == len(timer.asked) >= 12 + found.too_slow + found.too_fast
    low, high = found.macs
    for candidate in found.found:
        assert candidate.complexity == complexity(candidate.design.architecture(10), 32)
        assert low <= candidate.complexity.macs <= high
    again = find_candidates(SPACE, 5, KnownTimes(), Budget.of(4.0, None), seed=3, quiet=True)
    assert again.found == found.found[:5]


def test_the_band_reaches_from_far_too_small_to_far_too_large() -> None:
    lines: list[str] = []
    found = find_candidates(SPACE, 1, KnownTimes(), Budget.of((3.0, 4.0), None), quiet=True, say=lines.append)
    low, high = found.macs
    assert low < 3 * MACS_A_MS < 4 * MACS_A_MS < high
    assert high / low < 1000  # and no further
    assert "macs take" in lines[1]


def test_a_space_with_a_band_is_not_measured_first() -> None:
    timer = KnownTimes()
    found = find_candidates(SPACE.replace(macs=(1e7, 3e7)), 2, timer, Budget.of((0.0, 1e6), None), quiet=True)
    assert found.macs == (1e7, 3e7)
    assert found.measured == len(timer.asked) == 2


def test_designs_that_no_engine_runs_are_counted_and_not_taken() -> None:
    found = find_candidates(SPACE, 4, KnownTimes(failing=(9, 11, 12)), Budget.of((0.0, 4.0), None), quiet=True)
    assert found.not_run == 3
    assert len(found.found) == 4
    with pytest.raises(EngineError, match="no memory"):
        find_candidates(SPACE, 4, KnownTimes(failing=range(1, 99)), Budget.of((0.0, 4.0), None), quiet=True)


def test_a_budget_that_nothing_meets_says_what_was_measured() -> None:
    space = SPACE.replace(macs=(40e6, 60e6))
    with pytest.raises(JobError, match=r"none of 100 designs of 40 million to 60 million macs .* the fastest takes"):
        find_candidates(space, 2, KnownTimes(), Budget.of((0.0, 0.01), None), quiet=True)


def test_a_budget_far_below_the_smallest_design_is_refused_at_once() -> None:
    timer = KnownTimes()
    with pytest.raises(JobError, match=r"none of 8 designs of .* is within 0.0001 to 0.0002 ms; the fastest takes"):
        find_candidates(SPACE, 25, timer, Budget.of(0.0002, None), quiet=True)
    assert len(timer.asked) == 8


def test_one_slow_design_does_not_end_a_search() -> None:
    class FirstIsSlow(KnownTimes):
        def measure(self, design: AnyDesign, *, name: str, limit_ms: float | None = None) -> Measured:
            found = super().measure(design, name=name, limit_ms=limit_ms)
            return measured(100.0) if len(self.asked) == 1 else found

    slow = find_candidates(SPACE, 3, FirstIsSlow(), Budget.of((0.0, 4.0), None), quiet=True)
    usual = find_candidates(SPACE, 3, KnownTimes(), Budget.of((0.0, 4.0), None), quiet=True)
    assert slow.found == usual.found
    broken = find_candidates(SPACE, 3, KnownTimes(failing=(2,)), Budget.of((0.0, 4.0), None), quiet=True)
    assert broken.macs == usual.macs  # nor one that could not be run


def test_a_space_with_few_designs_ends() -> None:
    lines: list[str] = []
    space = SPACE.replace(macs=(1e6, 1e9), depth=(8,), w0=(32,), wa=(32,), wm=(2, 2.01), group_width=(8,))
    found = find_candidates(space, 90, KnownTimes(), Budget.of((0.0, 100.0), None), quiet=True, say=lines.append)
    assert 0 < len(found.found) < 30
    assert len({candidate.design for candidate in found.found}) == len(found.found)
    assert "going on with these" in lines[-1]


@pytest.mark.parametrize(
    ("latency_ms", "memory_mib", "message"),
    [
        (None, None, "needs a limit"),
        (0.0, None, "latency_ms .* must be from 0 up to a limit"),
        ((5.0, 2.0), None, "got 5 to 2"),
        (float("nan"), None, "latency_ms"),
        (None, -1.0, "memory_mib .* above 0, got -1"),
    ],
)
def test_a_budget_is_checked(
    latency_ms: float | tuple[float, float] | None, memory_mib: float | None, message: str
) -> None:
    with pytest.raises(JobError, match=message):
        Budget.of(latency_ms, memory_mib)


def test_unknown_memory_is_within_no_limit() -> None:
    assert Budget.of(None, 60.0).admits(measured(1.0))
    assert not Budget.of(None, 60.0).admits(measured(1.0, None))
    assert Budget.of((0.0, 2.0), None).admits(measured(1.0, None))
    assert Budget.of((0.5, 2.0), 60.0).in_words() == "0.5 to 2 ms, at most 60 MiB"


def test_the_front_is_what_nothing_beats() -> None:
    points = np.random.default_rng(0).integers(0, 6, (60, 3)).tolist()
    beaten = {
        at
        for at, own in enumerate(points)
        for other in points
        if other != own and all(one <= two for one, two in zip(other, own, strict=True))
    }
    front = pareto_front(points)
    assert {tuple(points[at]) for at in front} == {tuple(points[at]) for at in range(60) if at not in beaten}
    assert len({tuple(points[at]) for at in front}) == len(front)  # of equal points one
    assert [points[at][0] for at in front] == sorted(points[at][0] for at in front)


def test_a_default_space_suits_the_pictures() -> None:
    assert (SPACE.stem_stride, SPACE.num_stages) == (1, (3, 4))
    large = default_space("regnetx", 224, group_width=(8, 16))
    assert (large.stem_stride, large.num_stages, large.params_bound) == (2, (4, 4), None)
    assert default_space("anynetx_a", 32, stem_stride=2).stem_stride == 2
    with pytest.raises(InvalidDesignError, match="no design space is called 'resnet'"):
        default_space("resnet", 32)
