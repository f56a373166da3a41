"""Where in a photograph an answer comes from: class maps, exact and without PyTorch.

A RegNet ends in a mean over places and a linear classifier. So the logit of class c is the mean over all places of
head.fc.weight[c] · features[:, y, x], plus head.fc.bias[c]. That sum, before the mean, is the map (arXiv 1512.04150,
section 2). Grad-CAM at the same layer is this map without its negative part, times a constant (arXiv 1610.02391,
section 3.1).
"""

import operator
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from regnety.bundle.bundle import Bundle
from regnety.datasets.class_matching import ClassMatcher, matcher_of
from regnety.errors import DataError, ImageError, WeightsError
from regnety.images.pixels import load_pixels
from regnety.images.sources import ImageSource, NamedImage, Unreadable, read_image_file, source_name
from regnety.inference.options import RunFields, RunOptions
from regnety.inference.predictor import softmax
from regnety.inference.runner import Runner

if TYPE_CHECKING:
    from PIL import Image

WEIGHT, BIAS = "head.fc.weight", "head.fc.bias"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassMap:
    """Where in a photograph the evidence for a class is. `numpy.asarray` of it is `values`."""

    filename: str | None
    """As it was given; None for an image that was not a file."""
    index: int
    """The class: its place among the model's outputs."""
    label: str | None
    """Its name; None if the model has no class names."""
    prob: float
    """Its probability, 0 to 1."""
    logit: float
    """The model's output for it: the mean of `values`, plus `bias`."""
    bias: float
    """What the classifier adds, wherever anything is."""
    values: npt.NDArray[np.float32]
    """Evidence for the class [height, width], on the grid of the last feature map, which covers the crop that the model
    saw; negative where it speaks against the class."""
    picture: npt.NDArray[np.uint8]
    """That crop, [image_size, image_size, 3] in RGB."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """`values`, for NumPy."""
        array = np.asarray(self.values, dtype)
        return array.copy() if copy else array

    @property
    def over_picture(self) -> npt.NDArray[np.float32]:
        """`values` between the places too, bilinear, one for each pixel of `picture`: [image_size, image_size]."""
        from regnety.inference.overlay import enlarged

        return enlarged(self.values, self.picture.shape[0])

    def overlay(self, size: int | None = None) -> "Image.Image":
        """The crop, enlarged, with the places in colour that speak for the class: the brighter, the more.

        The strongest place has full colour, so that the colours of two pictures cannot be compared.

        Args:
            size: height and width in pixels; None is the crop's own, or 448 if that is more.

        Returns:
            An RGB picture.
        """
        from regnety.inference.overlay import draw_overlay

        return draw_overlay(self.values, self.picture, size)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the picture: the fields of `--format json`."""
        return {
            "filename": self.filename,
            "index": self.index,
            "label": self.label,
            "prob": self.prob,
            "logit": self.logit,
            "bias": self.bias,
            "values": self.values.tolist(),
        }

    def png(self) -> bytes:
        """The overlay with the class's name and probability below it, as the bytes of a PNG file."""
        from regnety.inference.overlay import captioned_png

        return captioned_png(self.overlay(), label=self.label, index=self.index, prob=self.prob)

    def save(self, path: str | Path) -> Path:
        """Write `png` to a file.

        Args:
            path: where; a file that is there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        from regnety.storage.replacing import replacing

        path = Path(path)
        with replacing(path) as beside:
            beside.write_bytes(self.png())
        return path


def explain(
    model: str | Path | Bundle,
    image: ImageSource,
    label: str | int | None = None,
    *,
    options: RunOptions | None = None,
    **changes: Unpack[RunFields],
) -> ClassMap:
    """Where in a photograph a model's answer comes from.

    Args:
        model: whatever a model may be (`Bundle.load`), not quantized.
        image: a path, an address, bytes of a file, a PIL image, or a uint8 array [height, width, 3] in RGB.
        label: the class to explain, by its name or its index; None is the model's answer.
        options: how the model is run and what it is shown; by default in f32.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Returns:
        The map, which covers the crop that the model saw.

    Raises:
        ImageError: the image cannot be read.
        DataError: the model has no such class.
        WeightsError: the model has no classifier, is quantized to int8, or is damaged.
        UnknownModelError: the name is not known, or its weights are unavailable.
        EngineError: the engine is not installed, or lacks the precision.
    """
    (found,) = class_maps(model, [image], None if label is None else [label], options=options, **changes)
    if isinstance(found, ImageError):
        raise found
    return found


def class_maps(
    model: str | Path | Bundle,
    images: Sequence[ImageSource],
    labels: Sequence[str | int | None] | None = None,
    *,
    options: RunOptions | None = None,
    **changes: Unpack[RunFields],
) -> Iterator[ClassMap | ImageError]:
    """`explain` for several photographs, in their order, each as it is ready.

    Args:
        model: as for `explain`.
        images: the photographs.
        labels: a class for each, as for `explain`; None is the model's answer to each.
        options: as for `explain`.
        changes: as for `explain`.

    Returns:
        A map for each photograph, or why it could not be read.

    Raises:
        ValueError: there are more or fewer labels than images.
        DataError: the model has no such class. This and all others are raised before a photograph is read.
        WeightsError: as for `explain`.
        UnknownModelError: as for `explain`.
        EngineError: as for `explain`.
    """
    options = replace((options or RunOptions()).with_defaults({"precision": "f32"}), **changes)
    bundle = Bundle.load(model)
    if not bundle.metadata.num_classes:
        raise WeightsError(f"{bundle.name}: has no classifier, so there is no answer to explain")
    if bundle.is_quantized:
        raise WeightsError(
            f"{bundle.name}: is quantized to int8, and its graph does not give the feature map; "
            "explain the model that it was made from"
        )
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"there are {len(labels)} labels for {len(images)} images")
    matcher = matcher_of(bundle)
    wanted = [None if label is None else _index_of(label, matcher, bundle) for label in labels or [None] * len(images)]
    bundle = bundle.with_preprocessing(options.preprocessing(bundle.preprocessing))
    features = bundle.architecture.stages[-1].name
    return _class_maps(Runner(bundle, options, outputs=(features, "logits")), features, images, wanted)


def _class_maps(
    runner: Runner, features: str, images: Sequence[ImageSource], wanted: Sequence[int | None]
) -> Iterator[ClassMap | ImageError]:
    bundle, options = runner.bundle, runner.options
    weight, bias = (np.asarray(bundle.weights[key], np.float32) for key in (WEIGHT, BIAS))
    # Read once: the pixels are needed twice, by the model and as the picture, and an open file can be read only once.
    waiting: deque[ImageSource] = deque()

    def sources() -> Iterator[ImageSource]:
        for image in images:
            waiting.append(_in_memory(image))
            yield waiting[-1]

    for output, asked in zip(runner.stream(sources()), wanted, strict=True):
        source = waiting.popleft()
        if output.outputs is None:
            assert output.error is not None
            yield output.error
            continue
        logits = output.outputs["logits"]
        index = int(logits.argmax()) if asked is None else asked
        yield ClassMap(
            filename=output.filename,
            index=index,
            label=bundle.labels[index] if bundle.labels else None,
            prob=float(softmax(logits)[index]),
            logit=float(logits[index]),
            bias=float(bias[index]),
            values=np.einsum("c,chw->hw", weight[index], output.outputs[features], dtype=np.float32),
            picture=load_pixels(
                source,
                bundle.preprocessing,
                way=options.pixel_way,
                exif_orientation=options.is_turned_upright,
                max_pixels=options.max_pixels,
            ),
        )


def _in_memory(image: ImageSource) -> ImageSource:
    """An image that can be read more than once without asking a disk or a network again."""
    if isinstance(image, np.ndarray) or hasattr(image, "convert"):  # pixels already
        return image
    name = source_name(image)
    try:
        data = read_image_file(image)
    except ImageError as error:  # answered in its place among the others
        return Unreadable(name or "image", str(error).removeprefix(f"{name or 'image'}: "))
    return data if name is None else NamedImage(name, data)


def _index_of(label: str | int, matcher: ClassMatcher, bundle: Bundle) -> int:
    if isinstance(label, str):
        return matcher.index(label)
    index = operator.index(label)  # NumPy's whole numbers are no int
    if not 0 <= index < bundle.metadata.num_classes:
        raise DataError(f"{bundle.name}: has no class {index}; its classes are 0 to {bundle.metadata.num_classes - 1}")
    return index
