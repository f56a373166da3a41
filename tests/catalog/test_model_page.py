"""What the model page says of its twelve models, and what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import goldens
from regnety import complexity, model_index_flops, model_info
from regnety.catalog.model_page import page_entry, page_models
from regnety.catalog.published import PublishedWeights

PAGE = goldens.models("model_page.json")
GOLDEN = json.loads((goldens.FOLDER / "model_page.json").read_text("utf-8"))
COLLECTIONS, BATCH_SIZES = GOLDEN["collections"], GOLDEN["pycls_batch_sizes"]
COMMON = {
    "The page's FLOPs are multiply-adds on a picture of 224x286 pixels, without the classifier; "
    "its parameters are rounded to ten thousands.",
    "The page misspells an author of the paper: his name is Piotr Dollár.",
}


def ordered(values: Any) -> str:
    """Equal texts are equal values of equal types in equal order."""
    return json.dumps(values, ensure_ascii=False)


def own_weights(model: str) -> PublishedWeights:
    weights = model_info(model).published
    assert weights is not None
    return weights


def test_the_twelve_are_there_in_the_pages_order() -> None:
    assert page_models() == tuple(PAGE)
    assert len(PAGE) == 12


@pytest.mark.parametrize("model", PAGE)
def test_every_field_is_the_pages(model: str) -> None:
    entry = page_entry(model)
    assert entry is not None
    wanted = {"Type": "model-index", "Collections": COLLECTIONS, "Models": [PAGE[model]]}
    assert ordered(entry.model_index()) == ordered(wanted)


def test_the_figures_are_those_of_the_page_itself(shared: Path) -> None:
    page = (shared / "spec" / "regnety.md").read_text("utf-8")
    document = yaml.safe_load(page.partition("<!--")[2].partition("-->")[0])
    assert ordered(document) == ordered(
        {"Type": "model-index", "Collections": COLLECTIONS, "Models": list(PAGE.values())}
    )


def test_the_batch_sizes_are_those_of_pycls(shared: Path) -> None:
    paper = json.loads((shared / "reference" / "paper_models.json").read_text("utf-8")).values()
    of_size = {(row["params"], row["flops"]): row["batch_size"] for row in paper}
    counted = {model: complexity(model_info(model).design) for model in PAGE}
    assert {model: of_size[counted[model].num_params, counted[model].macs] for model in PAGE} == BATCH_SIZES


@pytest.mark.parametrize("model", PAGE)
def test_what_can_be_counted_is_counted(model: str) -> None:
    design = model_info(model).design
    assert PAGE[model]["Metadata"]["FLOPs"] == model_index_flops(design)
    assert PAGE[model]["Metadata"]["Parameters"] == round(complexity(design).num_params / 10_000) * 10_000


@pytest.mark.parametrize("model", [model for model in PAGE if model != "regnety_032"])
def test_the_page_agrees_with_the_catalogue_but_for_regnety_032(model: str) -> None:
    weights, metadata = own_weights(model), PAGE[model]["Metadata"]
    assert weights.preprocessing.image_size == int(metadata["Image Size"])
    assert weights.preprocessing.crop_pct == float(metadata["Crop Pct"])
    assert weights.preprocessing.interpolation == metadata["Interpolation"]
    (row,), entry = weights.imagenet, page_entry(model)
    assert entry is not None
    assert (entry.top1, entry.top5) == pytest.approx((row.top1, row.top5), abs=0.031)


def test_what_is_wrong_on_the_page_is_remarked() -> None:
    wrong = {model for model in PAGE if PAGE[model]["Metadata"]["Batch Size"] != BATCH_SIZES[model]}
    assert wrong == {"regnety_160"}
    remarks = {model: set(entry.remarks) for model in PAGE if (entry := page_entry(model))}
    assert {model for model in PAGE if remarks[model] != COMMON} == {"regnety_032", "regnety_160"}
    assert remarks["regnety_160"] - COMMON == {
        f"The page's batch size of 512 is not the recipe's: pycls trained this model with {BATCH_SIZES['regnety_160']}."
    }


def test_the_remarks_on_regnety_032_have_the_catalogues_figures() -> None:
    entry, weights = page_entry("regnety_032"), own_weights("regnety_032")
    assert entry is not None
    assert entry.weights.endswith("/regnety_032_ra-7f2439f9.pth")
    recipe, crop, accuracy = (remark for remark in entry.remarks if remark not in COMMON)
    assert "timm's `ra`: its file is regnety_032_ra" in recipe
    assert weights.tag == "ra_in1k"
    assert crop.endswith(f"these weights want crop_pct {weights.preprocessing.crop_pct:g}.")
    for row in weights.imagenet:
        assert f"{row.top1} at {row.image_size}" in accuracy
        assert f"{row.crop_pct:g}" in accuracy
        assert row.top1 != entry.top1
    (plain,) = model_info("regnety_032.pycls_in1k").weights["pycls_in1k"].imagenet
    assert accuracy.endswith(f"regnety_032.pycls_in1k, have {plain.top1}.")
    assert f"The page's {entry.top1} is neither" in accuracy


@pytest.mark.parametrize("name", ["regnety_1280", "regnetx_002", "regnety_032.ra_in1k", "regnety_cifar10", ""])
def test_other_models_are_not_on_the_page(name: str) -> None:
    assert page_entry(name) is None
