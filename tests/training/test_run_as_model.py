"""What a run leaves is a model wherever one is asked for: its folder, and its checkpoints."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import small_bundle
from commands import one_line, regnety_here
from pictures import COLOURS, write_colours
from regnety import Bundle, Preprocessing, WeightsError, inspect_model
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.data_sets import read_data_set
from regnety.inference.evaluation import evaluate
from regnety.training.recipes.named_recipes import finetune
from regnety.training.recipes.recipe import with_settings
from regnety.training.run import train
from runs import MEMORISED, metrics_of, run, write_contrary


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose best epoch is not the last one, with all of its checkpoints."""
    folder = tmp_path_factory.mktemp("ended")
    run(write_contrary(folder / "data"), folder / "run", *MEMORISED, "ema_decay=0.5", "precision=f32", keep=10)
    return folder / "run"


def scores(model: Path, data: Path) -> tuple[float, float]:
    found = evaluate(Bundle.load(model), read_data_set(data).evaluation(), quiet=True)
    return found.top1, found.loss


def test_every_checkpoint_answers_as_its_best_epoch_did(ended: Path) -> None:
    rows = metrics_of(ended)
    best: dict[str, Any] = {}
    for row in rows:
        best = row if not best or row["val_top1"] >= best["val_top1"] else best
        path = ended / "checkpoints" / f"epoch-{row['epoch']:04d}.pt"
        bundle = Bundle.load(path)
        assert bundle.labels == ("heads", "tails")
        assert bundle.preprocessing == Bundle.load(ended / "bundle").preprocessing
        assert bundle.architecture == Bundle.load(ended / "bundle").architecture
        assert bundle.notice == (
            f"{path} is used with its best weights so far, of epoch {best['epoch']}, averaged over the training"
        )
        assert scores(path, ended.parent / "data") == pytest.approx((best["val_top1"], best["val_loss"]), rel=1e-3)


def test_what_a_run_was_trained_on_is_known_of_all_that_it_leaves(ended: Path) -> None:
    files = sorted((ended.parent / "data" / "train").glob("*/*.png"))
    wanted = TrainingFiles.of(files, quiet=True)
    assert len(wanted) == 40
    for place in (ended, ended / "checkpoints" / "epoch-0002.pt"):
        found = Bundle.load(place).training_files
        assert found is not None
        assert (found.values == wanted.values).all()


def test_a_run_folder_is_its_bundle(ended: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for place in (ended, f"{ended}/", f"local-dir:{ended}"):
        bundle, wanted = Bundle.load(place), Bundle.load(ended / "bundle")
        assert (bundle.metadata, bundle.path) == (wanted.metadata, ended / "bundle")
        assert all((bundle.weights[key] == wanted.weights[key]).all() for key in wanted.weights)
    found = inspect_model(ended)
    assert (found.container, found.missing, found.problem) == ("regnety folder, safetensors", (), None)
    picture = ended.parent / "data" / "val" / "heads" / "000.png"
    for command in (["predict", picture, "--model", ended, "-q"], ["describe", ended], ["card", ended]):
        result = regnety_here(capfd, *command)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr


def test_inspect_finds_nothing_missing_in_a_checkpoint(ended: Path) -> None:
    found = inspect_model(ended / "checkpoints" / "epoch-0003.pt")
    assert (found.part, found.missing, found.problem, found.num_classes) == ("best", (), None, 2)
    assert found.design == Bundle.load(ended).metadata.design.as_dict()


def test_the_bundle_of_a_run_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_contrary(tmp_path / "data")
    monkeypatch.setattr("regnety.training.run_epochs.say_epoch", stop_after(4))
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "run", *MEMORISED, "precision=f32")
    rows = metrics_of(tmp_path / "run")
    best = max(rows, key=lambda row: (row["val_top1"], row["epoch"]))
    bundle = Bundle.load(tmp_path / "run")
    assert bundle.provenance["unfinished"].endswith(" of 10 epochs are done")
    assert bundle.provenance["best_epoch"] == best["epoch"]
    assert scores(tmp_path / "run", data) == pytest.approx((best["val_top1"], best["val_loss"]), rel=1e-3)
    monkeypatch.undo()
    run(data, tmp_path / "run", *MEMORISED, "precision=f32", resume=True)
    assert "unfinished" not in Bundle.load(tmp_path / "run").provenance


def stop_after(epoch: int) -> Any:
    def say_epoch(row: dict[str, Any], *_: Any, **__: Any) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return say_epoch


