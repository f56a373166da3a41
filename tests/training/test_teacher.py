"""Distillation: the loss is what the formula says, and a network learns from its teacher's answers alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pictures import write_colours
from regnety import Bundle, DataError, Predictor, RecipeError
from regnety.network.creation import create_model
from regnety.preprocessing import Preprocessing
from regnety.training.devices import PROCESSOR
from regnety.training.distribution.batch_parts import part_of_batch
from regnety.training.recipes.recipe import Recipe
from regnety.training.teacher import Teacher, checked_teacher
from runs import metrics_of, run, weights_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("data"), count=8)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose bundle tells the colours apart."""
    output = tmp_path_factory.mktemp("teacher") / "run"
    run(data, output, "epochs=6", "ema_decay=0")
    return output


def test_the_loss_is_the_formulas(trained: Path) -> None:
    bundle = Bundle.load(trained)
    classes = tuple(reversed(bundle.labels or ()))
    seen = Preprocessing(image_size=32, mean=(0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7))
    recipe = Recipe(name="x", teacher=str(trained), teacher_weight=0.3, temperature=2.0)
    teacher = Teacher(bundle, classes, seen, recipe, PROCESSOR, "f32")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(5, 3, 32, 32, generator=generator)
    logits = torch.randn(5, len(classes), generator=generator, requires_grad=True)

    def normalized(preprocessing: Preprocessing) -> torch.Tensor:
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
        return (pixels - mean) / std

    network = create_model(bundle).eval()
    with torch.no_grad():
        wanted = network(normalized(bundle.preprocessing)).flip(1)  # the classes are the other way round
    found = teacher.logits(normalized(seen))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    p, q = (each.double().div(2).softmax(1).detach().numpy() for each in (wanted, logits))
    divergence = float((p * np.log(p / q)).sum(1).mean())
    loss = teacher.added_to(torch.tensor(7.0), logits, normalized(seen), 5)
    assert loss.item() == pytest.approx(0.7 * 7 + 0.3 * 4 * divergence, rel=1e-4)
    # What two workers add to the loss of the whole batch.
    parts = [part_of_batch(5, rank=rank, workers=2) for rank in range(2)]
    added = [
        teacher.added_to(
            torch.tensor(7.0) * len(part.places) / 5,
            logits[part.places.tolist()],
            normalized(seen)[part.places.tolist()],
            5,
        )
        for part in parts
    ]
    assert sum(each.item() for each in added) == pytest.approx(loss.item(), rel=1e-5)


def test_unlabelled_photographs_get_the_teachers_labels_once(trained: Path, data: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    write_colours(more, count=3)
    for path in sorted(more.rglob("*.png")) + sorted(more.rglob("*.jpg")):
        path.rename(more / f"{path.parent.name}-{path.name}")
    (more / "broken.jpg").write_bytes(b"nothing")
    settings = (f"teacher={trained}", "teacher_weight=0.8", "temperature=2")
    run(data, tmp_path / "run", "epochs=2", *settings, unlabelled=more)
    record = json.loads((tmp_path / "run" / "unlabelled.json").read_text("utf-8"))
    assert len(record["labels"]) == 9
    answers = Predictor(trained).predict([more / name for name in record["labels"]], 1)
    assert [answer.predictions[0].label for answer in answers] == list(record["labels"].values())
    assert len(record["unreadable"]) == 1
    facts = Bundle.load(tmp_path / "run").provenance
    assert (facts["teacher"], facts["labelled_by_teacher"]) == ("run", "9 more pictures")
    with pytest.raises(DataError, match=r"began with unlabelled photographs; give their folder \(--unlabelled\)"):
        run(data, tmp_path / "run", "epochs=3", *settings, resume=True)
    run(data, tmp_path / "run", "epochs=3", *settings, unlabelled=more, resume=True)
    assert len(metrics_of(tmp_path / "run")) == 3
    run(data, tmp_path / "without", "epochs=3", *settings)
    assert weights_of(tmp_path / "without") != weights_of(tmp_path / "run")
    with pytest.raises(DataError, match="began without unlabelled photographs"):
        run(data, tmp_path / "without", "epochs=4", *settings, unlabelled=more, resume=True)


def test_what_is_refused(trained: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^teacher \S+: its classes must be those of the data; they differ in "):
        checked_teacher(Recipe(name="x", teacher=str(trained)), ("blue", "green"))
    with pytest.raises(RecipeError, match=r"need a teacher"):
        run(data, tmp_path / "run", unlabelled=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: has no photograph that can be read"):
        run(data, tmp_path / "run", f"teacher={trained}", unlabelled=tmp_path / "empty")
    with pytest.raises(RecipeError, match="teacher_weight must be from 0 to 1"):
        Recipe(name="x", teacher_weight=1.5)
