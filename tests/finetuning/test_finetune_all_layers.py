"""All layers after the classifier: in one go, from a finished classifier on, and after a kill; always the same end."""

import hashlib
import json
from pathlib import Path

import pytest

from pictures import write_colours
from regnety import Bundle, FinetuneResult, RecipeError, evaluate, finetune
from regnety.datasets.samples import DataSplits
from regnety.finetuning import continuation
from regnety.finetuning.all_layers import LayersOptions
from regnety.finetuning.layer_recipe import layer_recipe
from regnety.finetuning.planning import Plan, read_plan
from regnety.reports.stored_content import load_content
from regnety.training.session import Session

EPOCHS = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colours")
    write_colours(root / "train", count=8, seed=1)
    write_colours(root / "test", count=3, seed=2)
    return root


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    """The classifier alone, finished, and continued with all layers."""
    run = tmp_path_factory.mktemp("runs") / "run"
    finetune(data, run, report=False, quiet=True)
    with pytest.raises(RecipeError, match="fit all layers from its classifier with --resume"):
        finetune(data, run, all_layers=True, epochs=EPOCHS, quiet=True)
    return finetune(data, run, all_layers=True, epochs=EPOCHS, resume=True, quiet=True)


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "model.safetensors").read_bytes()).hexdigest()


def test_all_layers_from_a_classifier_on(data: Path, done: FinetuneResult) -> None:
    run = done.bundle.parent
    assert (done.all_layers, done.epochs, done.val_top1, done.test_top1) == (True, EPOCHS, 100.0, 100.0)
    bundle = Bundle.load(run)
    assert evaluate(bundle, data).top1 == 100.0
    held_out = json.loads((run / "split.json").read_text("utf-8"))["val"]
    assert len(held_out) == 3
    # What was held out was not trained on.
    assert bundle.training_files is not None
    assert len(bundle.training_files) == 24 - 3
    assert "minutes" not in bundle.provenance
    content = load_content(run / "report.npz")
    assert [curve.title for curve in content.curves][:2] == ["Loss", "Accuracy"]
    assert len(content.augmented) == 3
    assert content.counts == {"train": 21, "val": 3, "test": 9}


def test_a_killed_run_ends_with_the_same_weights(
    data: Path, done: FinetuneResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    save = Session.save

    def save_and_die(*arguments: object, **options: object) -> None:
        save(*arguments, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            finetune(data, run, all_layers=True, epochs=EPOCHS, quiet=True)
    # The classifier alone is a model from the start.
    assert Bundle.load(run).labels == ("blue", "green", "red")
    with pytest.raises(RecipeError, match=r"the run has epochs=2, resuming cannot change it to 3"):
        finetune(data, run, all_layers=True, epochs=3, resume=True, quiet=True)
    result = finetune(data, run, all_layers=True, epochs=EPOCHS, resume=True, quiet=True)
    assert weights_of(run) == weights_of(done.bundle.parent)
    assert result.epochs == EPOCHS


def test_a_resumed_run_keeps_its_plan_though_its_time_is_over(
    data: Path, done: FinetuneResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def plan_and_die(run: Path, bundle: Bundle, splits: DataSplits, *, options: LayersOptions, **_: object) -> None:
        shown = bundle.preprocessing
        recipe = layer_recipe(
            splits,
            image_size=shown.image_size,
            crop_pct=shown.crop_pct,
            epochs=EPOCHS,
            balanced=False,
            patience=0,
            seed=0,
        )
        assert options.time_limit_s is not None
        assert 3000 < options.time_limit_s < 4000
        Plan(recipe=recipe, passes=EPOCHS, time_limit_s=options.time_limit_s).write(run)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(continuation, "fit_all_layers", plan_and_die)
        with pytest.raises(KeyboardInterrupt):
            finetune(data, run, all_layers=True, time_limit_s=4000, quiet=True)
    monkeypatch.setattr(continuation, "REPORT_S", 5000)
    result = finetune(data, run, all_layers=True, time_limit_s=4000, resume=True, quiet=True)
    assert result.epochs == EPOCHS
    assert weights_of(run) == weights_of(done.bundle.parent)


@pytest.mark.parametrize("measured", [False, True])
def test_a_limit_too_short_for_all_layers_leaves_the_classifier(
    measured: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it shows before the first steps or by them."""
    if measured:
        monkeypatch.setattr(Session, "measure_step_s", lambda *_, **__: 1000.0)
    else:
        monkeypatch.setattr(continuation, "REPORT_S", 5000)
    run = tmp_path / "run"
    result = finetune(data, run, all_layers=True, time_limit_s=4000)
    lines = [line for line in capsys.readouterr().err.splitlines() if "time limit leaves" in line]
    assert len(lines) == 1
    assert lines[0].endswith("s here; the classifier alone is kept; allow more time for all layers")
    assert (result.epochs, result.test_top1) == (None, 100.0)
    assert result.report is not None
    assert "no time for all layers" in result.report.read_text("utf-8")
    assert Bundle.load(run).labels == ("blue", "green", "red")
    assert finetune(data, run, all_layers=True, time_limit_s=4000, resume=True, quiet=True) == result


def test_patience_is_part_of_what_a_run_was_asked_for(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="patience must be at least 1, got 0"):
        finetune(data, tmp_path / "run", all_layers=True, patience=0)
    with pytest.raises(RecipeError, match=r"^epochs, patience and a time limit are for all layers: "):
        finetune(data, tmp_path / "run", patience=2)
    result = finetune(data, tmp_path / "run", all_layers=True, epochs=2, patience=1, report=False, quiet=True)
    assert result.epochs is not None
    plan = read_plan(tmp_path / "run")
    assert plan is not None
    assert plan.recipe.patience == 1
    with pytest.raises(RecipeError, match="the run has patience=1, resuming cannot change it to 5"):
        finetune(data, tmp_path / "run", all_layers=True, epochs=2, patience=5, resume=True, quiet=True)
