"""`Predictor`: images in, class probabilities out."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.catalog.models import EMBEDDED_MODEL
from regnety.errors import WeightsError
from regnety.images.decoding import MAX_PIXELS, ImageSource
from regnety.inference.engines.engine import available_cores
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
        model: a name, a bundle or its folder; the model that comes with the package where nothing is named.
        exif_orientation: turn photographs upright as their EXIF orientation says.
        max_pixels: width times height above which a picture is refused before it is decoded.

    Raises:
        UnknownModelError: the name is not known, or its weights are not on this disk.
        WeightsError: the bundle is damaged, or its model takes other than 3 channels.
    """

    def __init__(
        self,
        model: str | Path | Bundle = EMBEDDED_MODEL,
        *,
        exif_orientation: bool = True,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.bundle = Bundle.load(model)
        if self.bundle.metadata.in_chans != 3:
            raise WeightsError(
                f"{self.bundle.name}: takes {self.bundle.metadata.in_chans} input channels, photographs have 3"
            )
        self._exif_orientation = exif_orientation
        self._max_pixels = max_pixels
        self._pipelines: dict[int, Pipeline] = {}

    def predict(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        on_error: Literal["raise", "record"] = "raise",
    ) -> list[Prediction]:
        """Classify images, in their order.

        Args:
            images: paths, bytes of files, PIL images, or uint8 arrays [height, width, 3] in RGB; or a single one.
            top_k: number of classes in each answer, at most all.
            on_error: `raise` stops at the first image that cannot be read; `record` puts the error in its place.

        Raises:
            ImageError: an image cannot be read, with `on_error="raise"`.
            ValueError: top_k is below 1, or on_error is neither.
        """
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        if on_error not in ("raise", "record"):
            raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")
        sources: list[Any] = [images] if _is_single(images) else list(images)  # type: ignore[arg-type]
        predictions = []
        for output in self.outputs(sources):
            if output.error is not None and on_error == "raise":
                raise output.error
            predictions.append(self._prediction(output, top_k))
        return predictions

    def outputs(self, sources: list[ImageSource]) -> Iterator[Output]:
        """The logits of each image, in order, as they are ready."""
        if sources:
            yield from self._pipeline(len(sources)).stream(sources)

    def _pipeline(self, count: int) -> Pipeline:
        """One image takes all cores; more take one core each, which gives more images a second."""
        cores = available_cores()
        workers = 1 if count == 1 else min(cores, count)
        if workers not in self._pipelines:
            self._pipelines[workers] = Pipeline(
                start_engine(self.bundle, threads=cores if workers == 1 else 1, workers=workers),
                self.bundle.preprocessing,
                workers=workers,
                exif_orientation=self._exif_orientation,
                max_pixels=self._max_pixels,
            )
        return self._pipelines[workers]

    def _prediction(self, output: Output, top_k: int) -> Prediction:
        if output.outputs is None:
            return Prediction(output.filename, str(output.error), ())
        probabilities = softmax(output.outputs["logits"])
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
    if isinstance(images, np.ndarray):
        return images.ndim == 3
    return isinstance(images, str | Path | bytes) or hasattr(images, "convert")
