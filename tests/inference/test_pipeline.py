"""Images through the pipeline: in groups as large as the engine's runs, each with its own answer or error."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bundles import SMALL, small_bundle
from pictures import encoded, noise
from regnety.errors import EngineError, WeightsError
from regnety.images.sources import ImageSource, NamedImage
from regnety.inference.engines.registry import Engine
from regnety.inference.engines.selection import start_engine
from regnety.inference.options import RunOptions
from regnety.inference.pipeline import READ_AT_START, TASKS_AHEAD, Pipeline

GOOD = [encoded(noise(40, 30, seed=seed)) for seed in range(23)]


def alone(engine: str = "onnxruntime") -> list[np.ndarray]:
    """Each image by itself, one after the other."""
    pipeline = Pipeline(lambda: start_engine(small_bundle(), engine=engine, threads=1), SMALL, RunOptions())
    return [output.outputs["logits"] for output in pipeline.stream(GOOD) if output.outputs is not None]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("workers", "batch"), [(1, 4), (2, 1), (2, 4), (3, 8), (2, 64)])
def test_batches_and_workers_change_no_answer(engine: str, workers: int, batch: int) -> None:
    started = start_engine(
        small_bundle(), engine=engine, precision="f32", threads=1, workers=workers, batch=batch, keep_compiled=False
    )
    outputs = list(Pipeline(lambda: started, SMALL, RunOptions(), workers=workers, batch=batch).stream(GOOD))
    wanted = alone()
    assert len(outputs) == len(wanted) == len(GOOD)
    for output, logits in zip(outputs, wanted, strict=True):
        assert output.outputs is not None
        assert output.outputs["logits"].shape == (4,)
        np.testing.assert_allclose(output.outputs["logits"], logits, atol=2e-5)


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_bad_images_among_the_good_ones_of_a_batch(batch: int) -> None:
    engine = start_engine(small_bundle(), threads=1, workers=2, batch=batch)
    sources: list[ImageSource] = []
    for number, data in enumerate(GOOD):
        sources.append(NamedImage(f"{number}.png", b"" if number % 3 == 1 or 8 <= number < 16 else data))
    outputs = list(Pipeline(lambda: engine, SMALL, RunOptions(), workers=2, batch=batch).stream(sources))
    assert [output.filename for output in outputs] == [f"{number}.png" for number in range(len(GOOD))]
    for number, (output, logits) in enumerate(zip(outputs, alone(), strict=True)):
        if number % 3 == 1 or 8 <= number < 16:
            assert output.outputs is None
            assert str(output.error) == f"{number}.png: is empty"
        else:
            assert output.outputs is not None
            np.testing.assert_allclose(output.outputs["logits"], logits, atol=2e-5)


@pytest.mark.parametrize(("workers", "batch"), [(1, 1), (2, 1), (2, 4)])
def test_no_more_is_read_than_is_taken(workers: int, batch: int) -> None:
    """Of an endless stream only so much is ahead of whoever takes the answers."""
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield GOOD[0]

    engine = start_engine(small_bundle(), threads=1, workers=workers, batch=batch)
    stream = Pipeline(lambda: engine, SMALL, RunOptions(), workers=workers, batch=batch).stream(endless())
    for taken in range(1, 60):
        next(stream)
        assert asked <= max(READ_AT_START, taken + batch * (TASKS_AHEAD * workers + 1)) + batch
    stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("regnety")]


def test_images_are_read_while_the_engine_starts() -> None:
    """And an engine that does not start ends the stream with its error, and no thread is left."""
    read: list[int] = []

    def sources() -> Iterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield GOOD[0]

    def start() -> Engine:
        assert len(read) == READ_AT_START
        raise EngineError("does not start")

    with pytest.raises(EngineError, match="does not start"):
        list(Pipeline(start, SMALL, RunOptions(), workers=2).stream(sources()))
    assert len(read) == READ_AT_START
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("regnety")]


def test_the_engine_is_started_once_whoever_asks() -> None:
    started: list[Engine] = []

    def start() -> Engine:
        started.append(start_engine(small_bundle(), threads=1, workers=2))
        return started[0]

    pipeline = Pipeline(start, SMALL, RunOptions(), workers=2)
    assert pipeline.engine is None
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sum(1 for _ in pipeline.stream(GOOD)), range(4)))
    assert counts == [len(GOOD)] * 4
    assert len(started) == 1
    assert pipeline.engine is started[0]


class WithoutNumbers:
    """An engine that answers one picture of a run with what is no number."""

    name, version, precision = "odd", "1", "f32"
    output_names = ("logits",)

    def __init__(self, value: float, row: int) -> None:
        self._value, self._row = value, row

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        logits = np.zeros((len(images), 4), np.float32)
        logits[self._row, 3] = self._value
        return {"logits": logits}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_number_is_nobodys_answer(value: float, workers: int) -> None:
    engine = WithoutNumbers(value, row=2)
    pipeline = Pipeline(lambda: engine, SMALL, RunOptions(), workers=workers, batch=4, name="odd")  # type: ignore[arg-type, return-value]
    with pytest.raises(WeightsError, match=r"^odd: its answers are not finite numbers; its weights are damaged$"):
        list(pipeline.stream(GOOD))
    assert len(list(pipeline.stream(GOOD[:2]))) == 2, "what fills up a batch is no answer"
