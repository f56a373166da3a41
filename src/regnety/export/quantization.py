"""`quantize_model`: a model that computes in int8, as a bundle: calibrated, compared with its source, then kept."""

import hashlib
import math
import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from regnety.bundle.bundle import Bundle
from regnety.datasets.data_sets import read_data_set
from regnety.datasets.held_out import scored_samples
from regnety.datasets.places import is_address, is_pattern
from regnety.errors import DataError, ExportError, ImageError, WeightsError
from regnety.export.labelled_pictures import LabelledPictures
from regnety.export.nncf_quantization import (
    PRESET,
    Picture,
    float_layers,
    load_nncf,
    quantize_graph,
    quantize_graph_within,
)
from regnety.export.speeds import Speed, measure_speeds
from regnety.export.targets import check_export_target, check_not_its_source
from regnety.graph.builder import LARGEST_FILE, build_graph
from regnety.graph.int8_copies import write_quantized
from regnety.graph.onnx_files import read_onnx
from regnety.images.listing import list_images
from regnety.images.pixels import load_pixels
from regnety.images.sources import ImageSource, Unreadable
from regnety.inference.engines.processor import available_cores
from regnety.inference.engines.selection import installed_engines, start_engine
from regnety.inference.evaluation import evaluate
from regnety.inference.evaluation_result import EvaluationResult
from regnety.metadata.calibration import Calibration, MeasuredDrop
from regnety.preprocessing import PerChannel
from regnety.progress import Progress

