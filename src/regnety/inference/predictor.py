"""`Predictor`: images in, class probabilities out."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.catalog.models import DEFAULT_MODEL
from regnety.errors import ImageError, WeightsError
from regnety.images.sources import ImageSource, is_single_image
from regnety.inference.engines.registry import Engine
from regnety.inference.options import KeywordSignature, RunFields, RunOptions
from regnety.inference.pipeline import Output
from regnety.inference.runner import Runner
from regnety.inference.tuning import Plan


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """A class and how sure the model is of it."""

    index: int
    """The model's output."""
    label: str | None
    """Its name; None if the model has no class names."""
    prob: float
    """Softmax over all classes, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one image, or why there is none."""

    filename: str | None
    """As it was given; None for an image that was not a file."""
    error: str | None
    """One line that names the file; None if there is an answer."""
    predictions: tuple[ClassProbability, ...]
    """The most probable classes, best first; empty if there is an error."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `--format json`."""
        return {
            "filename": self.filename,
            "error": self.error,
            "predictions": [
                {"index": entry.index, "label": entry.label, "prob": entry.prob} for entry in self.predictions
            ],
        }


class Predictor:
    """A model with its engine, ready for images. May be used from several threads.

    Args:
        model: whatever a model may be (`Bundle.load`); by default `regnety_tiny`, which comes with the package.
        options: how the model is run and what it is shown.
        labels: class names in place of the model's own: one for each class, a file of them (`read_labels`), or the
            name of a set (`imagenet-1k`).
        changes: fields of `RunOptions` as keywords, which change `options`: `engine`, `precision`, `workers`, `pixels`,
            `exif_orientation`, `max_pixels`, `image_size`, `crop_pct`, `use_test_size`, `mean`, `std`, `interpolation`.

    Raises:
        UnknownModelError: the name is not known, or its weights are unavailable.
        WeightsError: the weights are damaged, the model takes other than 3 channels or has no classifier, a size is
            not allowed, or there are more or fewer labels than classes.
        DataError: the file of labels cannot be read.
        EngineError: the engine is not here, or does not have the precision.
        ValueError: a value of the options is not allowed.
    """

    __signature__ = KeywordSignature()

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        *,
        options: RunOptions | None = None,
        labels: str | Path | Sequence[str] | None = None,
        **changes: Unpack[RunFields],
    ) -> None:
        options = replace(options or RunOptions(), **changes)  # a misspelt keyword fails here, before any file is read
        bundle = Bundle.load(model)
        if not bundle.metadata.num_classes:
            raise WeightsError(f"{bundle.name}: has no classifier; create_model gives its features")
        if labels is not None:
            from regnety.bundle.label_files import with_found_labels

            bundle = with_found_labels(bundle, labels)
        # Pickle hands on this bundle with the same options: to apply them twice changes nothing more.
        self.bundle = bundle.with_preprocessing(options.preprocessing(bundle.preprocessing))
        self._runner = Runner(self.bundle, options)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, and what pickle makes, is the same model asked for again: an engine belongs to its process."""
        return partial(type(self), options=self.options), (self.bundle,)

    @property
    def options(self) -> RunOptions:
        """How the model is run and what it is shown."""
        return self._runner.options

    @property
    def engine(self) -> Engine | None:
        """What runs the model, from the first answer on."""
        return self._runner.engine

    @property
    def plan(self) -> Plan | None:
        """Threads and batch size in use, from the first answer on."""
        return self._runner.plan

    def predict(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        min_probability: float = 0.0,
        on_error: Literal["raise", "record"] = "raise",
    ) -> list[Prediction]:
        """Classify images, in their order.

        Args:
            images: paths, addresses, bytes of files, PIL images, or uint8 arrays [height, width, 3] in RGB; or a
                single one.
            top_k: number of classes in each answer.
            min_probability: classes below it are left out of the answer, which may then be empty.
            on_error: `raise` stops at the first image that cannot be read; `record` puts the error in its place.

        Raises:
            ImageError: an image cannot be read, with `on_error="raise"`.
            ValueError: top_k is below 1, min_probability is not from 0 to 1, or on_error is neither.
        """
        return list(self.stream(images, top_k, min_probability=min_probability, on_error=on_error))

    def stream(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        min_probability: float = 0.0,
        on_error: Literal["raise", "record"] = "raise",
        count: float | None = None,
    ) -> Iterator[Prediction]:
        """Classify images as they come, in their order: each is taken from `images` when a worker has time for it.

        Memory use does not grow with their number. An answer is yielded as soon as it and all before it are ready.

        Args:
            images: as for `predict`, of any length.
            top_k: as for `predict`.
            min_probability: as for `predict`.
            on_error: as for `predict`.
            count: how many there will be, if that is known and `images` has no length; infinity for surely many. From
                64 on the fastest engine is looked for.

        Raises:
            ImageError: as `predict`.
            ValueError: as `predict`.
        """
        check_question(top_k, min_probability, on_error)  # now, as the generator below begins at its first `next`
        sources: Iterable[ImageSource] = [images] if is_single_image(images) else images  # type: ignore[list-item, assignment]
        count = len(sources) if isinstance(sources, Sized) else count
        return self._predictions(sources, top_k, min_probability, on_error, count)

    def outputs(self, sources: Iterable[ImageSource], *, count: float | None = None) -> Iterator[Output]:
        """The logits of each image, in order, as they are ready; `count` is as for `stream`."""
        return self._runner.stream(sources, count=count)

    def keep_to(self, engine: str, precision: str) -> None:
        """Answer with this engine in this precision only, from now on, as the first part of a job was answered.

        Raises:
            EngineError: they are unavailable here, or others were asked for when this was made.
        """
        self._runner.keep_to(engine, precision)

    def plan_for(self, sources: Iterable[ImageSource], count: float) -> Plan:
        """How `count` images would be answered, of which these are the first."""
        return self._runner.plan_for(sources, count)

    def _predictions(
        self, images: Iterable[ImageSource], top_k: int, min_probability: float, on_error: str, count: float | None
    ) -> Iterator[Prediction]:
        for number, output in enumerate(self.outputs(images, count=count)):
            if output.error is not None and output.filename is None:  # its place says which one it was
                message = f"images[{number}]{str(output.error).removeprefix('image')}"
                output = replace(output, error=ImageError(message))
            if output.error is not None and on_error == "raise":
                raise output.error
            yield self._prediction(output, top_k, min_probability)

    def _prediction(self, output: Output, top_k: int, min_probability: float) -> Prediction:
        if output.outputs is None:
            return Prediction(output.filename, str(output.error), ())
        logits = output.outputs["logits"]
        probabilities = softmax(logits)
        best = largest(probabilities, top_k)
        labels = self.bundle.labels
        return Prediction(
            output.filename,
            None,
            tuple(
                ClassProbability(int(index), labels[index] if labels else None, float(probabilities[index]))
                for index in best
                if probabilities[index] >= min_probability
            ),
        )


def check_question(top_k: int, min_probability: float, on_error: str) -> None:
    """Refuse a value that no answer can have, before the first image is read.

    Raises:
        ValueError: as for `Predictor.predict`.
    """
    if not isinstance(top_k, int | np.integer) or top_k < 1:
        raise ValueError(f"top_k must be a whole number of at least 1, got {top_k!r}")
    if not 0 <= min_probability <= 1:  # NaN is refused too
        raise ValueError(f"min_probability must be from 0 to 1, got {min_probability!r}")
    if on_error not in ("raise", "record"):
        raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")


def largest(values: npt.NDArray[Any], count: int) -> npt.NDArray[np.intp]:
    """Indices of the largest values, the largest first; of equal ones the first."""
    # Partitioned, as mostly 5 of 1,000 are asked for. All that equal the least stay until the stable sort orders them.
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        places = np.flatnonzero(values >= least)
    else:
        places = np.arange(len(values))
    return places[np.argsort(-values[places], kind="stable")][:count]


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logits [num_classes] -> probabilities that sum to 1."""
    # Without the largest logit, whose exponential would overflow; in float64, so that they sum to 1 in all digits.
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum()
    return probabilities
