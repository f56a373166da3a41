"""Folders in the Hub's layout: which of their files is read, and what is said where one is missing or damaged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bundles import LABELS, SMALL_DESIGN, random_weights, small_bundle
from regnety import Bundle, WeightsError
from regnety.architecture.design import Design
from regnety.bundle.folders.owners import describe_folder, folder_of, owner_of, read_folder, weights_file
from regnety.export.conversion import convert_model
from regnety.files.safetensors_files import write_safetensors

REGNETY_002: dict[str, Any] = {"architecture": "regnety_002", "num_classes": 4}
FOUR_STAGES = Design(depth=5, w0=8, wa=12, wm=2, group_width=8)
ARGUMENTS = {"depth": 5, "w0": 8, "wa": 12, "wm": 2, "group_size": 8}


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """What timm would write of a small network, with the names of its classes."""
    folder = small_bundle(design=FOUR_STAGES).save(tmp_path / "birds")
    config = {**REGNETY_002, "model_args": ARGUMENTS, "pretrained_cfg": {"crop_pct": 0.9}, "label_names": LABELS}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_labels_and_preprocessing_come_with_the_weights(birds: Path) -> None:
    bundle = Bundle.load(birds)
    assert (bundle.labels, bundle.preprocessing.crop_pct, bundle.notice) == (LABELS, 0.9, None)
    assert (bundle.name, bundle.path) == (str(birds), birds)
    again = Bundle.load(f"local-dir:{birds}")
    assert (again.labels, again.stamp) == (LABELS, bundle.stamp)
    assert read_folder(birds, name="hf-hub:me/birds").name == "hf-hub:me/birds"


def test_the_weights_of_a_folder_are_the_folder(birds: Path) -> None:
    bundle = Bundle.load(birds / "model.safetensors")
    assert (bundle.labels, bundle.path) == (LABELS, birds)


def test_the_file_that_is_named_is_read(birds: Path) -> None:
    """timm pushes both; the one that is named is meant."""
    other = small_bundle(design=FOUR_STAGES, seed=1)
    convert_model(other, birds / "pytorch_model.bin", to="regnety")
    named = Bundle.load(birds / "pytorch_model.bin")
    assert named.labels == LABELS
    for bundle, wanted in ((named, other), (Bundle.load(birds), small_bundle(design=FOUR_STAGES))):
        assert (bundle.weights["head.fc.bias"] == wanted.weights["head.fc.bias"]).all()


def test_another_file_beside_a_config_is_by_itself(birds: Path) -> None:
    shutil.copy(birds / "model.safetensors", birds / "copy.safetensors")
    assert Bundle.load(birds / "copy.safetensors").labels is None


def test_a_pickle_beside_our_own_weights_is_by_itself(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "ours")
    convert_model(small_bundle(), folder / "pytorch_model.bin", to="regnety")
    assert folder_of(folder / "model.safetensors") == folder
    assert folder_of(folder / "pytorch_model.bin") is None
    assert Bundle.load(folder / "pytorch_model.bin").labels is None


@pytest.mark.parametrize(
    ("config", "owner"),
    [
        ('{"regnety": {}, "architecture": "regnety_002"}', "regnety"),
        ('{"architecture": "resnet50"}', "timm"),
        ('{"model_type": "regnet"}', "transformers"),
        ('{"model_type": "vit"}', None),
        ("{}", None),
        ("[]", None),
        ("{", None),
    ],
)
def test_whose_a_folder_is(config: str, owner: str | None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    assert owner_of(tmp_path) == owner
    assert folder_of(tmp_path / "model.safetensors") == (tmp_path if owner else None)


def test_weights_are_looked_for_as_timm_and_transformers_do(tmp_path: Path) -> None:
    names = ["pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors.index.json", "model.safetensors"]
    for name in names:
        (tmp_path / name).touch()
        assert weights_file(tmp_path) == tmp_path / name


def test_the_stamp_knows_every_shard(birds: Path) -> None:
    weights = random_weights(Bundle.load(birds).architecture)
    (birds / "model.safetensors").unlink()
    keys = list(weights)
    files = {f"model-{number}-of-2.safetensors": keys[number - 1 :: 2] for number in (1, 2)}
    for name, those in files.items():
        write_safetensors(birds / name, {key: weights[key] for key in those})
    table = {"weight_map": {key: name for name, those in files.items() for key in those}}
    (birds / "model.safetensors.index.json").write_text(json.dumps(table))
    before = Bundle.load(birds)
    assert before.labels == LABELS
    write_safetensors(birds / "model-2-of-2.safetensors", {key: weights[key] + 1 for key in keys[1::2]})
    assert Bundle.load(birds).stamp != before.stamp


def test_a_description_needs_no_weights(birds: Path) -> None:
    (birds / "model.safetensors").unlink()
    assert describe_folder(birds).labels == LABELS
    ours = small_bundle().save(birds.parent / "ours")
    (ours / "model.safetensors").unlink()
    assert describe_folder(ours).design == SMALL_DESIGN


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, ": is not a bundle, it has no config.json"),
        ({"config.json": json.dumps(REGNETY_002)}, ": has no weights beside its config.json; model.safetensors is "),
        ({"config.json": "{"}, "/config.json: cannot be read as JSON: "),
        ({"config.json": '{"a": ' * 100_000}, "/config.json: cannot be read as JSON: "),
        (
            {"config.json": '{"num_classes": 3}'},
            "/config.json: has no table under the key 'regnety', and is no config ",
        ),
        ({"config.json": "[]"}, "/config.json: has no table under the key 'regnety', and is no config "),
        (
            {"config.json": '{"architecture": "resnet50"}'},
            "/config.json: architecture is 'resnet50', which is not a RegNet ",
        ),
        ({"config.json": '{"model_type": "vit"}'}, "/config.json: model_type is 'vit'; expected regnet"),
        (
            {"config.json": '{"model_type": "regnet"}', "preprocessor_config.json": "no"},
            "/preprocessor_config.json: cannot be read as JSON: ",
        ),
        (
            {"config.json": json.dumps(REGNETY_002), "model.safetensors": "version https://git-lfs.github.com/spec/v1"},
            "/model.safetensors: is not a file of weights; it looks like a Git LFS pointer",
        ),
        (
            {"config.json": json.dumps(REGNETY_002), "model.safetensors.index.json": '{"weight_map": {"a": "../b"}}'},
            "/model.safetensors.index.json: ",
        ),
    ],
)
def test_what_is_no_model_is_said_in_one_line(files: dict[str, str], problem: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}{problem}")
    assert "\n" not in str(error.value)


def test_weights_that_are_not_what_the_config_says(birds: Path) -> None:
    config = json.loads((birds / "config.json").read_text())
    (birds / "config.json").write_text(json.dumps({**config, "num_classes": 7}))
    with pytest.raises(WeightsError, match=r"head.fc.weight is \(4, 64\), the architecture expects \(7, 64\)"):
        Bundle.load(birds)


def test_a_folder_of_transformers_without_its_processor(tmp_path: Path) -> None:
    folder = convert_model(small_bundle(design=FOUR_STAGES), tmp_path / "theirs", to="transformers").path
    (folder / "preprocessor_config.json").unlink()
    assert Bundle.load(folder).notice == (
        f"{folder} has no preprocessor_config.json, so ImageNet's preprocessing is assumed"
    )