SAMPLES = 300
"""Calibration images; NNCF's default. More hardly change the ranges of activations."""
FEWEST_SAMPLES = 8
"""With fewer, one odd picture would decide the ranges."""
MEASURED_ON = "onnxruntime"
"""The engine on which accuracy is compared: it is always installed, and NNCF uses it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """What was written, and what it changes."""

    path: Path
    """The bundle."""
    calibration: Calibration
    """As stored in the bundle; `measured` has the accuracy before and after."""
    float_bytes: int
    """Size of the graph before."""
    int8_bytes: int
    """Size of the graph now."""
    agreement: float
    """Share of the calibration images with the same answer as before, in percent."""
    speeds: tuple[Speed, ...]
    """Of both models, for each installed engine and each precision that it has."""
    errors: tuple[str, ...]
    """A line for each photograph that could not be read."""
    notice: str | None
    """What an evaluation has to say about the photographs that accuracy was measured on; None if nothing."""


def quantize_model(
    model: str | Path | Bundle,
    path: str | Path,
    *,
    calibrate: str | Path | Iterable[ImageSource],
    data: str | Path | None = None,
    split: str | None = None,
    max_drop: float | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    image_size: int | None = None,
    crop_pct: float | None = None,
    use_test_size: bool = False,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    interpolation: str | None = None,
    quiet: bool = False,
) -> Quantized:
    """Make a model compute in int8 (extra quantize), and keep it as a bundle that needs neither NNCF nor float weights.

        quantize_model("regnety_cifar10", "cifar10-int8", calibrate="photos/")

    Weights are rounded with a scale for each channel, activations by their ranges on some photographs, which need no
    labels. Squeeze-excitations stay in f32. If something fails, or more accuracy is lost than allowed, nothing is kept.
    NNCF is loaded without torch unless torch is loaded already: to quantize torch modules with it in the same process,
    import torch first.

    Args:
        model: any MODEL in floating point.
        path: the folder of the new bundle; one that regnety wrote is replaced.
        calibrate: photographs like those that the model will see: a folder, searched with its sub-folders, another data
            set (`datasets.data_sets.read_data_set`), or images of any kind.
        data: a data set (`datasets.data_sets.read_data_set`) on which accuracy is measured before and after.
        split: which split of `data`; None is `test`, else `val`, without the model's training pictures.
        max_drop: points of top-1 that may be lost on `data`. If plain quantization loses more, the most harmful layers
            return to f32 until the loss is within the limit, which takes a hundred times as long.
        samples: number of photographs for calibration, drawn at random.
        seed: of that draw.
        image_size: height and width that the model is shown, in pixels; None is its own. An int8 model has one size.
        crop_pct: share of the shorter side that the crop keeps; None is the model's own.
        use_test_size: the size that the model is best at.
        mean: for each channel of values in [0, 1], or one number for all; None is the model's own.
        std: as `mean`.
        interpolation: Pillow's filter, `bicubic`, `bilinear`, `lanczos` or `nearest`; None is the model's own.
        quiet: no progress.

    Raises:
        DataError: there are fewer photographs than calibration needs, `data` cannot be evaluated on, or `max_drop` is
            given without `data`.
        ExportError: the model is quantized already or too large, NNCF cannot quantize it, what is at the path may not
            be replaced or is the model itself, or more was lost than `max_drop` allows.
        WeightsError: the model is damaged.
        UnknownModelError: the name is unknown, or its weights are unavailable.
        MissingExtraError: NNCF is not installed.
        ValueError: `samples` or `max_drop` is not allowed, or both `image_size` and `use_test_size` are given.
    """
    _check_arguments(path, data, max_drop, samples)
    path = Path(path)
    nncf = load_nncf()
    bundle = _source(model, path)
    shown = bundle.preprocessing.with_changes(
        image_size=image_size,
        crop_pct=crop_pct,
        use_test_size=use_test_size,
        mean=mean,
        std=std,
        interpolation=interpolation,
    )
    # The graph has one size: a better one for testing would be a size that this model cannot take.
    bundle = bundle.with_preprocessing(replace(shown, test_image_size=None, test_crop_pct=None))
    labelled = None if data is None else read_data_set(data, quiet=quiet).evaluation(split)
    measure = partial(evaluate, held_out_only=split is None, engine=MEASURED_ON, quiet=quiet)
    # The slow steps last: a wrong folder or a damaged model is found before anything is quantized.
    before = None if labelled is None else measure(bundle, labelled)
    pictures, errors = _calibration_pictures(bundle, calibrate, samples, seed, quiet=quiet)
    graph = _float_graph(bundle)
    float_bytes = graph.ByteSize()
    if labelled is None or max_drop is None:
        with Progress("quantizing", total=None, quiet=quiet):
            quantized = quantize_graph(nncf, graph, pictures)
    else:
        scored = scored_samples(bundle, labelled, held_out_only=split is None, quiet=quiet)
        validation = LabelledPictures(bundle, scored.samples, quiet=quiet)
        with Progress("quantizing", total=None, quiet=quiet):
            quantized = quantize_graph_within(nncf, graph, pictures, validation, max_drop=max_drop)
    calibration = Calibration(
        method="nncf.quantize" if max_drop is None else "nncf.quantize_with_accuracy_control",
        version=str(nncf.__version__),
        preset=PRESET,
        num_images=len(pictures),
        images_sha256=_digest(pictures),
        seed=seed,
        float_layers=float_layers(quantized, bundle.architecture),
        max_drop=max_drop,
    )
    with tempfile.TemporaryDirectory(prefix="regnety-") as folder:
        made = _written(Path(folder) / "quantized.onnx", quantized, bundle, calibration)
        agreement = _agreement(bundle, made, pictures)
        if before is not None and labelled is not None:
            after = measure(made, labelled)
            calibration = replace(calibration, measured=_measured(before, after, str(data)))
            _check_drop(calibration, path)
            # Written again, as the calibration in its metadata now has the figures.
            made = _written(Path(folder) / "measured.onnx", quantized, bundle, calibration)
            errors += after.errors
        speeds = measure_speeds(bundle, made, pictures)
        made.save(path)
        return Quantized(
            path=path,
            calibration=calibration,
            float_bytes=float_bytes,
            int8_bytes=quantized.ByteSize(),
            agreement=agreement,
            speeds=speeds,
            errors=tuple(errors),
            notice=None if before is None else before.notice,
        )


def _check_arguments(path: str | Path, data: str | Path | None, max_drop: float | None, samples: int) -> None:
    if check_export_target(path) != "folder":
        raise ExportError(f"{path}: an int8 model is a folder; name one without a suffix")
    if max_drop is not None and data is None:
        raise DataError("max_drop is a loss of accuracy, which is measured on labelled photographs; give data too")
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise ValueError(f"max_drop is in points of top-1, from 0 to 100, got {max_drop!r}")
    if not isinstance(samples, int) or samples < FEWEST_SAMPLES:
        raise ValueError(f"samples must be a whole number of at least {FEWEST_SAMPLES}, got {samples!r}")


def _source(model: str | Path | Bundle, path: Path) -> Bundle:
    """The model, if it can be quantized."""
    bundle = Bundle.load(model)
    check_not_its_source(path, bundle)
    if bundle.is_quantized:
        raise ExportError(f"{bundle.name}: is quantized already; name the model that it was made from")
    if bundle.metadata.in_chans != 3:
        raise WeightsError(f"{bundle.name}: takes {bundle.metadata.in_chans} input channels, photographs have 3")
    if not bundle.metadata.num_classes:
        raise WeightsError(f"{bundle.name}: has no classifier, so that int8's answers cannot be compared")
    # protobuf's limit: NNCF takes the graph as one message, without arrays in files beside it.
    size = 4 * sum(math.prod(shape) for shape in bundle.architecture.state_dict_shapes().values())
    if size > LARGEST_FILE:
        raise ExportError(f"{bundle.name}: has {size / 2**30:.2f} GiB of weights, NNCF quantizes graphs up to 2 GiB")
    return bundle


def _float_graph(bundle: Bundle) -> onnx.ModelProto:
    return build_graph(
        bundle.architecture,
        bundle.weights,
        image_size=bundle.preprocessing.image_size,
        outputs=("pre_logits", "logits"),
        preprocessing=bundle.preprocessing,
        labels=bundle.labels,
        provenance=bundle.provenance,
    )


def _calibration_pictures(
    bundle: Bundle, calibrate: str | Path | Iterable[ImageSource], samples: int, seed: int, *, quiet: bool
) -> tuple[list[Picture], list[str]]:
    """`samples` pictures that can be read, drawn at random, and a line for each that cannot."""
    place = calibrate if isinstance(calibrate, str | Path) else None
    sources = list(_images_at(place, quiet=quiet) if place is not None else calibrate)  # type: ignore[arg-type]
    pictures: list[Picture] = []
    errors: list[str] = []
    with Progress("calibration images", total=min(samples, len(sources)), quiet=quiet) as progress:
        # A whole shuffle, and not a draw of `samples`: pictures that cannot be read are replaced by the next ones.
        for source in random.Random(seed).sample(sources, len(sources)):
            if len(pictures) == samples:
                break
            try:
                pictures.append(load_pixels(source, bundle.preprocessing)[None])
            except ImageError as error:
                errors.append(str(error))
            progress.advance()
    # a folder without images is listed as one source, which says so
    if place is not None and all(isinstance(source, Unreadable) for source in sources):
        raise DataError(f"{place}: has no images; calibration needs at least {FEWEST_SAMPLES}")
    if len(pictures) < FEWEST_SAMPLES:
        first = f"; the first that cannot be read: {errors[0]}" if errors else ""
        raise DataError(
            f"{'calibrate' if place is None else place}: calibration needs at least {FEWEST_SAMPLES} photographs, "
            f"there {'is' if len(pictures) == 1 else 'are'} {len(pictures)}{first}"
        )
    return pictures, errors


def _images_at(place: str | Path, *, quiet: bool) -> Iterable[ImageSource]:
    """The images of a folder, or those of any other data set, whatever their classes."""
    if not Path(place).exists() and not is_address(place) and not is_pattern(str(place)):
        raise DataError(f"{place}: there is no such folder of photographs to calibrate on")
    data = read_data_set(place, quiet=quiet)
    if data.has_class_folders:  # they may be a folder's images alone too: no class is needed here
        return list_images([place], recursive=True)
    return [sample.image for samples in data.splits.values() for sample in samples]


def _digest(pictures: Sequence[Picture]) -> str:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture.tobytes())
    return digest.hexdigest()


def _written(path: Path, quantized: onnx.ModelProto, bundle: Bundle, calibration: Calibration) -> Bundle:
    """The new model, from its file."""
    metadata = replace(bundle.metadata, calibration=calibration)
    write_quantized(path, quantized, metadata)
    name = f"{Path(bundle.name).name}-int8"
    return Bundle(metadata, {}, name=name, graph=read_onnx(path), training_files=bundle.training_files)


def _agreement(bundle: Bundle, made: Bundle, pictures: Sequence[Picture]) -> float:
    """Share of the pictures with the same answer from both, in percent."""
    answers = []
    for model in (bundle, made):
        engine = start_engine(
            model, engine=MEASURED_ON, precision="f32" if model is bundle else "int8", threads=available_cores()
        )
        logits = np.concatenate([engine.run(picture)["logits"] for picture in pictures])
        if not np.isfinite(logits).all():
            raise ExportError(f"{model.name}: its outputs are not finite numbers; nothing was kept")
        answers.append(logits.argmax(axis=1))
    return 100 * float(np.mean(answers[0] == answers[1]))


def _measured(before: EvaluationResult, after: EvaluationResult, data: str) -> MeasuredDrop:
    return MeasuredDrop(
        data=data,
        count=after.count,
        engine=f"{MEASURED_ON} {installed_engines()[MEASURED_ON]}",
        top1_float=before.top1,
        top1_int8=after.top1,
    )


def _check_drop(calibration: Calibration, path: Path) -> None:
    measured, allowed = calibration.measured, calibration.max_drop
    # NNCF has measured too, but this figure, from `evaluate`, is what the bundle records: it must be within the limit.
    if measured is not None and allowed is not None and measured.drop > allowed + 1e-9:
        raise ExportError(
            f"{path}: loses {measured.drop:.2f} points on {measured.data}, {allowed:g} are allowed; nothing was kept"
        )
