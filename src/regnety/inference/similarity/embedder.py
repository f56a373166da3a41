"""`Embedder`: images in, pooled features out, with what they came from."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.catalog.addresses import HUB, split_address
from regnety.catalog.models import DEFAULT_MODEL, is_name
from regnety.errors import DataError, ImageError, RegNetYError, UnknownModelError
from regnety.images.formats import PixelWay
from regnety.images.sources import ImageSource, is_single_image
from regnety.inference.engines.registry import Engine
from regnety.inference.options import KeywordSignature, RunFields, RunOptions
from regnety.inference.runner import Runner
from regnety.inference.tuning import Plan
from regnety.plain_values import from_plain
from regnety.preprocessing import Preprocessing, preprocessing_from_dict

OUTPUT = "pre_logits"


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding of one image, or why there is none."""

    filename: str | None
    """As it was given; None if the image was not a file."""
    values: npt.NDArray[np.float32] | None
    """Pooled features [num_features], not normalised; None if there is an error."""
    error: str | None
    """One line that names the file; None if there is an embedding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingOrigin:
    """Where embeddings come from: the model, and what it was shown. Those with the same `settings` can be compared."""

    model: str
    """A name, or the absolute path of a model's folder or file."""
    weights: str
    """The fingerprint of the model's design and weights (`Bundle.fingerprint`), the same wherever its files are."""
    num_features: int
    """Values of an embedding."""
    preprocessing: Preprocessing
    """Size, crop and the rest of what the model was shown."""
    exif_orientation: bool
    """Whether photographs were turned upright."""
    pixels: PixelWay
    """The way to pixels."""

    @property
    def settings(self) -> dict[str, Any]:
        """All but the model's name, as plain JSON values: a model that is moved keeps its settings."""
        return {
            "weights": self.weights,
            "num_features": self.num_features,
            "preprocessing": self.preprocessing.as_dict(),
            "exif_orientation": self.exif_orientation,
            "pixels": self.pixels,
        }


def origin_from_dict(values: Mapping[str, Any]) -> EmbeddingOrigin:
    """The origin with these `settings` and this model.

    Raises:
        RegNetYError: a field is missing, or its value is not allowed.
    """
    known = {field.name: values[field.name] for field in fields(EmbeddingOrigin) if field.name in values}
    origin = from_plain(
        EmbeddingOrigin,
        known,
        name="its metadata",
        error=RegNetYError,
        decoders={Preprocessing: preprocessing_from_dict},
    )
    if origin.num_features < 1:
        raise RegNetYError(f"num_features must be at least 1, got {origin.num_features}")
    return origin


