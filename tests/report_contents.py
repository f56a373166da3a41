"""Contents of reports, made on the spot."""

from typing import Any

import numpy as np

from pictures import encoded, photograph
from regnety.reports.content import (
    AugmentedPhotograph,
    Curve,
    Finding,
    Floats,
    Picture,
    ReportContent,
    ScoredPhotographs,
    SuspectLabel,
)

JPEG = encoded(photograph(12, 8), "JPEG")


def probabilities(targets: "np.ndarray[Any, Any]", classes: int, *, seed: int = 0, sure: float = 2.0) -> Floats:
    """[N, C], right more often than not."""
    logits = np.random.default_rng(seed).normal(size=(len(targets), classes)) + sure * np.eye(classes)[targets]
    rows = np.exp(logits)
    return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


def scored(count: int = 60, classes: int = 3, *, seed: int = 0, sure: float = 2.0) -> ScoredPhotographs:
    """Photographs whose classes take turns."""
    targets = np.arange(count) % classes
    rows = probabilities(targets, classes, seed=seed, sure=sure)
    return ScoredPhotographs(
        split="test",
        names=tuple(f"class{target}/{number}.jpg" for number, target in enumerate(targets)),
        targets=targets,
        predictions=rows.argmax(1),
        probabilities=rows,
    )


def content(answers: ScoredPhotographs | None = None, *, classes: int = 3, **changes: Any) -> ReportContent:
    """A report with the least that there can be."""
    names = tuple(f"class{number}" for number in range(classes))
    return ReportContent(
        **{"model": "runs/it", "classes": names, "scored": answers or scored(classes=classes), **changes}
    )


def everything() -> ReportContent:
    """A report with all that there can be."""
    answers = scored()
    assert answers.probabilities is not None
    return content(
        ScoredPhotographs(
            split="test",
            names=answers.names,
            targets=answers.targets,
            predictions=answers.predictions,
            probabilities=answers.probabilities,
            uncalibrated=answers.probabilities**2 / (answers.probabilities**2).sum(1, keepdims=True),
        ),
        method="a linear classifier on embeddings",
        counts={"train": 30, "test": 60},
        training_counts=(10, 11, 9),
        published_top1=81.25,
        published_source="its authors",
        temperature=1.3,
        suspects=(SuspectLabel(name="odd.jpg", label=0, suggestion=2, self_confidence=0.015625, prob=0.875),),
        curves=(
            Curve(
                title="Loss",
                x_label="epoch",
                x=(1.0, 2.0),
                series={"train": (2.5, 1.25), "val": (None, 1.5)},
                chosen=2.0,
            ),
        ),
        augmented=(AugmentedPhotograph(name="shown.jpg", variants=(JPEG, JPEG)),),
        findings=(Finding(title="exact duplicates", text="Two are alike.", count=5, examples=("a.jpg", "b.jpg")),),
        seconds={"embeddings": 3.0, "fitting": 1.0},
        command="regnety finetune photos/ -o runs/it",
        seed=7,
        facts={"processor": "a fast one"},
        notices=("Some photographs are held out.",),
        errors=("broken.jpg: is empty",),
        pictures={
            "odd.jpg": Picture(photograph=JPEG, class_map=JPEG),
            **{name: Picture(photograph=JPEG) for name in answers.names},
        },
    )
