"""Runs with the fields of a recipe that say how weights change: they end, are resumed to the bit, and mean the same."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from commands import regnety_here
from pictures import write_colours
from regnety import Bundle, RecipeError, average_models
from regnety.training.checkpoints import checkpoints
from regnety.training.devices import PROCESSOR, Device
from runs import metrics_of, run, small_recipe, weights_of

ALL_AT_ONCE = (
    *("optimizer.name=muon", "optimizer.lr=0.01", "optimizer.clip_norm=1.0", "accumulate=2", "schedule=one-cycle"),
    *("ema_alpha=0.01", "ema_every=2", "ema_kept=better", "precise_bn_samples=16", "precision=f32"),
    "whitened_stem=true",
)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    for seed, (split, count) in enumerate((("train", 12), ("val", 4))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


def test_a_resumed_run_ends_with_the_same_weights(colours: Path, tmp_path: Path) -> None:
    run(colours, tmp_path / "alone", *ALL_AT_ONCE, "epochs=3")
    output = tmp_path / "stopped"
    run(colours, output, *ALL_AT_ONCE, "epochs=3", keep=9)
    for path in checkpoints(output)[1:]:  # as if it had been killed after the first epoch
        path.unlink()
    config = output / "bundle" / "config.json"
    config.write_text(config.read_text("utf-8").replace('"epochs": 3', '"unfinished": "1 of 3", "epochs": 1'), "utf-8")
    run(colours, output, *ALL_AT_ONCE, "epochs=3", resume=True)
    assert weights_of(output) == weights_of(tmp_path / "alone")
    rows = metrics_of(output)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {row["averaged"] for row in rows} <= {0, 1}


def test_parts_of_a_batch_add_up(colours: Path, tmp_path: Path) -> None:
    """Where batch norm keeps its statistics nothing depends on the parts but rounding."""
    common = ("precision=f64", "batch_norm=kept", "epochs=2", "class_weights=balanced", "label_smoothing=0.1")
    losses = []
    for parts in (1, 3):
        run(colours, tmp_path / str(parts), *common, f"accumulate={parts}", "augmentation.mixup=0.5")
        losses.append([row["train_loss"] for row in metrics_of(tmp_path / str(parts))])
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert losses[0][0] != losses[0][1]


def test_f64_says_so_and_is_kept_as_f32(colours: Path, tmp_path: Path) -> None:
    run(colours, tmp_path / "run", "precision=f64", "epochs=1", "optimizer.name=lamb", "optimizer.lr=0.001")
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    assert bundle.provenance["arithmetic"] == "f64"
    assert np.asarray(bundle.weights["stem.conv.weight"]).dtype == np.float32
    state = torch.load(checkpoints(tmp_path / "run")[-1], weights_only=True)
    assert state["model"]["stem.conv.weight"].dtype == torch.float64


def test_what_a_device_does_not_compute_in() -> None:
    with pytest.raises(RecipeError, match=r"^precision f64: is for the processor alone"):
        Device("cuda").arithmetic("f64")
    with pytest.raises(RecipeError, match=r"^precision f16: is for graphics cards"):
        PROCESSOR.arithmetic("f16")
    assert Device("mps").arithmetic("f16") == "f16"


def test_f16_scales_the_loss_and_goes_on_with_its_scale(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the processor, where it is slow, and which the library refuses: the code is that of a card."""
    monkeypatch.setattr(Device, "arithmetic", lambda self, precision: "f16")
    run(colours, tmp_path / "run", "precision=f16", "epochs=2", "optimizer.clip_norm=5")
    scale = torch.load(checkpoints(tmp_path / "run")[-1], weights_only=True)["scaler"]["scale"]
    assert scale >= 1
    assert math.log2(scale) == int(math.log2(scale))
    assert all(math.isfinite(row["train_loss"]) for row in metrics_of(tmp_path / "run"))


def test_the_checkpoints_of_a_run_are_averaged(
    colours: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    run(colours, output, "epochs=3", keep=3)
    average = average_models([output])
    states = [torch.load(path, weights_only=True)["average"]["state"] for path in checkpoints(output)]
    for key, value in average.weights.items():
        if value.dtype == np.float32:
            expected = torch.stack([state[key].double() for state in states]).mean(0)
            np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-9, err_msg=key)
    files = [str(path) for path in checkpoints(output)]
    result = regnety_here(capfd, "average", *files, "--output", str(tmp_path / "averaged"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'averaged'}\n"
    assert "averaged epoch-0001.pt, epoch-0002.pt, epoch-0003.pt" in result.stderr
    assert Bundle.load(tmp_path / "averaged").fingerprint() == average.fingerprint()
    again = regnety_here(capfd, "average", str(output / "bundle"), "--output", str(tmp_path / "one"))
    assert (again.returncode, again.stdout) == (2, "")
    assert "takes at least two models" in again.stderr
    assert not (tmp_path / "one").exists()


def test_every_recipe_is_listed_and_its_fields_are_a_recipe(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    listed = regnety_here(capfd, "recipes").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        *("scratch", "finetune", "paper", "modern", "population", "cifar10", "tiny")
    ]
    (tmp_path / "mine.yaml").write_text(regnety_here(capfd, "recipes", "population").stdout, "utf-8")
    again = regnety_here(capfd, "recipes", str(tmp_path / "mine.yaml"))
    assert "Result:   top1 10.3" in (tmp_path / "mine.yaml").read_text("utf-8")
    assert again.stdout.startswith("name: population\n")
    unknown = regnety_here(capfd, "recipes", "populaton")
    assert unknown.returncode != 0
    assert "did you mean population? named recipes: scratch, " in unknown.stderr


def test_accumulate_leaves_batch_norm_two_pictures() -> None:
    with pytest.raises(RecipeError, match=r"^--set: accumulate must be from 1 to batch_size / 2, got 5$"):
        small_recipe("accumulate=5")
    assert small_recipe("accumulate=4").accumulate == 4
