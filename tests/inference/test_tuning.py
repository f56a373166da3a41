"""The plan for many images: found by trying, kept, and found again only where the same would be found."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import SMALL, small_bundle
from pictures import encoded, noise
from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError
from regnety.images.sources import ImageSource
from regnety.inference import runner as runner_module
from regnety.inference import tuning
from regnety.inference.engines import registry
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.selection import choose_engine, start_engine
from regnety.inference.options import RunOptions
from regnety.inference.runner import MANY, Runner
from regnety.inference.tuning import Plan, candidates, images_per_s, remembered_plan, tune, untuned_plan
from regnety.storage.cache import cache_directory

IMAGES = [encoded(noise(20, 20, seed=seed)) for seed in range(3)]
BEST_BF16 = "bf16" if has_bf16() else "f32"


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))


def tuned(bundle: Bundle, engine: str, precision: str, images: Sequence[ImageSource] = IMAGES, **options: Any) -> Any:
    """`tune` as a runner calls it."""
    run_options = RunOptions(engine=engine, precision=precision, **options)
    return tune(bundle, images, Runner(bundle, run_options)._new_pipeline, run_options)


def remembered(bundle: Bundle, engine: str, precision: str, *, workers: int | None = None, **options: Any) -> Any:
    return remembered_plan(bundle, RunOptions(engine=engine, precision=precision, workers=workers), **options)


@pytest.mark.parametrize(("engine", "batch"), [("onnxruntime", 1), ("onnxruntime", 8), ("openvino", 4)])
def test_the_fastest_is_taken_and_remembered(rates: dict[tuple[str, int], float], engine: str, batch: int) -> None:
    rates[engine, batch] = 1300.0
    bundle = small_bundle()
    assert remembered(bundle, "auto", "auto", workers=2) is None
    found = tuned(bundle, "auto", "auto", workers=2)
    precision = BEST_BF16 if engine == "openvino" else "f32"
    assert found == Plan(engine, precision, workers=2, threads=1, batch=batch)  # type: ignore[arg-type]
    assert remembered(small_bundle(seed=5), "auto", "auto", workers=2) == found  # the weights do not matter
    (kept,) = (cache_directory() / "plans").iterdir()
    facts = json.loads(kept.read_text("utf-8"))
    assert len(facts["measured"]) == 6
    assert max(facts["measured"], key=lambda row: row["images_per_s"])["batch"] == batch


def test_another_wish_model_or_machine_is_tried_anew(
    rates: dict[tuple[str, int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = small_bundle()
    rates["openvino", 4] = 1300.0
    found = tuned(bundle, "auto", "auto", workers=2)
    assert remembered(bundle, "auto", "auto", workers=2) == found
    assert remembered(bundle, "openvino", BEST_BF16, workers=2) == found  # the fastest of all is so of its engine
    assert remembered(bundle, "auto", "f32", workers=2) is None
    assert remembered(bundle, "onnxruntime", "auto", workers=2) is None
    assert remembered(bundle, "auto", "auto", workers=3) is None
    assert remembered(bundle, "auto", "auto", workers=2, outputs=("pre_logits",)) is None
    assert remembered(small_bundle(None, num_classes=5), "auto", "auto", workers=2) is None
    larger = bundle.with_preprocessing(SMALL.with_changes(image_size=48))
    assert remembered(larger, "auto", "auto", workers=2) is None
    monkeypatch.setattr(tuning, "installed_engines", lambda: {"onnxruntime": "99.0"})
    assert remembered(bundle, "auto", "auto", workers=2) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"plan": {"engine": 1}}', '{"plan": null}'])
def test_a_damaged_memory_is_no_plan(rates: dict[tuple[str, int], float], content: str) -> None:
    tuned(small_bundle(), "auto", "auto", workers=2)
    (kept,) = (cache_directory() / "plans").iterdir()
    kept.write_text(content, "utf-8")
    assert remembered(small_bundle(), "auto", "auto", workers=2) is None


def test_a_cache_that_cannot_be_written_costs_the_memory_only(
    rates: dict[tuple[str, int], float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "file"))
    assert tuned(small_bundle(), "auto", "f32", workers=2).batch in tuning.BATCHES
    assert remembered(small_bundle(), "auto", "f32", workers=2) is None


def test_a_large_model_is_spared_large_batches(rates: dict[tuple[str, int], float]) -> None:
    rates["onnxruntime", 1] = 2 / tuning.LONGEST_RUN_S  # four at once would take twice as long as may be
    rates["onnxruntime", 8] = 1e9
    assert tuned(small_bundle(), "onnxruntime", "f32", workers=2).batch == 1


def test_an_engine_that_is_far_behind_is_spared_batches(rates: dict[tuple[str, int], float]) -> None:
    rates["onnxruntime", 1] = 500.0
    rates["onnxruntime", 8] = 1e9
    assert tuned(small_bundle(), "auto", "f32", workers=2).engine == "openvino"


def test_an_engine_that_does_not_start_is_said_and_passed_over(
    rates: dict[tuple[str, int], float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(bundle: Bundle, *, engine: str, **options: Any) -> Any:
        if engine == "openvino":
            raise EngineError("openvino is installed but cannot be imported: no reason")
        return start_engine(bundle, engine=engine, **options)

    monkeypatch.setattr(runner_module, "start_engine", start)
    assert tuned(small_bundle(), "auto", "auto").engine == "onnxruntime"
    assert "openvino cannot be tried: openvino is installed but cannot be imported: no reason" in caplog.text


def test_which_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(candidates("auto", "auto")) == [("onnxruntime", "f32"), ("openvino", BEST_BF16)]
    assert list(candidates("auto", "f32")) == [("onnxruntime", "f32"), ("openvino", "f32")]
    assert list(candidates("openvino", "f32")) == [("openvino", "f32")]
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    assert list(candidates("auto", "auto")) == [("onnxruntime", "f32")]


def test_a_few_images_are_not_tried_for() -> None:
    assert untuned_plan(choose_engine(), single=True, workers=3) == Plan("onnxruntime", "f32", 1, 3, 1)
    assert untuned_plan(choose_engine(), single=False, workers=3) == Plan("onnxruntime", "f32", 3, 1, 1)


def test_what_cannot_be_read_is_not_counted(rates: dict[tuple[str, int], float]) -> None:
    assert tuned(small_bundle(), "auto", "f32", images=[b"text"]) is None
    assert remembered(small_bundle(), "auto", "f32") is None
    assert tuned(small_bundle(), "auto", "f32", images=[b"text", *IMAGES]) is not None


def test_images_a_second() -> None:
    pipeline = Runner(small_bundle())._new_pipeline(untuned_plan(("onnxruntime", "f32"), single=False))
    begin = time.perf_counter()
    rate = images_per_s(pipeline, [*IMAGES, b"text"], 40)
    assert rate > 30 / (time.perf_counter() - begin)
    assert images_per_s(pipeline, [b"text"], 10) == 0


SOURCES = [encoded(noise(20, 20, seed=seed)) for seed in range(3 * MANY)]


class TestRunner:
    """Which plan is followed when."""

    def answers(self, runner: Runner, **options: Any) -> list[np.ndarray]:
        found = list(runner.stream(iter(SOURCES), **options))
        return [output.outputs["logits"] for output in found if output.outputs is not None]

    def test_long_work_is_tuned_once_and_answers_are_the_same(
        self, rates: dict[tuple[str, int], float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rates["openvino", 4] = 2500.0
        monkeypatch.setattr(runner_module, "LONG_S", 0.0)
        plain = Runner(small_bundle(), RunOptions(precision="f32"))
        wanted = self.answers(plain)
        assert plain.plan is not None
        assert plain.plan.engine == "onnxruntime"
        tuned = Runner(small_bundle(), RunOptions(precision="f32"))
        found = self.answers(tuned, count=len(SOURCES))
        assert tuned.plan is not None
        assert (tuned.plan.engine, tuned.plan.batch) == ("openvino", 4)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
        monkeypatch.setattr(runner_module, "tune", None)  # the second time nothing is tried
        again = Runner(small_bundle(), RunOptions(precision="f32"))
        np.testing.assert_allclose(self.answers(again, count=float("inf")), wanted, atol=2e-5)
        assert again.plan == tuned.plan

    def test_short_work_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner_module, "tune", None)
        monkeypatch.setattr(runner_module, "LONG_S", 1e9)
        runner = Runner(small_bundle())
        assert len(self.answers(runner, count=len(SOURCES))) == len(SOURCES)
        assert runner.plan is not None
        assert runner.plan.engine == "onnxruntime"

    def test_unreadable_images_alone_are_no_ground_for_a_plan(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner_module, "LONG_S", 0.0)
        found = list(Runner(small_bundle()).stream([b"text"] * 200))
        assert len(found) == 200
        assert all(str(output.error).startswith("image: is not an image") for output in found)

    def test_other_outputs(self) -> None:
        runner = Runner(small_bundle(), outputs=("pre_logits", "logits"))
        (output,) = runner.stream(SOURCES[:1])
        assert output.outputs is not None
        assert {name: value.shape for name, value in output.outputs.items()} == {"pre_logits": (32,), "logits": (4,)}

    @pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1.5}, {"pixels": "best"}], ids=str)
    def test_what_is_not_to_be_had_is_said_at_once(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="must be"):
            RunOptions(**options)


@pytest.mark.slow
def test_for_real(tmp_path: Path) -> None:
    """Nothing pretended: what is measured is a plan that this machine can follow."""
    bundle = Bundle.load("regnety_cifar10")
    plan = tuned(bundle, "auto", "auto")
    assert remembered(bundle, "auto", "auto") == plan
    runner = Runner(bundle)
    assert sum(output.error is None for output in runner.stream([encoded(noise(40, 40))] * 100)) == 100
    assert runner.plan == plan
