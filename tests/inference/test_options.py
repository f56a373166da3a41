"""How a model is run and what it is shown, as one value."""

import copy
import inspect
import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from bundles import SMALL, small_bundle
from pictures import encoded, noise
from regnety import Embedder, EngineError, Predictor, RayPredictor, RunOptions, WeightsError
from regnety.inference.engines.registry import ENGINES
from regnety.inference.options import RunFields

PHOTO = encoded(noise(40, 30))
OPTIONS = RunOptions(
    engine="onnxruntime", precision="f32", pixels="exact", image_size=40, mean=[0.4, 0.5, 0.6], std=0.25
)


def test_the_keywords_are_the_fields() -> None:
    assert list(RunFields.__annotations__) == [field.name for field in fields(RunOptions)]


@pytest.mark.parametrize(("kind", "precision"), [(Predictor, "auto"), (Embedder, "f32"), (RayPredictor, "auto")])
def test_a_signature_names_the_keywords(kind: Any, precision: str) -> None:
    parameters = inspect.signature(kind).parameters
    own = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "changes")]
    assert list(parameters) == own + list(RunFields.__annotations__)
    assert {name: parameters[name].default for name in RunFields.__annotations__} == {
        field.name: precision if field.name == "precision" else field.default for field in fields(RunOptions)
    }
    assert parameters["workers"].annotation == int | None


def test_a_subclass_has_its_own_signature() -> None:
    class Bare(Predictor):
        def __init__(self) -> None:
            super().__init__(small_bundle())

    class Quick(Predictor):
        def __init__(self, size: int = 8) -> None:
            super().__init__(small_bundle(), image_size=size)

    class Same(Predictor):
        pass

    assert str(inspect.signature(Bare)) == "()"
    assert str(inspect.signature(Quick)) == "(size: int = 8)"
    assert inspect.signature(Same) == inspect.signature(Predictor)


def test_it_is_a_value() -> None:
    same = replace(OPTIONS, mean=np.array([0.4, 0.5, 0.6]), std=(0.25, 0.25, 0.25))
    assert (same, hash(same)) == (OPTIONS, hash(OPTIONS))
    assert pickle.loads(pickle.dumps(OPTIONS)) == copy.copy(OPTIONS) == OPTIONS


@pytest.mark.parametrize("kind", [Predictor, Embedder])
def test_options_and_keywords_say_the_same(kind: Any) -> None:
    made = kind(small_bundle(), options=OPTIONS)
    assert made.options == OPTIONS
    assert made.bundle.preprocessing == replace(SMALL, image_size=40, mean=(0.4, 0.5, 0.6), std=(0.25, 0.25, 0.25))
    assert (
        kind(small_bundle(), **{name: getattr(OPTIONS, name) for name in RunFields.__annotations__}).options == OPTIONS
    )
    changed = kind(small_bundle(), options=OPTIONS, workers=3)
    assert changed.options == replace(OPTIONS, workers=3)
    again = pickle.loads(pickle.dumps(changed))
    assert (again.options, again.bundle.preprocessing) == (changed.options, changed.bundle.preprocessing)


def test_an_embedder_is_in_float32_unless_told_otherwise() -> None:
    assert Embedder(small_bundle(), workers=1).options == RunOptions(precision="f32", workers=1)


def test_one_like_another_is_shown_the_same() -> None:
    origin = Embedder(small_bundle(), options=OPTIONS).origin
    like = Embedder.like(origin, small_bundle(), workers=2)
    assert like.origin == origin
    assert like.options == RunOptions(precision="f32", workers=2, pixels="exact", exif_orientation=True)
    assert Embedder.like(origin, small_bundle(), precision="auto").options.precision == "auto"
    with pytest.raises(ValueError, match=r"^pixels, image_size: what the model is shown is decided by the stored "):
        Embedder.like(origin, small_bundle(), pixels="fast", image_size=64)


def test_what_is_left_open_is_decided_by_who_takes_it() -> None:
    assert Embedder(small_bundle(), options=RunOptions(workers=1)).options.precision == "f32"
    embedder = Embedder(small_bundle(), precision="auto")
    assert (embedder.options.precision, copy.copy(embedder).options.precision) == ("auto", "auto")
    predictor = Predictor(small_bundle())
    assert predictor.options == RunOptions()
    assert (predictor.options.pixel_way, predictor.options.is_turned_upright) == ("fast", True)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (
            {"engine": "tensorrt"},
            EngineError,
            f"no engine named 'tensorrt'; there are auto, {', '.join(ENGINES)}",
        ),
        ({"precision": "f64"}, EngineError, "no precision named 'f64'; there are auto, f32, bf16, int8"),
        ({"workers": 0}, ValueError, "workers must be a whole number of at least 1, got 0"),
        ({"max_pixels": None}, ValueError, "max_pixels must be a whole number of at least 1, got None"),
        ({"pixels": "best"}, ValueError, "pixels must be one of fast, exact, draft, got 'best'"),
        (
            {"interpolation": "cubic"},
            ValueError,
            "interpolation must be one of bicubic, bilinear, lanczos, nearest, got 'cubic'",
        ),
        ({"precision": "float16"}, EngineError, "no engine computes in f16; there are auto, f32, bf16, int8"),
        ({"mean": 124}, WeightsError, "mean is 124, as for values from 0 to 255; here it is for values from 0 to 1"),
        (
            {"image_size": 64, "use_test_size": True},
            ValueError,
            "image_size and use_test_size contradict each other; give one of them",
        ),
    ],
)
def test_it_refuses_nonsense(values: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        RunOptions(**values)
    assert str(caught.value) == message
