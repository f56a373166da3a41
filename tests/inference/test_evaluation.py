"""Accuracy, against the same figures computed by hand from torch's logits."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import regnety
from bundles import SMALL, small_bundle
from pictures import colour, write_colours
from regnety import Bundle, DataError, RunOptions, WeightsError, create_model
from regnety.bundle import training_files
from regnety.bundle.training_files import TrainingFiles, fingerprint_of
from regnety.datasets.folders import read_class_folders
from regnety.images.pixels import load_pixels
from regnety.inference.evaluation import evaluate
from regnety.inference.evaluation_result import EvaluationResult

CLASSES = ("white", "red", "green", "blue", "grey", "black", "pink")
"""Of the model, in another order than the folders', and more of them."""
BIAS = "s2.b1.conv3.bn.bias"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle(CLASSES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """blue, green and red; in unequal numbers."""
    write_colours(tmp_path, "blue", count=9)
    write_colours(tmp_path, "green", count=6, seed=1)
    return write_colours(tmp_path, "red", count=2, seed=2)


def logits_by_hand(bundle: Bundle, paths: list[Path]) -> torch.Tensor:
    pixels = np.stack([load_pixels(path, SMALL) for path in paths]) / 255
    normalised = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        return create_model(bundle).eval()(torch.from_numpy(normalised).permute(0, 3, 1, 2).float())


def test_the_figures_are_torchs(bundle: Bundle, folder: Path) -> None:
    samples = read_class_folders(folder)
    logits = logits_by_hand(bundle, [sample.image for sample in samples])
    targets = torch.tensor([CLASSES.index(sample.label) for sample in samples])
    right = logits.argmax(1) == targets
    among_five = (logits.topk(5).indices == targets[:, None]).any(1)
    found = evaluate(bundle, samples, quiet=True)
    assert (found.model, found.count, found.errors) == ("small", 17, ())
    assert found.top1 == pytest.approx(100 * right.float().mean().item())
    assert found.top5 == pytest.approx(100 * among_five.float().mean().item())
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(logits, targets).item(), rel=1e-4)
    assert {name: of.count for name, of in found.per_class.items()} == {"red": 2, "green": 6, "blue": 9}
    for name, of in found.per_class.items():
        assert of.top1 == pytest.approx(100 * right[targets == CLASSES.index(name)].float().mean().item())


def test_a_model_and_a_folder_by_their_places(
    bundle: Bundle, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = bundle.save(tmp_path_factory.mktemp("models") / "saved")
    by_place = regnety.evaluate(saved, str(folder), workers=1, quiet=True)
    options = RunOptions(engine="onnxruntime", precision="f32", pixels="exact", exif_orientation=False)
    found = regnety.evaluate(bundle, read_class_folders(folder), options=options, quiet=True)
    assert replace(by_place, model="small") == found
    assert regnety.evaluate(bundle, read_class_folders(folder), options=RunOptions(workers=1), quiet=True) == found


def test_classes_are_matched_by_name_where_the_folder_lacks_some(tmp_path: Path) -> None:
    """Numbering the folders anew would call the second class the first: timm then scores 0 of 9."""
    write_colours(tmp_path, "green", "red", count=6)
    paths = sorted(tmp_path.rglob("*.png"))
    answer = logits_by_hand(small_bundle(("a", "b", "c")), paths).argmax(1)
    (index,) = answer.unique().tolist()
    labels = [f"other {number}" for number in range(3)]
    labels[index] = "red"
    labels[(index + 1) % 3] = "green"
    found = evaluate(small_bundle(tuple(labels)), read_class_folders(tmp_path), quiet=True)
    assert found.per_class["red"].top1 == 100
    assert found.per_class["green"].top1 == 0
    assert found.top1 == 50


def test_top5_with_fewer_than_five_classes(folder: Path) -> None:
    assert evaluate(small_bundle(("blue", "green", "red")), read_class_folders(folder), quiet=True).top5 == 100


def test_a_class_that_the_model_does_not_know(folder: Path) -> None:
    with pytest.raises(DataError) as error:
        evaluate(small_bundle(("blue", "red")), read_class_folders(folder), quiet=True)
    assert str(error.value) == f"{folder}/green: small has no class named 'green'"


def test_a_model_without_names(folder: Path) -> None:
    with pytest.raises(DataError, match="small has no class names, so only an index below 4 names a class"):
        evaluate(small_bundle(None), read_class_folders(folder), quiet=True)


@pytest.mark.parametrize(("engine", "key", "value"), [("torch", "head.fc.bias", np.nan), ("onnxruntime", BIAS, 3e38)])
def test_answers_that_are_not_numbers_are_not_scored(engine: str, key: str, value: float, folder: Path) -> None:
    bundle = small_bundle(CLASSES)
    bundle.weights[key][:] = value
    with pytest.raises(WeightsError, match=r"^small: its answers are not finite numbers; its weights are damaged$"):
        evaluate(bundle, read_class_folders(folder), engine=engine, quiet=True)


def test_unreadable_pictures_are_left_out_and_listed(bundle: Bundle, folder: Path) -> None:
    expected = evaluate(bundle, read_class_folders(folder), quiet=True)
    (folder / "blue" / "00a.png").write_bytes(b"")
    (folder / "red" / "zzz.jpg").write_text("text")
    found = evaluate(bundle, read_class_folders(folder), quiet=True)
    assert found.errors == (
        f"{folder}/blue/00a.png: is empty",
        f"{folder}/red/zzz.jpg: is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)",
    )
    assert {**expected.as_dict(), "loss": 0} == {**found.as_dict(), "loss": 0}
    assert found.loss == pytest.approx(expected.loss)


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "blue").mkdir()
    (tmp_path / "blue" / "a.png").touch()
    with pytest.raises(DataError) as error:
        evaluate(small_bundle(), read_class_folders(tmp_path), quiet=True)
    assert str(error.value) == (f"no photograph could be read, of 1; the first: {tmp_path}/blue/a.png: is empty")


