"""A run from a data folder to a bundle: what it learns, what it writes, what it refuses."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regnety
from bundles import small_bundle
from pictures import COLOURS, colour, write_colours
from regnety import Bundle, DataError, ImageError, Predictor, RecipeError
from regnety.datasets.data_sets import read_data_set
from regnety.inference.evaluation import evaluate
from regnety.storage.locks import alone_in
from regnety.training.epoch_weights import EpochWeights
from regnety.training.optimisation.schedules import make_schedule
from regnety.training.recipes.named_recipes import finetune
from regnety.training.recipes.recipe import read_recipe, recipe_text, with_settings
from regnety.training.run import train
from runs import CROPS, MEMORISED, epochs_of, metrics_of, run, small_recipe, weights_of, write_contrary


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ alone."""
    folder = tmp_path_factory.mktemp("colours")
    write_colours(folder / "train", count=20)
    return folder


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/, val/ and test/."""
    folder = tmp_path_factory.mktemp("splits")
    for seed, (split, count) in enumerate((("train", 12), ("val", 6), ("test", 4))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_colours_are_learnt(crop: str, precision: str, colours: Path, tmp_path: Path) -> None:
    result = run(colours, tmp_path / "run", f"augmentation.crop={crop}", f"precision={precision}")
    assert result.epochs == 3
    assert result.val_top1 is not None
    assert result.val_top1 > 90
    assert result.test_top1 is None
    rows = metrics_of(tmp_path / "run")
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] / 3
    answers = Predictor(result.bundle).predict([colour(label, seed=99) for label in COLOURS])
    assert [answer.predictions[0].label for answer in answers] == list(COLOURS)


def test_the_run_folder(colours: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "run"
    result = run(colours, output, command="regnety train ...")
    assert sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()) == [
        ".run.lock",
        "bundle/README.md",
        "bundle/config.json",
        "bundle/model.safetensors",
        "bundle/training_files.bin",
        "checkpoints/epoch-0002.pt",
        "checkpoints/epoch-0003.pt",
        "metrics.jsonl",
        "pictures.json",
        "recipe.yaml",
        "split.json",
        "summary.csv",
    ]
    assert epochs_of(output) == [1, 2, 3]
    assert list(metrics_of(output)[0]) == [
        "epoch", "lr", "train_loss", "train_top1", "val_top1", "val_loss", "seconds"
    ]  # fmt: skip
    assert read_recipe(output / "recipe.yaml") == small_recipe()
    assert result.bundle == output / "bundle"
    bundle = Bundle.load(result.bundle)
    assert bundle.labels == tuple(COLOURS)
    assert bundle.preprocessing.as_dict() == {
        "image_size": 32,
        "crop_pct": 1.0,
        "interpolation": "bicubic",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "exif_orientation": True,
    }
    facts = {key: bundle.provenance[key] for key in ("command", "recipe", "seed", "epochs", "val_top1")}
    assert facts == {
        "command": "regnety train ...",
        "recipe": "small",
        "seed": 0,
        "epochs": 3,
        "val_top1": pytest.approx(result.val_top1, abs=1e-3),
    }
    assert bundle.provenance["data"].endswith(": 60 training pictures")


def test_the_learning_rate_follows_the_schedule_over_all_epochs(colours: Path, tmp_path: Path) -> None:
    run(colours, tmp_path / "run", "batch_size=9")
    steps_per_epoch = 54 // 9
    schedule = make_schedule(small_recipe(), steps_per_epoch)
    last_steps = [steps_per_epoch * epoch - 1 for epoch in (1, 2, 3)]
    assert [row["lr"] for row in metrics_of(tmp_path / "run")] == [schedule(step) for step in last_steps]


def test_what_is_held_out_is_written_down_and_not_trained_on(colours: Path, tmp_path: Path) -> None:
    run(colours, tmp_path / "run", "val_fraction=0.25", "epochs=1")
    held = json.loads((tmp_path / "run" / "split.json").read_text("utf-8"))["val"]
    assert sorted(name.split("/")[1] for name in held) == ["blue"] * 5 + ["green"] * 5 + ["red"] * 5
    assert all((colours / name).is_file() for name in held)
    shutil.copytree(colours, tmp_path / "marked")
    for name in held:  # any change of what is not trained on leaves the weights of a last epoch alone
        colour("red", seed=5).save(tmp_path / "marked" / name)
    run(tmp_path / "marked", tmp_path / "again", "val_fraction=0.25", "epochs=1")
    assert weights_of(tmp_path / "again") == weights_of(tmp_path / "run")


def test_own_validation_and_test_are_used(splits: Path, tmp_path: Path) -> None:
    result = run(splits, tmp_path / "run", "precision=f32")
    assert not (tmp_path / "run" / "split.json").exists()
    bundle = Bundle.load(result.bundle)
    test = evaluate(bundle, read_data_set(splits).evaluation(), quiet=True)
    assert result.test_top1 == test.top1 > 90
    assert (bundle.provenance["test_pictures"], bundle.provenance["test_top1"]) == (12, round(test.top1, 3))
    assert result.val_top1 == evaluate(bundle, read_data_set(splits).evaluation("val"), quiet=True).top1


def test_the_best_epoch_is_kept(tmp_path: Path) -> None:
    result = run(write_contrary(tmp_path / "data"), tmp_path / "run", *MEMORISED, "precision=f32")
    rows = metrics_of(tmp_path / "run")
    best = max(rows, key=lambda row: (row["val_top1"], row["epoch"]))
    assert best["epoch"] < 10
    assert result.val_top1 == best["val_top1"]
    bundle = Bundle.load(result.bundle)
    assert bundle.provenance["best_epoch"] == best["epoch"]
    found = evaluate(bundle, read_data_set(tmp_path / "data").evaluation(), quiet=True)
    assert found.top1 == pytest.approx(best["val_top1"])
    assert found.loss == pytest.approx(best["val_loss"], rel=1e-3)


def test_without_validation_the_last_epoch_is_kept(colours: Path, tmp_path: Path) -> None:
    result = run(colours, tmp_path / "run", "val_fraction=0")
    assert result.val_top1 is None
    assert not (tmp_path / "run" / "split.json").exists()
    assert "val_top1" not in metrics_of(tmp_path / "run")[0]
    assert "best_epoch" not in Bundle.load(result.bundle).provenance


def test_two_pictures_are_enough(tmp_path: Path) -> None:
    write_colours(tmp_path / "data", "blue", "red", count=1)
    assert run(tmp_path / "data", tmp_path / "run").epochs == 3


@pytest.mark.parametrize("crop", CROPS)
def test_the_same_seed_gives_the_same_weights(crop: str, colours: Path, tmp_path: Path) -> None:
    settings = (f"augmentation.crop={crop}", "epochs=2")
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        run(colours, tmp_path / name, *settings, f"seed={seed}")
    assert weights_of(tmp_path / "first") == weights_of(tmp_path / "again")
    assert weights_of(tmp_path / "first") != weights_of(tmp_path / "other")


def test_every_value_of_the_recipe_that_should_changes_the_weights(colours: Path, tmp_path: Path) -> None:
    changes = (
        "epochs=2",
        "initialization=pycls",
        "optimizer.lr=0.2",
        "optimizer.momentum=0.5",
        "optimizer.weight_decay=0.1",
        "label_smoothing=0.1",
        "ema_decay=0",
        "augmentation.shift=1",
        "augmentation.flip=false",
        "epochs=2 small_epochs=1",
        "val_fraction=0.2",
        "warmup_epochs=0",
        "batch_size=9",
        "steps_per_epoch=2",
        "optimizer.layer_decay=0.5",
        "batch_norm=kept",
        "drop_path=0.5",
        "drop_rate=0.5",
        "augmentation.operations=trivial",
        "augmentation.lighting=0.1",
        "augmentation.repeats=2",
    )
    found = {}
    for number, change in enumerate(("epochs=1", *changes)):
        run(colours, tmp_path / str(number), "epochs=1", "augmentation.crop=shift", *change.split())
        found[change] = weights_of(tmp_path / str(number))
    assert len(set(found.values())) == len(found)


def test_a_recipe_by_name_is_followed_with_values_in_its_place(colours: Path, tmp_path: Path) -> None:
    settings = ["epochs=1", "image_size=16", "batch_size=8"]
    result = regnety.train(colours, tmp_path / "run", settings=settings, quiet=True)
    assert isinstance(result, regnety.RunResult)
    stored = read_recipe(tmp_path / "run" / "recipe.yaml")
    assert (stored.name, stored.model, stored.epochs) == ("finetune", "regnety_tiny", 1)
    with pytest.raises(RecipeError, match=r"^recipe finetune: a Recipe is followed as it is; "):
        train(colours, tmp_path / "other", stored, model="regnety_002")


def test_half_precision_bundles(colours: Path, tmp_path: Path) -> None:
    for dtype in ("f32", "f16", "float16"):
        run(colours, tmp_path / dtype, f"bundle_dtype={dtype}", "epochs=1")
    assert read_recipe(tmp_path / "float16" / "recipe.yaml").bundle_dtype == "f16"
    full, half = (Bundle.load(tmp_path / dtype / "bundle").weights for dtype in ("f32", "f16"))
    assert half["head.fc.weight"].dtype == np.float16
    np.testing.assert_array_equal(half["head.fc.weight"], full["head.fc.weight"].astype(np.float16))


def test_fine_tuning_starts_from_the_models_weights_and_preprocessing(tmp_path: Path, colours: Path) -> None:
    before = small_bundle()
    before.save(tmp_path / "model")
    recipe = with_settings(finetune(), [f"model={tmp_path}/model", "epochs=1", "optimizer.lr=1e-12"])
    after = Bundle.load(train(colours, tmp_path / "run", recipe, quiet=True).bundle)
    assert after.labels == tuple(COLOURS)
    assert after.preprocessing.as_dict() == {**before.preprocessing.as_dict(), "exif_orientation": True}
    for key, value in before.weights.items():
        if key.endswith(("conv.weight", "bn.bias", "se.fc1.weight")):
            np.testing.assert_allclose(after.weights[key], value, atol=1e-6, err_msg=key)
    assert after.weights["head.fc.weight"].shape == (3, 32)


def test_as_many_checkpoints_as_asked_are_kept(colours: Path, tmp_path: Path) -> None:
    run(colours, tmp_path / "run", "epochs=5", keep=3)
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["epoch-0003.pt", "epoch-0004.pt", "epoch-0005.pt"]


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_an_unreadable_picture_is_named(crop: str, split: str, splits: Path, tmp_path: Path) -> None:
    data = shutil.copytree(splits, tmp_path / "data")
    bad = data / split / "green" / "001.png"
    bad.write_bytes(bad.read_bytes()[:-30])
    with pytest.raises(ImageError) as error:
        run(data, tmp_path / "run", f"augmentation.crop={crop}")
    assert str(error.value).startswith(f"{bad}: cannot be ")


def test_an_unreadable_test_picture_does_not_cost_the_run(
    splits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(splits, tmp_path / "data")
    (data / "test" / "red" / "zzz.png").touch()
    result = train(data, tmp_path / "run", small_recipe("epochs=1"))
    assert result.test_top1 is not None
    assert Bundle.load(result.bundle).provenance["test_pictures"] == 12
    assert f"regnety: {data}/test/red/zzz.png: is empty" in capsys.readouterr().err.splitlines()


def test_a_loss_that_is_not_finite_is_one_line(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^the loss is not finite in epoch \d; lower optimizer.lr \(1e\+30\)$"):
        run(colours, tmp_path / "run", "optimizer.lr=1e30", "precision=f32")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": None}, "recipe small: names neither a model nor a design; give --model or --design"),
        ({"pretrained": True}, "recipe small: pretrained needs a model with weights; give --model"),
    ],
)
def test_a_recipe_that_contradicts_itself(changes: dict[str, Any], message: str, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as error:
        train(colours, tmp_path / "run", dataclasses.replace(small_recipe(), **changes), quiet=True)
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()


def test_output_that_is_taken(colours: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").touch()
    run(colours, tmp_path / "run", "epochs=1")
    for name, message in (
        ("file", "is a file; the output is a folder"),
        ("other", "is not empty and holds no run; name another output"),
        ("run", "holds a run; continue it with --resume (resume=True), or name another output"),
    ):
        with pytest.raises(RecipeError) as error:
            run(colours, tmp_path / name)
        assert str(error.value) == f"{tmp_path}/{name}: {message}"


def test_an_output_among_class_folders_would_be_a_class(colours: Path, tmp_path: Path) -> None:
    shutil.copytree(colours / "train", tmp_path / "data")
    with pytest.raises(RecipeError, match=r"is within the data, .*, where it would be read as a class; name another"):
        run(tmp_path / "data", tmp_path / "data" / "runs" / "a")
    assert not (tmp_path / "data" / "runs").exists()


def test_a_data_folder_that_cannot_be_trained_on_leaves_no_run(tmp_path: Path) -> None:
    write_colours(tmp_path / "data", "blue")
    with pytest.raises(DataError, match="has one class"):
        run(tmp_path / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_progress_is_plain_lines_when_piped_and_nothing_when_quiet(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(colours, tmp_path / "loud", small_recipe("epochs=2"))
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("epoch ")]
    assert out == ""
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(", val top1 " in line and "\x1b" not in line for line in lines)
    run(colours, tmp_path / "quiet", "epochs=1")
    assert capsys.readouterr() == ("", "")


def test_a_run_without_a_checkpoint_is_begun_anew(tmp_path: Path) -> None:
    """An unreadable picture ended it before its first one: once the picture is mended, the same command works."""
    write_colours(tmp_path / "data", count=8)
    broken = next((tmp_path / "data").glob("*/*.png"))
    picture = broken.read_bytes()
    broken.write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        run(tmp_path / "data", tmp_path / "run", "augmentation.crop=shift")
    broken.write_bytes(picture)
    assert run(tmp_path / "data", tmp_path / "run", "augmentation.crop=resized").epochs == 3
    assert read_recipe(tmp_path / "run" / "recipe.yaml").augmentation.crop == "resized"


def test_a_folder_in_which_another_process_trains_is_left_to_it(colours: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    with alone_in(output, "run", doing="training"):
        for resume in (False, True):
            with pytest.raises(RecipeError, match=r"run: another process is training there; wait for it"):
                run(colours, output, resume=resume)
        assert [path.name for path in output.iterdir()] == [".run.lock"]
    assert run(colours, output).epochs == 3
    with (
        alone_in(output, "run", doing="training"),
        pytest.raises(RecipeError, match="another process is training there"),
    ):
        run(colours, output, "epochs=4", resume=True)
    assert run(colours, output, "epochs=4", resume=True).epochs == 4


def test_settings_as_a_table_and_a_run_that_is_not_there(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_text(small_recipe("batch_size=500")))
    train(colours, tmp_path / "run", str(recipe), settings={"epochs": 1, "augmentation.flip": False}, resume=True)
    assert epochs_of(tmp_path / "run") == [1]
    said = capsys.readouterr().err
    assert f"regnety: {tmp_path}/run: holds no run to resume; starting one\n" in said
    assert "are one batch of 500: 1 step per epoch; a smaller --batch-size (batch_size=) trains better\n" in said
    with pytest.raises(RecipeError, match=r"^settings: takes a list, \[\"key=value\"\], or a table, "):
        train(colours, tmp_path / "other", settings="epochs=1")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("batch_norm", ["batch", "kept"])
def test_batch_norm_keeps_its_statistics_if_asked(batch_norm: str, colours: Path, tmp_path: Path) -> None:
    result = run(colours, tmp_path / "run", f"batch_norm={batch_norm}", "epochs=1", "ema_decay=0")
    weights = Bundle.load(result.bundle).weights
    of_new_network = [np.array_equal(weights[key], np.zeros_like(weights[key])) for key in weights if "_mean" in key]
    assert of_new_network
    assert all(of_new_network) == (batch_norm == "kept") == any(of_new_network)


@pytest.mark.parametrize(("of_average", "kept"), [(70.5, True), (70.0, False), (69.0, False)])
def test_the_average_of_the_best_epochs_is_kept_where_it_is_better(
    of_average: float, kept: bool, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []

    def validate(_: EpochWeights, weights: dict[str, torch.Tensor]) -> dict[str, float]:
        states.append(weights["head.fc.weight"].clone())
        return {"val_top1": (40.0, 70.0, 50.0, 60.0, of_average)[len(states) - 1], "val_loss": 1.0}

    monkeypatch.setattr(EpochWeights, "score", validate)
    result = run(colours, tmp_path / "run", "epochs=4", "average_best=3")
    bundle = Bundle.load(result.bundle)
    torch.testing.assert_close(states[4], torch.stack(states[1:4]).mean(0))
    np.testing.assert_array_equal(bundle.weights["head.fc.weight"], states[4 if kept else 1])
    assert result.val_top1 == (70.5 if kept else 70)
    words = "the average of epochs 2, 3 and 4" if kept else "of epoch 2, averaged over the training"
    assert bundle.provenance["weights"] == words
    shutil.rmtree(result.bundle)
    run(colours, tmp_path / "run", "epochs=4", "average_best=3", resume=True)
    assert len(states) == 5
    np.testing.assert_array_equal(Bundle.load(result.bundle).weights["head.fc.weight"], states[4 if kept else 1])


def test_a_run_ends_early_where_epochs_are_no_better(tmp_path: Path) -> None:
    data = write_contrary(tmp_path / "data")
    settings = [setting for setting in MEMORISED if not setting.startswith("epochs=")]
    result = run(data, tmp_path / "run", "epochs=40", "patience=2", *settings)
    assert result.epochs < 40
    assert epochs_of(tmp_path / "run") == list(range(1, result.epochs + 1))
    stopped = Bundle.load(result.bundle).provenance["stopped"]
    assert stopped == f"after epoch {result.epochs} of 40, as the last 2 were no better"
    again = run(data, tmp_path / "run", "epochs=40", "patience=2", *settings, resume=True)
    assert again.epochs == result.epochs
