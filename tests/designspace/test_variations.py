"""Fields that differ from trial to trial."""

import numpy as np
import pytest

from regnety.architecture.notation import parse_design
from regnety.designspace.plan import make_trials
from regnety.designspace.variations import Variation, read_variations
from regnety.errors import RecipeError
from regnety.training.recipes.recipe import Recipe

RECIPE = Recipe(name="short", image_size=16, seed=5)
DESIGNS = [parse_design(f"depth=2,w0={width},wa=16,wm=2,group_width=8") for width in (8, 16)]


def test_laws() -> None:
    lr, batch, smoothing = read_variations(
        ["optimizer.lr=log:0.01:1", "batch_size=log:16:256", "label_smoothing=choice:0:0.1"], RECIPE
    )
    assert lr == Variation("optimizer.lr", "log", (0.01, 1.0), False)
    assert batch.whole
    assert smoothing.values == (0.0, 0.1)
    generator = np.random.default_rng(0)
    drawn = np.array([lr.draw(generator) for _ in range(4000)], dtype=float)
    assert drawn.min() >= 0.01
    assert drawn.max() <= 1
    # uniform in the logarithm: half of the draws are below the geometric mean
    assert np.mean(drawn < 0.1) == pytest.approx(0.5, abs=0.03)
    assert all(isinstance(batch.draw(generator), int) for _ in range(10))
    assert {smoothing.draw(generator) for _ in range(50)} == {0.0, 0.1}


def test_trials_by_design_draw_and_seed() -> None:
    variations = read_variations(["optimizer.lr=log:0.01:1"], RECIPE)
    trials = make_trials(DESIGNS, RECIPE, variations, draws=2, repeat=3)
    assert [trial.number for trial in trials] == list(range(12))
    assert [trial.recipe.seed for trial in trials] == [5, 6, 7] * 4
    rates = [trial.recipe.optimizer.lr for trial in trials]
    assert len(set(rates)) == 4
    assert rates == [trial.varied["optimizer.lr"] for trial in trials]
    assert all(trial.recipe.design == trial.design == DESIGNS[trial.design_number] for trial in trials)
    # a design's draws do not depend on how many there are, or on the designs before it
    assert [trial.varied for trial in make_trials(DESIGNS, RECIPE, variations, draws=1, repeat=1)] == [
        trials[0].varied,
        trials[6].varied,
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lr", "--vary takes FIELD=log:LOW:HIGH"),
        ("optimizer.lr=normal:0:1", "--vary takes FIELD=log:LOW:HIGH"),
        ("optimizer.lr=log:1", "log takes two numbers"),
        ("optimizer.lr=log:1:0.1", "log takes 0 < LOW < HIGH, got 1.0:0.1"),
        ("optimizer.lr=uniform:-1:1", "optimizer.lr must be above 0"),
        ("lr=log:0.1:1", "did you mean optimizer.lr"),
        ("seed=choice:1:2", "seeds from --repeat"),
        ("val_fraction=choice:0.1:0.2", "changes no trial"),
        ("patience=choice:1:2", "changes no trial"),
        ("precision=uniform:f32:bf16", "uniform takes two numbers"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_variations([text], RECIPE)
