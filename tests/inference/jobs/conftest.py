"""Small parts, so that a job of some dozen images has several."""

import pytest

from regnety.inference.jobs import job


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PART_RECORDS", 8)