class Embedder:
    """A model that gives embeddings: its pooled features, before the classifier. May be used from several threads.

    Args:
        model: anything that `Bundle.load` takes, also a model without a classifier; by default the one that comes with
            the package.
        options: how the model is run and what it is shown, as for `Predictor`; by default in f32, as embeddings
            are kept and compared with those of other machines.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Raises:
        UnknownModelError: the name is not known, or its weights are unavailable.
        WeightsError: the weights are damaged, the model does not take 3 channels, or a size is not allowed.
        EngineError: the engine is not installed, or lacks the precision.
        ValueError: as for `Predictor`.
    """

    __signature__ = KeywordSignature(precision="f32")

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        *,
        options: RunOptions | None = None,
        **changes: Unpack[RunFields],
    ) -> None:
        options = replace((options or RunOptions()).with_defaults({"precision": "f32"}), **changes)
        bundle = Bundle.load(model)
        bundle = bundle.with_preprocessing(options.preprocessing(bundle.preprocessing))
        self.bundle = bundle
        self.origin = EmbeddingOrigin(
            model=_place_of(bundle),
            weights=bundle.fingerprint(),
            num_features=bundle.architecture.num_features,
            preprocessing=bundle.preprocessing,
            exif_orientation=options.is_turned_upright,
            pixels=options.pixel_way,
        )
        """The model, and what it is shown."""
        self._runner = Runner(bundle, options, outputs=(OUTPUT,))

    def __reduce__(self) -> tuple[Any, ...]:
        """As for `Predictor`. The precision is a keyword, as `auto` in the options would be f32 again."""
        return partial(type(self), options=self.options, precision=self.options.precision), (self.bundle,)

    @property
    def options(self) -> RunOptions:
        """How the model is run and what it is shown."""
        return self._runner.options

    @classmethod
    def like(
        cls,
        origin: EmbeddingOrigin,
        model: str | Path | Bundle | None = None,
        *,
        options: RunOptions | None = None,
        **changes: Unpack[RunFields],
    ) -> "Embedder":
        """An embedder whose embeddings can be compared with stored ones: the same model, shown the same pixels.

        Args:
            origin: of the stored ones.
            model: where that model is now; None is where it was then.
            options: as for the class, but without fields of what the model is shown, which are the origin's.
            changes: as for the class.

        Raises:
            DataError: it is another model.
            ValueError: a size, crop, filter, way to pixels or the like is given.
            UnknownModelError: the model is not there any more; the message says how to name its new place.
        """
        try:
            bundle = Bundle.load(origin.model if model is None else model)
        except UnknownModelError as error:
            if model is not None:
                raise
            reason = f"{origin.model}: does not exist" if os.path.isabs(origin.model) else str(error)
            raise UnknownModelError(
                f"{reason}; it made these embeddings, --model (model=) says where it is now"
            ) from error
        options = replace((options or RunOptions()).with_defaults({"precision": "f32"}), **changes)
        if given := options.names_what_is_shown():
            raise ValueError(f"{', '.join(given)}: what the model is shown is decided by the stored embeddings")
        embedder = cls(
            bundle.with_preprocessing(origin.preprocessing),
            options=replace(options, pixels=origin.pixels, exif_orientation=origin.exif_orientation),
            precision=options.precision,  # a keyword, as `auto` in the options would be f32 again
        )
        # compared by its content: a name or a path may stand for another model by now
        found = embedder.origin
        if found.weights != origin.weights:
            sizes = "" if found.num_features == origin.num_features else f" ({found.num_features} features)"
            raise DataError(
                f"{bundle.name}{sizes}: is not the model that made the stored embeddings, which is {origin.model} "
                f"({origin.num_features} features) with weights {origin.weights[:12]}"
            )
        return embedder

    @property
    def plan(self) -> Plan | None:
        """As for `Predictor`."""
        return self._runner.plan

    @property
    def engine(self) -> Engine | None:
        """The engine that runs the model, from the first answer on."""
        return self._runner.engine

    def keep_to(self, engine: str, precision: str) -> None:
        """As for `Predictor`."""
        self._runner.keep_to(engine, precision)

    @property
    def num_features(self) -> int:
        """Values of an embedding."""
        return self.origin.num_features

    def embed(self, images: Iterable[ImageSource] | ImageSource) -> npt.NDArray[np.float32]:
        """Embed images, in their order.

        Args:
            images: as for `Predictor.predict`.

        Returns:
            Pooled features [number of images, num_features], not normalised.

        Raises:
            ImageError: an image cannot be read.
        """
        return self.stacked(self.stream(images))

    def stacked(self, embeddings: Iterable[Embedding]) -> npt.NDArray[np.float32]:
        """The values of those without an error, [number, num_features]."""
        found = [embedding.values for embedding in embeddings if embedding.values is not None]
        return np.stack(found) if found else np.empty((0, self.num_features), np.float32)

    def stream(
        self,
        images: Iterable[ImageSource] | ImageSource,
        *,
        on_error: Literal["raise", "record"] = "raise",
        count: float | None = None,
    ) -> Iterator[Embedding]:
        """Embed images as they come, in their order; memory is flat, however many there are.

        Args:
            images: as for `Predictor.stream`.
            on_error: as for `Predictor.stream`.
            count: as for `Predictor.stream`.

        Raises:
            ImageError: an image cannot be read, with `on_error="raise"`.
            ValueError: on_error is neither.
        """
        if on_error not in ("raise", "record"):
            raise ValueError(f"on_error must be 'raise' or 'record', got {on_error!r}")
        sources: Iterable[ImageSource] = [images] if is_single_image(images) else images  # type: ignore[list-item, assignment]
        return self._embeddings(sources, on_error, len(sources) if isinstance(sources, Sized) else count)

    def _embeddings(self, sources: Iterable[ImageSource], on_error: str, count: float | None) -> Iterator[Embedding]:
        for number, output in enumerate(self._runner.stream(sources, count=count)):
            if output.outputs is None:
                message = str(output.error)
                if output.filename is None:  # it has no name: say which one it was by its number
                    message = f"images[{number}]{message.removeprefix('image')}"
                if on_error == "raise":
                    raise ImageError(message) from output.error
                yield Embedding(output.filename, None, message)
                continue
            values = output.outputs[OUTPUT]
            yield Embedding(output.filename, values, None)


def _place_of(bundle: Bundle) -> str:
    """The model's name or absolute path, which finds it again from any folder."""
    # a folder may be called like a published model: what exists on disk is a path
    is_place = bundle.path is not None and os.path.exists(bundle.name)
    if bundle.path is None or (is_name(bundle.name) and not is_place) or split_address(bundle.name)[0] == HUB:
        return bundle.name
    return os.path.abspath(bundle.path)
