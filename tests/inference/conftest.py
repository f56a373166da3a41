"""Speeds that are pretended, so that it is known which plan wins."""

from itertools import cycle, islice
from typing import Any

import pytest

from regnety.inference import tuning
from regnety.inference.pipeline import Pipeline


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], float]:
    """Images a second by engine and batch, as if they had been measured; 1000 where nothing is said."""
    pretended: dict[tuple[str, int], float] = {}

    def measured(pipeline: Pipeline, images: Any, count: int) -> float:
        answered = sum(output.error is None for output in pipeline.stream(islice(cycle(images), count)))
        assert pipeline.engine is not None
        batch = pipeline.engine.input_shape[0]
        assert count % (batch or 1) == 0
        return pretended.get((pipeline.engine.name, batch or 1), 1000.0) if answered else 0.0

    monkeypatch.setattr(tuning, "images_per_s", measured)
    return pretended
