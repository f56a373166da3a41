"""A model as a folder: what is written comes back, and what is damaged is named."""

import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bundles import LABELS, REGNETY_002, SMALL_DESIGN, random_weights, small_bundle
from pictures import noise
from regnety import Bundle, Design, Predictor, WeightsError
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.bundle import model
from regnety.preprocessing import Preprocessing

TIMM_FIELDS = {"num_classes", "num_features", "pretrained_cfg", "regnety"}
PROVENANCE = {"license": "mit", "data": "colours | all", "nested": {"top1": 71.5}, "ünïcode": "naïve 猫"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_bundle(provenance=PROVENANCE).save(tmp_path / "bundle")


def test_everything_comes_back(folder: Path) -> None:
    before, after = small_bundle(provenance=PROVENANCE), Bundle.load(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert after.metadata == before.metadata
    assert after.architecture == before.architecture
    assert (after.labels, after.provenance, after.path) == (LABELS, PROVENANCE, folder)
    assert after.weights.keys() == before.weights.keys()
    for key in before.weights:
        assert after.weights[key].dtype == before.weights[key].dtype
        np.testing.assert_array_equal(after.weights[key], before.weights[key], err_msg=key)


def test_half_precision_rounds_once(tmp_path: Path) -> None:
    before = small_bundle()
    after = Bundle.load(before.save(tmp_path / "half", dtype="float16"))
    for key, value in before.weights.items():
        expected = value if value.dtype == np.int64 else value.astype(np.float16)
        assert after.weights[key].dtype == expected.dtype
        np.testing.assert_array_equal(after.weights[key], expected, err_msg=key)
    again = Bundle.load(after.save(tmp_path / "again", dtype="float16"))
    assert (again.path / "model.safetensors").read_bytes() == (after.path / "model.safetensors").read_bytes()


def test_answers_come_back_to_the_bit(folder: Path, tmp_path: Path) -> None:
    pictures = [noise(50, 40, seed=seed) for seed in range(3)]
    before = Predictor(small_bundle()).predict(pictures)
    assert Predictor(folder).predict(pictures) == before
    half = Predictor(small_bundle().save(tmp_path / "half", dtype="float16")).predict(pictures)
    for rounded, exact in zip(half, before, strict=True):
        assert [entry.prob for entry in rounded.predictions] != [entry.prob for entry in exact.predictions]
        by_index = {entry.index: entry.prob for entry in exact.predictions}
        assert all(entry.prob == pytest.approx(by_index[entry.index], abs=0.01) for entry in rounded.predictions)


def test_saving_to_its_own_place(folder: Path) -> None:
    """The weights are still mapped from the file that is replaced."""
    written = (folder / "model.safetensors").read_bytes()
    Bundle.load(folder).save(folder)
    assert (folder / "model.safetensors").read_bytes() == written


def test_timm_can_read_the_config_of_regnety_002(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    preprocessing = Preprocessing(image_size=64, crop_pct=0.9, interpolation="bilinear", mean=(0.1, 0.2, 0.3))
    folder = small_bundle(design=REGNETY_002, preprocessing=preprocessing).save(tmp_path / "bundle")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config.keys() == {*TIMM_FIELDS, "architecture", "model_args"}
    assert (config["architecture"], config["num_classes"], config["num_features"]) == ("regnety_002", 4, 368)
    assert config["model_args"] == {
        "in_chans": 3,
        "depth": 13,
        "w0": 24,
        "wa": 36.44,
        "wm": 2.49,
        "group_size": 8,
        "bottle_ratio": 1.0,
        "se_ratio": 0.25,
        "stem_width": 32,
        "group_min_ratio": 0.0,
    }
    assert config["pretrained_cfg"] == {
        "num_classes": 4,
        "input_size": [3, 64, 64],
        "pool_size": None,
        "crop_pct": 0.9,
        "interpolation": "bilinear",
        "mean": [0.1, 0.2, 0.3],
        "std": [0.229, 0.224, 0.225],
        "first_conv": "stem.conv",
        "classifier": "head.fc",
    }
    assert caplog.records == []


@pytest.mark.parametrize(
    ("design", "reason"),
    [
        (SMALL_DESIGN, "it has 2 stages, timm's networks have 4"),
        (Design(**{**REGNETY_002.as_dict(), "stem_stride": 1}), "its stem or stage strides are not 2"),
        (Design(**{**REGNETY_002.as_dict(), "stage_strides": (1, 2, 2, 2)}), "its stem or stage strides are not 2"),
        (AnyNetDesign(stages=(StageDesign(width=16, depth=1, group_width=8),)), "its stages are given one by one"),
        (Design(depth=15, w0=120, wa=46.4, wm=2.1, group_width=8), "timm rounds its widths differently"),
    ],
)
def test_what_timm_cannot_build_it_refuses_and_who_makes_a_folder_for_it_is_told(
    design: Design | AnyNetDesign, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = small_bundle(design=design).save(tmp_path / "bundle")
    assert json.loads((folder / "config.json").read_text("utf-8")).keys() == TIMM_FIELDS
    assert caplog.records == []
    Bundle.load(folder).say_if_not_for_timm(folder)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"{folder}: timm cannot load this bundle: {reason}")


def test_the_card_says_what_it_is(folder: Path) -> None:
    card = (folder / "README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: regnety\npipeline_tag: image-classification\nlicense: mit\n---\n")
    for words in (
        "16x1, 32x1",
        "| parameters | ",
        "32x32, crop_pct 0.875, bicubic",
        "Classes: blue, green, red, white.",
    ):
        assert words in card
    assert "colours \\| all" in card


@pytest.mark.parametrize("content", ["precious.txt", "config.json"])
def test_what_is_no_bundle_is_not_overwritten(content: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / content).write_text('{"name": "another program"}')
    with pytest.raises(WeightsError, match="other: exists and was not written by regnety; name another folder"):
        small_bundle().save(tmp_path / "other")
    assert (tmp_path / "other" / content).read_text() == '{"name": "another program"}'


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(WeightsError, match="file: is a file; name another folder"):
        small_bundle().save(tmp_path / "file")


def test_an_empty_folder_and_a_bundle_are_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (folder, tmp_path / "empty"):
        small_bundle(("a", "b")).save(place)
        assert Bundle.load(place).labels == ("a", "b")


def change(*keys: str, to: Any) -> Callable[[Path], None]:
    """Put another value into config.json."""

    def damage(folder: Path) -> None:
        config = table = json.loads((folder / "config.json").read_text("utf-8"))
        for key in keys[:-1]:
            table = table[key]
        if to is KeyError:
            del table[keys[-1]]
        else:
            table[keys[-1]] = to
        (folder / "config.json").write_text(json.dumps(config), "utf-8")

    damage.__name__ = f"{'.'.join(keys)}={to}"
    return damage


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(data)

    damage.__name__ = f"{name}-{data[:8]!r}"
    return damage


def truncate(name: str, share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(share * len(data))])

    damage.__name__ = f"{name} cut at {share}"
    return damage


def remove(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()

    damage.__name__ = f"no {name}"
    return damage


def other_weights(mutate: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = random_weights(SMALL_DESIGN.architecture(len(LABELS)))
        mutate(weights)
        save_file(weights, folder / "model.safetensors")

    return damage


BUNDLE, CONFIG, WEIGHTS = "{folder}: ", "{folder}/config.json: ", "{folder}/model.safetensors: "


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("config.json"), "{folder}: is not a bundle, it has no config.json"),
        (write("config.json", b""), CONFIG + "cannot be read as JSON"),
        (write("config.json", b"\xff\xfe\x00"), CONFIG + "cannot be read as JSON"),
        (truncate("config.json", 0.5), CONFIG + "cannot be read as JSON"),
        (write("config.json", b"[1]"), CONFIG + "has no table under the key 'regnety'"),
        (write("config.json", b"[" * 100_000), CONFIG),
        (write("config.json", b'{"num_classes": 4}'), CONFIG + "has no table under the key 'regnety'"),
        (write("config.json", b'{"architecture": "regnety_002"}'), BUNDLE + "lacks s3.b1.conv1.conv.weight, which"),
        (change("regnety", "format_version", to=3), CONFIG + "has format_version 3, this release reads up to 2"),
        (change("regnety", "format_version", to="1"), CONFIG + "format_version is '1', not a whole number"),
        (change("regnety", "labels", to=["a", "b"]), CONFIG + "there are 2 labels for 4 classes"),
        (change("regnety", "labels", to="abcd"), CONFIG + "labels must be a list, got 'abcd'"),
        (change("regnety", "labels", to=[1, 2, 3, 4]), CONFIG + "each of labels must be a text, got 1"),
        (change("regnety", "provenance", to="me"), CONFIG + "provenance must be a table"),
        (change("regnety", "design", to=KeyError), CONFIG + "the table 'regnety' lacks design"),
        (change("regnety", "design", to={"depth": 2}), CONFIG + "Design lacks "),
        (change("regnety", "design", "w0", to=-8), CONFIG + "w0 must be "),
        (change("regnety", "design", "w0", to="wide"), CONFIG + "w0 must be "),
        (change("regnety", "design", "depth", to=10**400), CONFIG + "depth must be "),
        (change("regnety", "num_classes", to=KeyError), CONFIG + "the table 'regnety' lacks num_classes"),
        (change("regnety", "in_chans", to=4), CONFIG + "preprocessing has a mean for 3 channels, the model takes 4"),
        (change("regnety", "preprocessing", "mean", to=[0.5]), CONFIG + "std must be a positive number for each of 1"),
        (change("regnety", "preprocessing", "image_size", to="big"), CONFIG + "image_size must be a whole number"),
        (change("regnety", "preprocessing", to=None), CONFIG + "preprocessing must be a table of fields"),
        (
            change("regnety", "design", "stem_width", to=8),
            BUNDLE + "stem.conv.weight is (32, 3, 3, 3), the architecture expects (8, 3, 3, 3) (",
        ),
        (change("regnety", "design", "depth", to=3), BUNDLE + "lacks s"),
        (remove("model.safetensors"), WEIGHTS + "no such file"),
        (write("model.safetensors", b""), WEIGHTS + "is not a whole safetensors file"),
        (write("model.safetensors", b"x" * 99), WEIGHTS + "is not a whole safetensors file"),
        (truncate("model.safetensors", 0.9), WEIGHTS + "is not a whole safetensors file"),
        (other_weights(lambda weights: weights.pop("head.fc.bias")), BUNDLE + "lacks head.fc.bias"),
        (other_weights(lambda weights: weights.update(extra=np.zeros(3))), BUNDLE + "has extra"),
        (
            other_weights(lambda weights: weights.update({"head.fc.weight": np.zeros((5, 32), np.float32)})),
            BUNDLE + "head.fc.weight is (5, 32)",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damage_is_one_line_that_names_the_file(damage: Callable[[Path], None], message: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(WeightsError) as error:
        Bundle.load(folder)
    assert str(error.value).startswith(message.format(folder=folder))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("labels", [None, LABELS[:3]])
@pytest.mark.parametrize("field", ["num_classes", "in_chans"])
@pytest.mark.parametrize("value", [None, "four", -1, 4.0, 1e300, True, [], {}, 10**30])
def test_whatever_stands_for_a_count_is_read_or_named(
    field: str, value: Any, labels: tuple[str, ...] | None, folder: Path
) -> None:
    change("regnety", "labels", to=labels)(folder)
    change("regnety", field, to=value)(folder)
    with pytest.raises(WeightsError) as error:
        Bundle.load(folder)
    assert str(error.value).startswith(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("value", "dtype"), [(7e4, "float16"), (-1e9, "float16"), (np.nan, "float32")])
def test_values_that_are_not_finite_are_not_written(value: float, dtype: Any, tmp_path: Path) -> None:
    bundle = small_bundle()
    weights = {**bundle.weights, "stem.bn.running_var": np.full(32, value, np.float32)}
    with pytest.raises(WeightsError, match=f"^model: stem.bn.running_var has values that are not finite in {dtype}$"):
        Bundle(bundle.metadata, weights).save(tmp_path / "bundle", dtype=dtype)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_do_not_fit_are_refused_in_memory() -> None:
    bundle = small_bundle()
    weights = {**bundle.weights, "stem.conv.weight": np.zeros((32, 4, 3, 3), np.float32)}
    with pytest.raises(WeightsError, match=r"^mine: stem.conv.weight is \(32, 4, 3, 3\)"):
        Bundle(bundle.metadata, weights, name="mine")


def test_every_way_to_a_model_leads_to_the_public_class(folder: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(folder)
    ways = [
        bundle,
        Bundle.load(bundle),
        Bundle.load(folder / "model.safetensors"),
        Bundle.load("regnety_cifar10"),
        bundle.with_labels(None),
        pickle.loads(pickle.dumps(bundle)),
        pickle.loads(pickle.dumps(small_bundle())),
    ]
    assert {type(way) for way in ways} == {Bundle}
    assert Bundle.__module__ == "regnety.bundle.bundle"


def test_keys_and_shapes_are_compared_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(model, "check_fit", lambda *_, source: compared.append(source))
    Bundle.load(folder).with_labels(None).with_preprocessing(Preprocessing(image_size=64))
    assert compared == [str(folder)]
