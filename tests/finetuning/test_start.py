"""The classifier that a training of all layers begins with, and the features that it is fitted on."""

from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from pictures import COLOURS, write_colours
from regnety.datasets.data_sets import read_data_set
from regnety.finetuning.layer_recipe import layer_recipe
from regnety.finetuning.start import fit_start, start_s
from regnety.training.batches import EvaluationBatches, training_batches
from regnety.training.recipes.recipe import Recipe
from regnety.training.session import Session
from regnety.training.starting_point import start_from


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    for seed, (split, count) in enumerate((("train", 80), ("val", 20))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


def session_of(data: Path, **changes: object) -> Session:
    splits = read_data_set(data).training()
    recipe = layer_recipe(splits, image_size=32, crop_pct=1.0, epochs=2, balanced=False, patience=0, seed=3)
    recipe = Recipe(**{name: getattr(recipe, name) for name in Recipe.__slots__} | changes)  # type: ignore[arg-type]
    start = start_from(small_bundle(tuple(COLOURS)), recipe, why_this_size="as asked for")
    network, _ = start.network(splits.classes)
    return Session(
        network,
        recipe,
        batches=training_batches(
            splits.train,
            splits.classes,
            start.preprocessing,
            recipe.augmentation,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            quiet=True,
        ),
        validation=EvaluationBatches(splits.val, splits.classes, start.preprocessing, batch_size=32),
        preprocessing=start.preprocessing,
        quiet=True,
    )


def test_training_begins_with_a_classifier_that_fits(data: Path) -> None:
    unfitted, fitted, again = (session_of(data) for _ in range(3))
    for session in (fitted, again):
        fit_start(session, num_photographs=240)
    assert unfitted.rank_start() < 60
    assert fitted.rank_start() > 90  # of photographs that it has not seen, with the statistics that batch norm has now
    assert all(np.array_equal(value, again.best[key]) for key, value in fitted.best.items())
    first, without = (session.advance()["train_loss"] for session in (fitted, unfitted))
    assert first < 0.7 * without


def test_statistics_are_those_of_the_batches_or_kept(data: Path) -> None:
    before = session_of(data).best
    for batch_norm, adapted in (("batch", True), ("kept", False)):
        session = session_of(data, batch_norm=batch_norm)
        momenta = {module.momentum for module in session.model.modules() if hasattr(module, "momentum")}
        fit_start(session, num_photographs=240)
        changed = {key for key, value in session.best.items() if not np.array_equal(value, before[key])}
        assert any("running_mean" in key for key in changed) is adapted
        assert {key for key in changed if "running" not in key and "num_batches" not in key} == {
            "head.fc.weight",
            "head.fc.bias",
        }
        assert {module.momentum for module in session.model.modules() if hasattr(module, "momentum")} == momenta


def test_what_it_takes_goes_with_the_photographs_up_to_a_limit(data: Path) -> None:
    session = session_of(data)
    few, more, most, limit = (
        start_s(session, num_photographs=count, step_s=0.1) for count in (160, 320, 100_000, 1_000_000)
    )
    assert few < more < most == limit
