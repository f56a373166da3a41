"""Weights that are too large for their numbers, and the pictures that statistics of batch norm are of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pictures import write_colours
from regnety import Bundle
from regnety.errors import LossError
from regnety.training import epoch_weights, run_bundle
from regnety.training.checkpoints import checkpoints
from regnety.training.lighting import lit
from regnety.training.run_bundle import _fit_into_f16
from runs import run


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ alone."""
    folder = tmp_path_factory.mktemp("colours")
    write_colours(folder / "train", count=20)
    return folder


def test_a_last_step_beyond_all_numbers_is_one_line_and_no_checkpoint(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: torch.optim.SGD, closure: Any = None) -> None:
        self.param_groups[0]["params"][0].data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    with pytest.raises(LossError, match=r"^the weights are not finite after epoch 1; lower optimizer\.lr$"):
        run(colours, tmp_path / "run", "batch_size=64", "val_fraction=0")
    assert not checkpoints(tmp_path / "run")


def test_values_that_f16_has_not_are_no_reason_to_end(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fit_into_f16({"a": np.array([65504.0], np.float32), "steps": np.array(99999)})
    assert not _fit_into_f16({"a": np.array([1.0, -65520.0], np.float32)})
    monkeypatch.setattr(run_bundle, "_fit_into_f16", lambda weights: False)
    run(colours, tmp_path / "run", "bundle_dtype=f16", "epochs=1")
    assert Bundle.load(tmp_path / "run" / "bundle").weights["head.fc.weight"].dtype == np.float32
    assert "run/bundle: a value is too large for f16; the bundle has f32" in capsys.readouterr().err


def test_precise_statistics_are_of_the_light_that_was_trained_in(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def counted(images: torch.Tensor, amount: float, std: torch.Tensor, **options: Any) -> torch.Tensor:
        seen.append((options["seed"], options["step"]))
        return lit(images, amount, std, **options)

    monkeypatch.setattr(epoch_weights, "lit", counted)
    run(colours, tmp_path / "run", "epochs=2", "augmentation.lighting=0.1", "precise_bn_samples=24", "seed=5")
    steps = round(len(seen) / 2)
    assert steps == 3  # 24 pictures in batches of 8
    per_epoch = seen[3][1] - seen[0][1]
    assert seen == [(5, step) for step in (0, 1, 2, per_epoch, per_epoch + 1, per_epoch + 2)]
    assert per_epoch > 3
