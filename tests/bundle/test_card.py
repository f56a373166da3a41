"""The model card: read by the Hub's own reader, by YAML's, and by running what it shows."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

import goldens
from bundles import REGNETY_002, small_bundle
from commands import python
from regnety import Bundle, PublishedWeights, UnknownModelError, list_weights, model_card, model_info
from regnety.catalog.model_page import CITATION
from regnety.catalog.models import EMBEDDED_MODELS, embedded_bundle

GOLDEN = json.loads((goldens.FOLDER / "model_page.json").read_text("utf-8"))
PAGE = GOLDEN["models"]
EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def published(name: str) -> PublishedWeights:
    weights = model_info(name).published
    assert weights is not None
    return weights


def ordered(values: Any) -> str:
    """Equal texts are equal values of equal types in equal order."""
    return json.dumps(values, ensure_ascii=False)


def comment(card: str) -> str:
    """What stands in the comment that ends a card."""
    assert card.endswith("-->\n")
    return card.partition("<!--\n")[2].removesuffix("-->\n")


def rows(card: str) -> dict[str, str]:
    """The tables of two columns."""
    return dict(re.findall(r"^\| ([^|]+) \| ((?:[^|\\]|\\.)+) \|$", card, re.MULTILINE))


@pytest.mark.parametrize("model", PAGE)
def test_the_block_of_the_page_parses_back_equal(model: str) -> None:
    wanted = {"Type": "model-index", "Collections": GOLDEN["collections"], "Models": [PAGE[model]]}
    assert ordered(yaml.safe_load(comment(model_card(model)))) == ordered(wanted)


def test_the_block_is_the_pages_to_the_letter(shared: Path) -> None:
    page = comment((shared / "spec" / "regnety.md").read_text("utf-8") + "\n")
    head, *models = re.split(r"^(?=- Name: regnety_)", page, flags=re.MULTILINE)
    assert len(models) == len(PAGE)
    for model, block in zip(PAGE, models, strict=True):
        assert comment(model_card(model)) == head + block


def test_a_name_with_the_pages_tag_has_the_same_card() -> None:
    assert model_card("regnety_032.ra_in1k") == model_card("regnety_032")
    assert "The plain name regnety_032 means these weights." in model_card("regnety_032")


@pytest.mark.parametrize("name", ["regnety_032.pycls_in1k", "regnety_160.sw_in12k", "regnetx_002", "regnety_cifar10"])
def test_the_page_says_nothing_of_other_weights(name: str) -> None:
    card = model_card(name)
    assert "<!--" not in card
    assert "the model page" not in card.lower()


@pytest.mark.parametrize("name", list_weights())
def test_the_hub_reads_it(name: str) -> None:
    weights, text = published(name), model_card(name)
    card = ModelCard(text)
    data = card.data
    assert data.library_name == "regnety"
    assert data.pipeline_tag == ("image-classification" if weights.num_classes else "image-feature-extraction")
    assert (data.license_name or data.license) == weights.license
    assert data.tags == ["regnet", name[:7]]
    words = weights.tag.split("_")
    assert data.datasets == ([f"imagenet-{word[2:]}" for word in ("in1k", "in12k") if word in words] or None)
    results = [
        (result.dataset_type, result.dataset_config, result.metric_name, result.metric_value)
        for result in data.eval_results or ()
    ]
    assert results == [
        ("imagenet-1k", f"image_size {row.image_size}, crop_pct {row.crop_pct:g}", f"Top {rank} Accuracy", value)
        for row in weights.imagenet
        for rank, value in ((1, row.top1), (5, row.top5))
    ]
    assert data.model_name == (name if weights.imagenet else None)
    front = yaml.safe_load(text.split("---\n")[1])
    assert yaml.safe_load(str(card).split("---\n")[1]) == front
    assert ModelCard(str(card)).text == card.text


def test_the_facts_of_regnety_032() -> None:
    card = model_card("regnety_032")
    facts = rows(card)
    assert facts["stages (width x depth)"] == "72x2, 216x5, 576x13, 1512x1"
    assert facts["parameters"] == "19,436,338"
    assert facts["multiply-adds at 224x224"] == "3,176,496,162"
    assert facts["input"] == "224x224, crop_pct 0.95, bicubic; best at 288x288, crop_pct 1"
    assert facts["source"] == "https://huggingface.co/timm/regnety_032.ra_in1k"
    assert facts["Batch Size"] == "512"
    assert facts["Top 1 Accuracy"] == "82.01%"
    for row in ("| 224 | 0.95 | 81.948 | 95.972 |", "| 288 | 1 | 82.724 | 96.426 |"):
        assert row in card.splitlines()
    assert card.count("\n- The page") == 5
    assert f"```bibtex\n{CITATION}```\n" in card


def test_a_licence_that_forbids_commercial_use_is_said() -> None:
    told = {name for name in list_weights() if "**Non-commercial use only.**" in model_card(name)}
    assert {published(name).license for name in told} == {"cc-by-nc-4.0", "seer-license"}
    assert len(told) == 13


def test_a_licence_that_the_hub_does_not_know_has_its_text() -> None:
    data = ModelCard(model_card("regnety_640.seer_ft_in1k")).data
    assert (data.license, data.license_name) == ("other", "seer-license")
    assert data.license_link.endswith("/projects/SEER/MODEL_LICENSE.md")


def test_weights_without_a_classifier_are_not_asked_for_classes() -> None:
    card = model_card("regnety_320.seer")
    assert "without a classifier" in card
    assert "predict" not in card
    assert 'regnety.create_model("regnety_320.seer", pretrained=True)' in card


def test_what_the_card_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    shutil.copy(EXAMPLES / "cat.png", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    ask, build = re.findall(r"^```python\n(.*?)^```", model_card("regnety_cifar10"), re.MULTILINE | re.DOTALL)
    exec(ask)
    assert capsys.readouterr().out.startswith("cat 0.8")
    names: dict[str, Any] = {}
    exec(build, names)
    assert names["model"].num_classes == 10
    assert not names["model"].training
    assert names["transform"] is not None


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_an_embedded_models_card_is_the_one_beside_it(name: str) -> None:
    assert model_card(name) == (embedded_bundle(name) / "README.md").read_text("utf-8")


def test_a_bundles_card_is_what_saving_writes(tmp_path: Path) -> None:
    bundle = small_bundle(
        provenance={"license": "cc-by-nc-4.0", "data": "a | b\nc", "top1": {"val": 71.5}}, name="small"
    )
    folder = bundle.save(tmp_path / "small")
    card = (folder / "README.md").read_text("utf-8")
    assert card == model_card(bundle) == model_card(folder) == model_card(str(folder))
    assert rows(card)["data"] == r"a \| b c"
    assert rows(card)["top1"] == "val 71.5"
    assert "# small\n" in card
    assert "Classes: blue, green, red, white.\n" in card
    assert "regnety predict photo.jpg --model THIS_FOLDER\n" in card
    assert "**Non-commercial use only.**" in card
    assert CITATION in card


def test_the_card_of_a_copy_names_its_own_folder(tmp_path: Path) -> None:
    folder = Bundle.load("regnety_cifar10").save(tmp_path / "copy")
    card = (folder / "README.md").read_text("utf-8")
    assert card == model_card("regnety_cifar10").replace('"regnety_cifar10", pretrained=True', '"THIS_FOLDER"').replace(
        '("regnety_cifar10")', '("THIS_FOLDER")'
    ).replace("--model regnety_cifar10", "--model THIS_FOLDER")


def test_a_bundle_that_is_named_as_a_model_is_not_taken_for_it(tmp_path: Path) -> None:
    """Its weights are its own, whatever the catalogue knows of that name."""
    bundle = small_bundle(design=REGNETY_002, name="regnety_002")
    card = model_card(bundle)
    assert "--model THIS_FOLDER\n" in card
    assert "## Accuracy" not in card
    assert "pretrained=True" not in card


def test_the_card_of_a_file_says_what_was_assumed(tmp_path: Path) -> None:
    folder = small_bundle(None, design=REGNETY_002, num_classes=7).save(tmp_path / "bundle")
    file = (folder / "model.safetensors").rename(tmp_path / "seven classes.safetensors")
    card = model_card(file)
    assert "# seven classes.safetensors\n" in card
    assert "regnety predict photo.jpg --model 'seven classes.safetensors'\n" in card
    assert "print(answer.index, answer.prob)" in card
    assert (
        "fits regnety_002 with 7 classes by its shapes; the preprocessing of regnety_002.pycls_in1k is assumed" in card
    )


@pytest.mark.parametrize(
    "licence", ["no: yes", "- a", "mit # or not", "---\nlicense: mit", "'", ["mit"], {"a": 1}, 7, None, "naïve"]
)
def test_whatever_stands_for_a_licence_leaves_the_front_matter_whole(licence: Any) -> None:
    card = ModelCard(model_card(small_bundle(provenance={"license": licence})))
    assert card.data.license == (licence if isinstance(licence, str) else None)
    assert card.text.startswith("\n# small\n")


def test_what_is_no_model_has_no_card(tmp_path: Path) -> None:
    for model in ("regnetz", "regnety_032.nobody", tmp_path / "nothing"):
        with pytest.raises(UnknownModelError):
            model_card(model)


def test_no_prediction_waits_for_the_card() -> None:
    code = "import sys, regnety; regnety.Bundle.load('regnety_cifar10'); print(*sys.modules)"
    loaded = python(code).stdout.split()
    assert "regnety.bundle.bundle" in loaded
    assert not {"yaml", "regnety.bundle.card"} & set(loaded)


def test_a_name_that_cannot_be_shown_is_escaped(tmp_path: Path) -> None:
    file = (small_bundle().save(tmp_path / "bundle") / "model.safetensors").rename(tmp_path / "a\x1b[31m.safetensors")
    card = model_card(file)
    assert "# a\\x1b[31m.safetensors\n" in card
    assert "\x1b" not in card


@pytest.mark.parametrize("is_run", [True, False])
def test_the_bundle_of_a_run_is_called_as_the_run(is_run: bool, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "fruit" / "bundle"
    small_bundle().save(folder)
    if is_run:
        (folder.parent / "recipe.yaml").write_text("name: finetune\n")
    assert f"\n# {'fruit' if is_run else 'bundle'}\n" in model_card(folder)


def test_one_class_is_one(tmp_path: Path) -> None:
    assert "with 1 class.\n" in model_card(small_bundle(num_classes=1, labels=["only"]))
