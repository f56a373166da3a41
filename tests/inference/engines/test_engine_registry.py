"""A new engine is a class and a row of the table: everything else finds it there."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bundles import small_bundle
from pictures import encoded, noise
from regnety import EngineError, Predictor, RunOptions
from regnety.inference.engines.onnxruntime import OnnxRuntimeEngine
from regnety.inference.engines.registry import ENGINES, EngineRow, Precision
from regnety.inference.engines.selection import choose_engine, describe_engine, installed_engines
from regnety.inference.latency.benchmark import engines_to_time
from regnety.inference.tuning import candidates

PHOTO = encoded(noise(40, 30))


class MadeUpEngine:
    """Answers as ONNX Runtime does, with all signs turned."""

    name = "made_up"
    version = "1.0"

    def __init__(self, graph: Path | bytes, *, precision: Precision, threads: int, **_: Any) -> None:
        self.precision = precision
        self._inner = OnnxRuntimeEngine(graph, threads=threads)
        self.output_names = self._inner.output_names
        self.input_shape, self.input_dtype = self._inner.input_shape, self._inner.input_dtype

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        return {name: -value for name, value in self._inner.run(images).items()}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    row = EngineRow(
        name="made_up",
        title="The made-up engine",
        package="numpy",
        extra="made_up",
        precisions=("f32", "int8"),
        suffixes=(".onnx",),
        start=f"{__name__}:MadeUpEngine",
    )
    monkeypatch.setitem(ENGINES, row.name, row)


def test_it_answers_where_it_is_named() -> None:
    predictor = Predictor(small_bundle(), engine="made_up")
    (output,) = predictor.outputs([PHOTO])
    (plain,) = Predictor(small_bundle()).outputs([PHOTO])
    assert output.outputs is not None
    assert plain.outputs is not None
    np.testing.assert_array_equal(output.outputs["logits"], -plain.outputs["logits"])
    assert predictor.plan is not None
    assert describe_engine(predictor.plan.engine, predictor.plan.precision, "1.0") == "The made-up engine 1.0 in f32"


def test_everything_that_knows_engines_knows_it() -> None:
    assert installed_engines()["made_up"] is not None
    assert choose_engine("made_up") == ("made_up", "f32")
    assert ("made_up", "f32") in candidates("auto", "f32")
    assert ("made_up", "f32") in engines_to_time(("auto",), ("f32",))


def test_what_it_lacks_is_said() -> None:
    with pytest.raises(EngineError, match=r"^The made-up engine does not compute in bf16; take the precision f32, or"):
        Predictor(small_bundle(), engine="made_up", precision="bf16")
    with pytest.raises(EngineError, match=r"^no engine named 'made_down'; there are auto, .*, made_up$"):
        RunOptions(engine="made_down")
