"""All answers of one call, and all rows of one job, come from one engine in one precision."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import small_bundle
from pictures import encoded, noise
from regnety import Embedder, Predictor, write_predictions
from regnety.errors import EngineError, JobError
from regnety.images.sources import ImageSource, NamedImage
from regnety.inference import runner as runner_module
from regnety.inference.engines import registry, selection
from regnety.inference.engines.processor import has_bf16
from regnety.inference.jobs.answering import keep_engine
from regnety.inference.jobs.job import JobInterrupted
from regnety.inference.options import RunOptions
from regnety.inference.runner import MANY, Runner

BEST_BF16 = "bf16" if has_bf16() else "f32"
SOURCES = [encoded(noise(20, 20, seed=seed)) for seed in range(3 * MANY)]
NAMED = [NamedImage(f"{number}.png", data) for number, data in enumerate(SOURCES)]
Rates = dict[tuple[str, int], float]


@pytest.fixture(autouse=True)
def _all_work_is_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runner_module, "LONG_S", 0.0)


def logits(runner: Runner, sources: Any = SOURCES, **options: Any) -> np.ndarray:
    return np.stack([output.outputs["logits"] for output in runner.stream(sources, **options) if output.outputs])


def alone(engine: str, precision: str) -> np.ndarray:
    """What one engine in one precision answers, image by image."""
    return logits(Runner(small_bundle(), RunOptions(engine=engine, precision=precision)), iter(SOURCES))


@pytest.mark.parametrize(
    ("engine", "batch", "remembered"),
    [("onnxruntime", 8, False), ("openvino", 1, False), ("openvino", 8, False), ("openvino", 4, True)],
)
def test_every_answer_is_the_named_engines_to_the_bit(rates: Rates, engine: str, batch: int, remembered: bool) -> None:
    rates[engine, batch] = 1300.0
    if remembered:
        logits(Runner(small_bundle()))
    runner = Runner(small_bundle())
    found = logits(runner)
    assert runner.plan is not None
    assert (runner.plan.engine, runner.plan.batch) == (engine, batch)
    np.testing.assert_array_equal(found, alone(engine, "f32" if engine == "onnxruntime" else BEST_BF16))


def test_an_unknown_number_is_answered_by_one_engine_from_the_beginning(rates: Rates) -> None:
    rates["openvino", 8] = 1300.0
    logits(Runner(small_bundle()))  # that plan is remembered, and is not for these
    np.testing.assert_array_equal(logits(Runner(small_bundle()), iter(SOURCES)), alone("onnxruntime", "f32"))


def test_fewer_than_were_announced_are_answered_by_what_is_for_a_few(rates: Rates) -> None:
    rates["openvino", 8] = 1300.0
    found = logits(Runner(small_bundle()), iter(SOURCES[:20]), count=float("inf"))
    np.testing.assert_array_equal(found, alone("onnxruntime", "f32")[:20])


def test_the_first_images_are_answered_once_where_the_engine_stays(rates: Rates) -> None:
    rates["onnxruntime", 8] = 1300.0
    taken: list[int] = []

    def counted() -> Iterator[bytes]:
        for number, source in enumerate(SOURCES):
            taken.append(number)
            yield source

    np.testing.assert_array_equal(
        logits(Runner(small_bundle()), counted(), count=len(SOURCES)), alone("onnxruntime", "f32")
    )
    assert taken == list(range(len(SOURCES)))


def test_files_that_are_open_can_be_asked_about_twice(rates: Rates) -> None:
    rates["openvino", 4] = 1300.0
    found = logits(Runner(small_bundle()), [io.BytesIO(source) for source in SOURCES])
    np.testing.assert_array_equal(found, alone("openvino", BEST_BF16))


def test_unreadable_images_keep_their_places(rates: Rates) -> None:
    rates["openvino", 4] = 1300.0
    mixed: list[ImageSource] = [b"text" if number % 3 == 0 else source for number, source in enumerate(SOURCES)]
    outputs = list(Runner(small_bundle()).stream(mixed))
    assert [output.error is not None for output in outputs] == [number % 3 == 0 for number in range(len(SOURCES))]
    wanted = alone("openvino", BEST_BF16)
    for number, output in enumerate(outputs):
        if output.outputs is not None:
            np.testing.assert_array_equal(output.outputs["logits"], wanted[number])


def test_embeddings_too(rates: Rates) -> None:
    rates["openvino", 4] = 1300.0
    found = Embedder(small_bundle()).embed(SOURCES)
    np.testing.assert_array_equal(found, Embedder(small_bundle(), engine="openvino", precision="f32").embed(SOURCES))


class TestJob:
    """A job that is resumed ends with the engine that it began with."""

    def run(self, output: Path, *, until: int = 1 << 30, resume: bool = False, **options: Any) -> Predictor:
        predictor, answered = Predictor(small_bundle(), **options), 0

        def count(_: object) -> None:
            nonlocal answered
            answered += 1
            if answered == until:
                raise KeyboardInterrupt

        write_predictions(predictor, NAMED, output, top_k=2, resume=resume, on_record=count)
        return predictor

    def begun(self, output: Path, until: int, **options: Any) -> None:
        with pytest.raises(JobInterrupted):
            self.run(output, until=until, **options)

    @pytest.mark.parametrize(  # of 192 images; a few may be left
        ("first", "second", "until"), [("onnxruntime", "openvino", 70), ("openvino", "onnxruntime", 180)]
    )
    def test_whatever_is_fastest_by_then(
        self, first: str, second: str, until: int, rates: Rates, tmp_path: Path
    ) -> None:
        rates[first, 4] = 1300.0
        self.begun(tmp_path / "job.csv", until)
        for plan in (tmp_path / "cache" / "plans").iterdir():
            plan.unlink()
        rates[second, 4] = 1e6
        finished = self.run(tmp_path / "job.csv", resume=True)
        assert finished.plan is not None
        precision = "f32" if first == "onnxruntime" else BEST_BF16
        assert (finished.plan.engine, finished.plan.precision) == (first, precision)
        self.run(tmp_path / "whole.csv", engine=first, precision=precision)
        assert (tmp_path / "job.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
        rows = list(csv.DictReader((tmp_path / "job.csv").read_text().splitlines()))
        assert len(rows) == 2 * len(NAMED)

    @pytest.mark.parametrize("options", [{"engine": "onnxruntime"}, {"engine": "torch"}, {"precision": "bf16"}])
    def test_another_one_is_refused_and_nothing_lost(
        self, options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(selection, "has_bf16", lambda: True)
        self.begun(tmp_path / "job.csv", 30, engine="openvino", precision="f32")
        asked = next(iter(options.values()))
        with pytest.raises(JobError, match=rf"job\.csv: .* by openvino in f32, .* is needed, but {asked} is asked for"):
            self.run(tmp_path / "job.csv", resume=True, **options)
        self.run(tmp_path / "job.csv", resume=True)
        assert len((tmp_path / "job.csv").read_text().splitlines()) == 1 + 2 * len(NAMED)

    def test_an_engine_that_is_gone_is_one_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun(tmp_path / "job.csv", 30, engine="openvino", precision="f32")
        monkeypatch.setattr(registry, "find_spec", lambda name: None)
        with pytest.raises(JobError, match=r"answered by openvino in f32, .*the engine openvino .*install") as error:
            self.run(tmp_path / "job.csv", resume=True)
        assert "\n" not in str(error.value)

    def test_unreadable_images_alone_leave_it_open(self, tmp_path: Path) -> None:
        predictor = Predictor(small_bundle(), engine="onnxruntime")
        keep_engine(predictor, {}, "job.csv")
        keep_engine(predictor, {"engine": "onnxruntime 1.32.0, f32"}, "job.csv")  # as an earlier release wrote it
        with pytest.raises(EngineError, match="openvino is needed, but onnxruntime is asked for"):
            predictor.keep_to("openvino", "f32")
