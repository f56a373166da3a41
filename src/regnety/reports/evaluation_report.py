"""What the report of an evaluation says, of any model and any engine."""

import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Unpack

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.datasets.samples import Sample
from regnety.datasets.split_names import UNSPLIT
from regnety.errors import DataError
from regnety.inference.engines.processor import processor
from regnety.inference.engines.selection import describe_engine, installed_engines
from regnety.inference.evaluation_result import EvaluationResult
from regnety.inference.options import RunFields
from regnety.reports.class_maps import class_maps_of
from regnety.reports.content import ReportContent, ScoredPhotographs
from regnety.reports.pictures import with_pictures
from regnety.reports.probabilities import at_temperature

CALLED = {"train": "training", "val": "validation", "test": "test"}
"""What the photographs of a split are called in sentences."""


def evaluation_content(
    result: EvaluationResult,
    bundle: Bundle,
    samples: Sequence[Sample],
    *,
    split: str = UNSPLIT,
    seconds: float | None = None,
    command: str | None = None,
    **how: Unpack[RunFields],
) -> ReportContent:
    """The report of an evaluation, with the photographs that it shows and their class maps.

    Args:
        result: with the probabilities of all classes.
        bundle: the model that was evaluated.
        samples: the photographs that it was evaluated on.
        split: the name of their split.
        seconds: what the evaluation took.
        command: as it was typed.
        how: how the model was run: fields of `RunOptions`.

    Raises:
        DataError: the result has no probabilities, or two photographs have one name.
    """
    if result.probabilities is None:
        raise DataError(f"{result.model}: a report needs probabilities; evaluate with probabilities=True")
    if len(set(result.filenames)) < result.count:
        raise DataError(f"{result.model}: a report needs a name of its own for each photograph, and two share one")
    shown, published = result.preprocessing, result.published
    engine = describe_engine(result.engine, result.precision, installed_engines()[result.engine])
    temperature = _temperature_of(bundle)
    content = ReportContent(
        model=result.model,
        classes=result.classes,
        scored=ScoredPhotographs(
            split="" if split == UNSPLIT else CALLED.get(split, split),
            names=result.filenames,
            targets=result.targets,
            predictions=result.predictions,
            probabilities=result.probabilities,
            uncalibrated=None if temperature is None else at_temperature(result.probabilities, 1 / temperature),
            loss=result.loss,
            top5=result.top5,
        ),
        seen=bool(result.trained_on),
        published_top1=None if published is None else published.top1,
        published_source=None if published is None else f"on ImageNet's 50,000 ({published.weights})",
        temperature=temperature,
        seconds={} if seconds is None else {"evaluation": seconds},
        command=command,
        facts={
            "input": f"{shown.image_size}x{shown.image_size} pixels, crop {shown.crop_pct:g}",
            "engine": engine,
            **({"processor": name} if (name := processor().name) else {}),
            "versions": f"regnety {version.__version__}, Python {platform.python_version()}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        },
        notices=() if result.notice is None else (f"{result.notice}.",),
        errors=result.errors,
    )
    images: dict[str, Any] = {sample.name: sample.image for sample in samples}
    return with_pictures(content, images, class_maps=class_maps_of(bundle, **how))


def _temperature_of(bundle: Bundle) -> float | None:
    """By which the classifier of `regnety finetune` was divided; None for other models."""
    found = bundle.provenance.get("temperature")
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 < found < math.inf:
        return None
    return float(found)