def test_orientation_follows_the_model(tmp_path: Path) -> None:
    """A published model is measured as it was: without turning."""
    (tmp_path / "red").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    half = colour("red", width=64, height=20)
    half.paste((0, 0, 0), (0, 0, 32, 20))
    half.save(tmp_path / "red" / "a.png", exif=exif)

    def loss(exif_orientation: bool) -> float:
        preprocessing = type(SMALL)(**{**SMALL.as_dict(), "exif_orientation": exif_orientation})
        return evaluate(small_bundle(preprocessing=preprocessing), read_class_folders(tmp_path), quiet=True).loss

    assert loss(True) != loss(False)


def test_the_fields_as_json(bundle: Bundle, folder: Path) -> None:
    found: EvaluationResult = evaluate(bundle, read_class_folders(folder), quiet=True)
    values = found.as_dict()
    assert list(values) == [
        "model",
        "count",
        "top1",
        "top5",
        "loss",
        "trained_on",
        "left_out",
        "published",
        "per_class",
    ]
    assert values["per_class"]["red"] == {"count": 2, "top1": found.per_class["red"].top1}


def certain_bundle(labels: tuple[str, ...] | None, answer: int, num_classes: int = 4) -> Bundle:
    """A model that gives one answer to everything."""
    bundle = small_bundle(labels, num_classes=num_classes)
    bundle.weights["head.fc.weight"][:] = 0
    bundle.weights["head.fc.bias"][:] = 0
    bundle.weights["head.fc.bias"][answer] = 9
    return bundle


def test_imagenets_own_folders_are_evaluated_and_its_two_cranes_told_apart(tmp_path: Path) -> None:
    for name, kept in (("n02012849", "crane that flies"), ("n03126707", "other"), ("n01440764", "tench")):
        write_colours(tmp_path, "red", count={"other": 1, "tench": 3}.get(kept, 2))
        (tmp_path / "red").rename(tmp_path / name)
    found = evaluate(certain_bundle(regnety.labels(), 134), read_class_folders(tmp_path), quiet=True)
    assert {name: (of.count, of.top1) for name, of in found.per_class.items()} == {
        "tench": (3, 0),
        "crane (n02012849)": (2, 100),
        "crane (n03126707)": (1, 0),
    }
    assert found.top1 == pytest.approx(100 * 2 / 6)


def test_a_folder_whose_name_two_classes_have_is_refused(tmp_path: Path) -> None:
    write_colours(tmp_path, "red", count=1)
    (tmp_path / "red").rename(tmp_path / "crane")
    with pytest.raises(DataError) as error:
        evaluate(certain_bundle(regnety.labels(), 134), read_class_folders(tmp_path), quiet=True)
    assert str(error.value) == (
        f"{tmp_path}/crane: small has 2 classes named 'crane'; "
        "name the folder n02012849 (index 134) or n03126707 (index 517)"
    )


def test_a_model_without_names_is_evaluated_on_folders_named_by_index(tmp_path: Path) -> None:
    write_colours(tmp_path, "red", "blue", count=3)
    (tmp_path / "red").rename(tmp_path / "2")
    (tmp_path / "blue").rename(tmp_path / "0")
    found = evaluate(certain_bundle(None, 2), read_class_folders(tmp_path), quiet=True)
    assert {name: of.top1 for name, of in found.per_class.items()} == {"0": 0, "2": 100}


