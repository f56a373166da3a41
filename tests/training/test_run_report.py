"""The report that a training run writes when it ends."""

from pathlib import Path

import numpy as np
import pytest

from pictures import write_colours
from regnety.reports.stored_content import content_of_run
from regnety.training import run as run_module
from runs import metrics_of, run


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("splits")
    for seed, (split, count) in enumerate((("train", 8), ("val", 4), ("test", 3))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


def test_of_the_test_pictures(splits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run(splits, tmp_path / "run", report=True, quiet=False, command="regnety train ...")
    assert f"regnety: report: {tmp_path}/run/report.html\n" in capfd.readouterr().err
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "9 test photographs" in page
    content = content_of_run(tmp_path / "run")
    assert 100 * content.scored.right.mean() == pytest.approx(result.test_top1)
    assert (content.counts, content.training_counts) == ({"train": 24, "val": 12, "test": 9}, (8, 8, 8))
    assert (content.method, content.command) == ("trained by the recipe small, 3 epochs", "regnety train ...")
    assert [curve.title for curve in content.curves] == ["Loss", "Accuracy", "Learning rate"]
    assert content.notices == ()


def test_of_the_validation_pictures_as_they_were_validated(splits: Path, tmp_path: Path) -> None:
    result = run(splits / "train", tmp_path / "run", val_data=splits / "val", report=True)
    content = content_of_run(tmp_path / "run")
    assert content.scored.split == "validation"
    assert 100 * content.scored.right.mean() == pytest.approx(result.val_top1)
    best = max(metrics_of(tmp_path / "run"), key=lambda row: (row["val_top1"], -row["val_loss"]))
    assert content.scored.probabilities is not None
    of_their_class = content.scored.probabilities[np.arange(12), content.scored.targets]
    assert -np.log(of_their_class).mean() == pytest.approx(best["val_loss"], abs=1e-3)
    assert "these photographs have chosen the epoch too" in content.notices[0]


def test_there_is_none_without_pictures_to_report_on(splits: Path, tmp_path: Path) -> None:
    run(splits / "train", tmp_path / "run", "val_fraction=0", report=True)
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_run_that_is_killed_while_it_is_written_writes_it_when_it_is_resumed(
    splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "write_run_report", stop)
        with pytest.raises(KeyboardInterrupt):
            run(splits, tmp_path / "run", report=True)
    run(splits, tmp_path / "run", report=True, resume=True)
    assert (tmp_path / "run" / "report.html").exists()
