"""Here servers on this machine are asked."""

import pytest


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGNETY_OFFLINE")