def test_without_validation_the_bundle_is_the_last_epoch_that_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_colours(tmp_path / "data")
    monkeypatch.setattr("regnety.training.run_epochs.say_epoch", stop_after(2))
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "run", "val_fraction=0")
    assert Bundle.load(tmp_path / "run").provenance["weights"] == "of epoch 2, averaged over the training"
    state = torch.load(tmp_path / "run" / "checkpoints" / "epoch-0002.pt", weights_only=True)
    weights = Bundle.load(tmp_path / "run").weights
    assert all((weights[key] == value.numpy()).all() for key, value in state["average"]["state"].items())


def as_before(path: Path) -> None:
    """As an earlier release wrote it, with nothing but weights."""
    state = torch.load(path, weights_only=True)
    del state["regnety"]
    torch.save(state, path)


def test_a_checkpoint_of_an_earlier_release_is_what_its_run_says(ended: Path, tmp_path: Path) -> None:
    old = shutil.copytree(ended, tmp_path / "run")
    path = old / "checkpoints" / "epoch-0010.pt"
    as_before(path)
    bundle = Bundle.load(path)
    assert bundle.labels == ("heads", "tails")
    assert bundle.notice == (
        f"{path} has no class names and no preprocessing; they are taken from the bundle of its run"
    )
    assert scores(path, ended.parent / "data") == scores(ended, ended.parent / "data")
    shutil.rmtree(old / "bundle")
    assert (Bundle.load(old).path, Bundle.load(old).labels) == (path, None)
    bundle, wanted = Bundle.load(path), Bundle.load(ended)
    assert (bundle.labels, bundle.preprocessing) == (None, wanted.preprocessing)
    assert bundle.architecture == wanted.architecture  # whose stem does not stride, which no shape says
    assert bundle.notice is not None
    assert bundle.notice.endswith("; the preprocessing is taken from the recipe of its run")
    for name in ("recipe.yaml", "moved"):
        shutil.move(old / "recipe.yaml", old / "moved") if name == "recipe.yaml" else (old / name).write_text("- 1")
        notice = Bundle.load(path).notice
        assert notice is not None
        assert "ImageNet's preprocessing, and strides of 2, are assumed" in notice


def test_an_old_checkpoint_of_a_fine_tuned_model_is_of_that_model(tmp_path: Path) -> None:
    shown = Preprocessing(image_size=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), interpolation="bilinear")
    small_bundle(preprocessing=shown).save(tmp_path / "model")
    recipe = with_settings(finetune(), [f"model={tmp_path}/model", "epochs=1", "image_size=40"])
    train(write_colours(tmp_path / "data"), tmp_path / "run", recipe, quiet=True)
    path, wanted = tmp_path / "run" / "checkpoints" / "epoch-0001.pt", Bundle.load(tmp_path / "run")
    as_before(path)
    shutil.rmtree(tmp_path / "run" / "bundle")
    found = Bundle.load(path)
    assert (found.preprocessing, found.architecture) == (wanted.preprocessing, wanted.architecture)
    assert (found.labels, wanted.labels) == (None, tuple(COLOURS))
    assert wanted.training_files is not None
    assert found.preprocessing.std == (0.25, 0.25, 0.25)


def test_a_run_that_has_no_model_yet_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "recipe.yaml").write_text("name: small\n")
    result = regnety_here(capfd, "describe", tmp_path / "run")
    assert one_line(result) == (
        f"{tmp_path}/run: is a run of regnety train that has not finished an epoch; it has no model yet"
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"format_version": 99}', "null", '{"a":' * 3000])
def test_a_checkpoint_with_damaged_words_is_one_line(text: str, ended: Path, tmp_path: Path) -> None:
    path = tmp_path / "epoch-0001.pt"
    state = torch.load(ended / "checkpoints" / "epoch-0001.pt", weights_only=True)
    torch.save({**state, "regnety": text}, path)
    with pytest.raises(WeightsError) as error:
        Bundle.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_fine_tuning_goes_on_from_a_run(ended: Path, tmp_path: Path) -> None:
    """The classes are the same, so the classifier is kept: nothing changes at a learning rate of next to nothing."""
    recipe = with_settings(finetune(), [f"model={ended}", "epochs=1", "optimizer.lr=1e-12", "ema_decay=0"])
    train(ended.parent / "data", tmp_path / "run", recipe, quiet=True)
    before, after = Bundle.load(ended).weights, Bundle.load(tmp_path / "run").weights
    for key in ("stem.conv.weight", "head.fc.weight", "head.fc.bias"):
        np.testing.assert_allclose(after[key], before[key], atol=1e-6)
