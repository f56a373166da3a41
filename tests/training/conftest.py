"""Data and runs that several tests of killed, resumed and damaged runs begin with."""

import shutil
from pathlib import Path

import pytest

from pictures import write_colours
from runs import run, weights_of


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colours in train/ and test/: the run writes down what it holds out, and its bundle twice."""
    folder = tmp_path_factory.mktemp("splits")
    write_colours(folder / "train", count=10)
    write_colours(folder / "test", count=2, seed=1)
    return folder


@pytest.fixture(scope="session")
def undisturbed(splits: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights of a run on them that nobody disturbed."""
    output = tmp_path_factory.mktemp("undisturbed") / "run"
    run(splits, output)
    return weights_of(output)


@pytest.fixture
def three_epochs(splits: Path, tmp_path: Path) -> Path:
    """A run on them that has its checkpoints, and no bundle."""
    run(splits, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "bundle")
    return tmp_path / "run"
