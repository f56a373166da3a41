"""What every test may use."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Data that stays outside of the repository: CIFAR-10, one photograph, the reference figures."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache; all tests of a run share one."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; a test that needs it is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data sets in {os.path.relpath(SHARED)}, which are not in the repository")
    return SHARED