def test_two_folders_of_one_class_are_counted_together(tmp_path: Path) -> None:
    write_colours(tmp_path, "red", "blue", count=3)
    (tmp_path / "blue").rename(tmp_path / "2")
    found = evaluate(certain_bundle(("a", "b", "red"), 2), read_class_folders(tmp_path), quiet=True)
    assert {name: (of.count, of.top1) for name, of in found.per_class.items()} == {"red": (6, 100)}


@pytest.mark.parametrize(("label", "folder"), [("crème", "cre\u0300me"), ("cre\u0300me", "crème")])
def test_class_names_of_macos_are_the_models(label: str, folder: str, tmp_path: Path) -> None:
    write_colours(tmp_path, "red", count=2)
    (tmp_path / "red").rename(tmp_path / folder)
    found = evaluate(certain_bundle(("a", "b", label), 2), read_class_folders(tmp_path), quiet=True)
    assert {name: of.top1 for name, of in found.per_class.items()} == {"crème": 100}


def trained_on(bundle: Bundle, *files: Path) -> Bundle:
    bundle.training_files = TrainingFiles.of(files, quiet=True)
    return bundle


def test_what_a_model_was_trained_on_is_left_out_where_that_is_wished_for(tmp_path: Path) -> None:
    write_colours(tmp_path, "blue", "red", count=4)
    copies = [(tmp_path / "red" / f"z{number}.png") for number in range(2)]
    for number, copy in enumerate(copies):  # the content decides, not the name
        copy.write_bytes((tmp_path / "red" / f"{sorted(os.listdir(tmp_path / 'red'))[number]}").read_bytes())
    known = sorted((tmp_path / "red").iterdir())[:3]
    bundle = trained_on(certain_bundle(("blue", "red", "c"), 1), *known)
    samples = read_class_folders(tmp_path)
    found = evaluate(bundle, samples, held_out_only=True, quiet=True)
    assert (found.count, found.trained_on, found.left_out) == (5, 0, 5)
    assert {name: of.count for name, of in found.per_class.items()} == {"blue": 4, "red": 1}
    assert found.top1 == 20
    assert found.notice == "small was trained on 5 of the 10 photographs; only the other 5 are scored"
    everything = evaluate(bundle, samples, quiet=True)
    assert (everything.count, everything.trained_on, everything.left_out, everything.top1) == (10, 5, 0, 60)
    assert everything.notice == (
        "small was trained on 5 of the 10 photographs that are scored; expect less of it on new ones"
    )
    assert {name: everything.as_dict()[name] for name in ("trained_on", "left_out")} == {"trained_on": 5, "left_out": 0}


def test_where_all_was_trained_on_all_is_scored(tmp_path: Path) -> None:
    write_colours(tmp_path, "blue", "red", count=2)
    samples = read_class_folders(tmp_path)
    bundle = trained_on(certain_bundle(("blue", "red", "c"), 1), *(sample.image for sample in samples))
    found = evaluate(bundle, samples, held_out_only=True, quiet=True)
    assert (found.count, found.trained_on, found.left_out) == (4, 4, 0)
    assert found.notice == "small was trained on all 4 photographs that are scored; expect less of it on new ones"


def test_where_nothing_was_trained_on_nothing_is_said(tmp_path: Path) -> None:
    write_colours(tmp_path, "blue", "red", count=2)
    (tmp_path / "red" / "zz.png").touch()
    samples = read_class_folders(tmp_path)
    bundle = trained_on(certain_bundle(("blue", "red", "c"), 1), Path(__file__))
    found = evaluate(bundle, samples, held_out_only=True, quiet=True)
    assert (found.count, found.trained_on, found.left_out, found.notice) == (4, 0, 0, None)
    unknown = evaluate(certain_bundle(("blue", "red", "c"), 1), samples, held_out_only=True, quiet=True)
    assert (unknown.count, unknown.trained_on, unknown.left_out, unknown.notice) == (4, None, 0, None)


def test_of_a_model_that_was_trained_on_very_many_only_what_is_surely_held_out_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_colours(tmp_path, "blue", "red", count=8)
    samples = read_class_folders(tmp_path)
    by_fingerprint = sorted(samples, key=lambda sample: fingerprint_of(sample.image) or 0)
    monkeypatch.setattr(training_files, "LIMIT", 4)
    bundle = trained_on(certain_bundle(("blue", "red", "c"), 1), *(sample.image for sample in by_fingerprint[::2]))
    found = evaluate(bundle, samples, held_out_only=True, quiet=True)
    assert (found.count, found.trained_on, found.left_out) == (3, 0, 13)
    assert found.notice == "small was or may have been trained on 13 of the 16 photographs; only the other 3 are scored"
    everything = evaluate(bundle, samples, quiet=True)
    assert (everything.count, everything.trained_on) == (16, 4)
    assert everything.notice is not None
    assert everything.notice.startswith("small was trained on at least 4 of the 16 photographs that are scored; ")
