"""`Predictor`: images in, class probabilities out."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.bundle.label_files import find_labels
from regnety.catalog.models import EMBEDDED_MODEL
from regnety.errors import ImageError, WeightsError
from regnety.images.formats import MAX_PIXELS
from regnety.images.sources import ImageSource, NamedImage
from regnety.inference.engines.engine import Engine, available_cores
from regnety.inference.engines.selection import start_engine
from regnety.inference.pipeline import Output, Pipeline


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """A class and how sure the model is of it."""

    index: int
    """The model's output."""
    label: str | None
    """Its name; None where the model brings no names."""
    prob: float
    """Softmax over all classes, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one image, or why there is none."""

    filename: str | None
    """As it was given; None for an image that was not a file."""
    error: str | None
    """One line that names the file; None where there is an answer."""
    predictions: tuple[ClassProbability, ...]
    """The most probable classes, best first; empty where there is an error."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `--format json`."""
        return {
            "filename": self.filename,
            "error": self.error,
            "predictions": [asdict(entry) for entry in self.predictions],
        }


class Predictor:
    """A model with its engine, ready for images. May be used from several threads.

    Args:
        model: whatever a model may be (`Bundle.load`); the one that comes with the package where nothing is named.
        engine: `onnxruntime`, `openvino`, `torch`, or `auto`: ONNX Runtime, or with `precision="bf16"` one that has it.
        precision: `f32`, `bf16`, or `auto`: bf16 where the processor and an engine that was named have it.
        exact: pixels as timm's to the last bit; else the fast way, a grey level or two from them here and there.
        exif_orientation: turn photographs upright as their EXIF orientation says.
        max_pixels: width times height above which a picture is refused before it is decoded.
        image_size: height and width that the model is shown, in pixels; None is its own.
        crop_pct: share of the shorter side that the crop keeps; None is the model's own.
        use_test_size: the size that the model is best at, where it differs from the one it was trained at.
        labels: class names in place of the model's own: one for each class, a file of them (`read_labels`), or the
            name of a set (`imagenet-1k`).

    Raises:
        UnknownModelError: the name is not known, or its weights cannot be had.
        WeightsError: the weights are damaged, the model takes other than 3 channels or has no classifier, a size is
            not allowed, or there are more or fewer labels than classes.
        DataError: the file of labels cannot be read.
        EngineError: there is no such engine here, or it has not the precision.
        ValueError: both `image_size` and `use_test_size` are given, or `max_pixels` is below 1.
    """

    def __init__(
        self,
        model: str | Path | Bundle = EMBEDDED_MODEL,
        *,
        engine: str = "auto",
        precision: str = "auto",
        exact: bool = False,
        exif_orientation: bool = True,
        max_pixels: int = MAX_PIXELS,
        image_size: int | None = None,
        crop_pct: float | None = None,
        use_test_size: bool = False,
        labels: str | Path | Sequence[str] | None = None,
    ) -> None:
        if not isinstance(max_pixels, int | np.integer) or max_pixels < 1:
            raise ValueError(f"max_pixels must be a whole number of at least 1, got {max_pixels!r}")
        bundle = Bundle.load(model)
        if bundle.metadata.in_chans != 3:
            raise WeightsError(f"{bundle.name}: takes {bundle.metadata.in_chans} input channels, photographs have 3")
        if not bundle.metadata.num_classes:
            raise WeightsError(f"{bundle.name}: has no classifier; create_model gives its features")
        if labels is not None:
            bundle = bundle.with_labels(find_labels(labels))
        shown = bundle.preprocessing.shown(image_size=image_size, crop_pct=crop_pct, use_test_size=use_test_size)
        self.bundle = bundle.with_preprocessing(shown)
        self.engine: Engine | None = None
        """What runs the model, from the first image on."""
        self._engine_name = engine
        self._precision = precision
        self._exact = exact
        self._exif_orientation = exif_orientation
        self._max_pixels = max_pixels
        self._pipelines: dict[int, Pipeline] = {}
        self._starting = threading.Lock()

    def predict(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        on_error: Literal["raise", "record"] = "raise",
    ) -> list[Prediction]:
        """Classify images, in their order.

        Args:
            images: paths, addresses, bytes of files, PIL images, or uint8 arrays [height, width, 3] in RGB; or a
                single one.
            top_k: number of classes in each answer, at most all.
            on_error: `raise` stops at the first image that cannot be read; `record` puts the error in its place.

        Raises:
            ImageError: an image cannot be read, with `on_error="raise"`.
            ValueError: top_k is below 1, or on_error is neither.
        """
        return list(self.stream(images, top_k, on_error=on_error))

    def stream(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        on_error: Literal["raise", "record"] = "raise",
    ) -> Iterator[Prediction]:
        """Classify images as they come, in their order: each is asked for when a worker has time for it.

        Memory is flat, however many there are. An answer is given as soon as it is there and all before it are.

        Args:
            images: as for `predict`, of any length.
            top_k: as for `predict`.
            on_error: as for `predict`.

        Raises:
            ImageError: as `predict`.
            ValueError: as `predict`.
        """
        if not isinstance(top_k, int | np.integer) or top_k < 1:
            raise ValueError(f"top_k must be a whole number of at least 1, got {top_k!r}")
        if on_error not in ("raise", "record"):
            raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")
        return self._predictions([images] if _is_single(images) else images, top_k, on_error)  # type: ignore[list-item, arg-type]

    def outputs(self, sources: Iterable[ImageSource]) -> Iterator[Output]:
        """The logits of each image, in order, as they are ready."""
        remaining = iter(sources)
        first = list(islice(remaining, 2))
        if first:
            yield from self._pipeline(len(first)).stream(chain(first, remaining))

    def _predictions(self, images: Iterable[ImageSource], top_k: int, on_error: str) -> Iterator[Prediction]:
        for number, output in enumerate(self.outputs(images)):
            if output.error is not None and output.filename is None:  # its place says which one it was
                message = f"images[{number}]{str(output.error).removeprefix('image')}"
                output = replace(output, error=ImageError(message))
            if output.error is not None and on_error == "raise":
                raise output.error
            yield self._prediction(output, top_k)

    def _pipeline(self, count: int) -> Pipeline:
        """One image takes all cores; more take one core each, which gives more images a second."""
        cores = available_cores()
        workers = 1 if count == 1 else cores
        with self._starting:
            if workers not in self._pipelines:
                self._pipelines[workers] = Pipeline(
                    start_engine(
                        self.bundle,
                        engine=self._engine_name,
                        precision=self._precision,
                        threads=cores if count == 1 else 1,
                        workers=workers,
                    ),
                    self.bundle.preprocessing,
                    workers=workers,
                    exact=self._exact,
                    exif_orientation=self._exif_orientation,
                    max_pixels=self._max_pixels,
                )
            self.engine = self._pipelines[workers].engine
            return self._pipelines[workers]

    def _prediction(self, output: Output, top_k: int) -> Prediction:
        if output.outputs is None:
            return Prediction(output.filename, str(output.error), ())
        logits = output.outputs["logits"]
        if not np.isfinite(logits).all():
            raise WeightsError(f"{self.bundle.name}: its answers are not finite numbers; its weights are damaged")
        probabilities = softmax(logits)
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        labels = self.bundle.labels
        return Prediction(
            output.filename,
            None,
            tuple(
                ClassProbability(int(index), labels[index] if labels else None, float(probabilities[index]))
                for index in best
            ),
        )


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logits [num_classes] -> probabilities that sum to 1."""
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum()
    return probabilities


def _is_single(images: object) -> bool:
    """Also what is no image at all, which then has its error."""
    if isinstance(images, np.ndarray):
        return images.ndim != 4
    return (
        not isinstance(images, Iterable)
        or isinstance(images, str | Path | bytes | bytearray | memoryview | NamedImage)
        or hasattr(images, "convert")
        or hasattr(images, "read")
    )
