"""`RunOptions`: how a model is run and what it is shown, as one value."""

import inspect  # dataclasses has imported it already
from dataclasses import dataclass, fields, replace
from typing import TypedDict, Unpack

from regnety.errors import EngineError
from regnety.images.formats import MAX_PIXELS, PIXEL_WAYS, PixelWay
from regnety.inference.engines.registry import AUTO, PRECISION_SPELLINGS, PRECISIONS, engine_row, no_precision
from regnety.preprocessing import INTERPOLATIONS, PerChannel, Preprocessing, per_channel


# Written twice, once for type checkers, which cannot derive it from the dataclass; a test compares the two.
class RunFields(TypedDict, total=False):
    """The fields of `RunOptions` as keywords, for what takes them one by one: `Predictor(engine="openvino")`."""

    engine: str
    precision: str
    workers: int | None
    pixels: PixelWay | None
    exif_orientation: bool | None
    max_pixels: int
    image_size: int | None
    crop_pct: float | None
    use_test_size: bool
    mean: PerChannel | None
    std: PerChannel | None
    interpolation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a model is run and what it is shown.

    `Predictor`, `Embedder`, `RayPredictor` and `evaluate` take one as `options`, its fields as keywords, or both: then
    the keywords change the options.

    Args:
        engine: `onnxruntime`, `openvino`, `torch`, or `auto`: ONNX Runtime for a few images, or with the precision
            `bf16` an engine that has it; for many images the one that is the fastest here.
        precision: `f32`, `bf16`, or `auto`: bf16 if the processor and the engine have it, but for a few images only if
            that engine is named; f32 in `evaluate` and `Embedder`. A quantized model has `int8` and nothing else.
        workers: threads, each with images of its own; None is one on each core.
        pixels: the way to the pixels: `fast` differs from timm's by a grey level or two here and there; `exact` is
            timm's to the last bit; `draft` is faster still for large photographs. None is `fast`, and `exact`
            in `evaluate`.
        exif_orientation: turn photographs upright as their EXIF orientation says; None is yes, and in `evaluate` as in
            training.
        max_pixels: width times height above which an image is refused before it is decoded.
        image_size: height and width that the model is shown, in pixels; None is its own.
        crop_pct: share of the shorter side that the crop keeps; None is the model's own.
        use_test_size: use the size at which the model is best, where that is not the one it was trained at.
        mean: for each channel, of values in [0, 1], or one number for all; None is the model's own.
        std: as `mean`.
        interpolation: Pillow's filter, `bicubic`, `bilinear`, `lanczos` or `nearest`; None is the model's own.

    Raises:
        EngineError: there is no such engine or precision.
        ValueError: a value is not allowed, or both `image_size` and `use_test_size` are given.
        WeightsError: mean or std is not one number, or one for each of 3 channels.
    """

    engine: str = AUTO
    precision: str = AUTO
    workers: int | None = None
    pixels: PixelWay | None = None
    exif_orientation: bool | None = None
    max_pixels: int = MAX_PIXELS
    image_size: int | None = None
    crop_pct: float | None = None
    use_test_size: bool = False
    mean: PerChannel | None = None
    std: PerChannel | None = None
    interpolation: str | None = None

    def __post_init__(self) -> None:
        if self.engine != AUTO:
            engine_row(self.engine)  # refuses a name that is not in the table; whether it is installed is asked later
        precision = PRECISION_SPELLINGS.get(self.precision, self.precision)
        if precision not in PRECISIONS:
            raise EngineError(no_precision(precision))
        object.__setattr__(self, "precision", precision)
        for name, number in (("workers", 1 if self.workers is None else self.workers), ("max_pixels", self.max_pixels)):
            if not hasattr(number, "__index__") or number < 1:  # NumPy's whole numbers are no int
                raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
        if self.pixels is not None and self.pixels not in PIXEL_WAYS:
            raise ValueError(f"pixels must be one of {', '.join(PIXEL_WAYS)}, got {self.pixels!r}")
        if self.interpolation is not None and self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if self.use_test_size and self.image_size is not None:
            raise ValueError("image_size and use_test_size contradict each other; give one of them")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None:  # a list or an array cannot be hashed; photographs have 3 channels
                object.__setattr__(self, name, per_channel(name, value, 3))

    @property
    def pixel_way(self) -> PixelWay:
        """`pixels`, decided."""
        return self.pixels or "fast"

    @property
    def is_turned_upright(self) -> bool:
        """`exif_orientation`, decided."""
        return self.exif_orientation is not False

    def with_defaults(self, defaults: RunFields) -> "RunOptions":
        """The same with other values where a field is left as it is by default."""
        own = RunOptions()
        open_fields = {name: value for name, value in defaults.items() if getattr(self, name) == getattr(own, name)}
        return replace(self, **open_fields)  # type: ignore[arg-type]

    def names_what_is_shown(self) -> list[str]:
        """The fields of what the model is shown that are not left as they are by default."""
        own, how_it_is_run = RunOptions(), ("engine", "precision", "workers", "max_pixels")
        names = (field.name for field in fields(self) if field.name not in how_it_is_run)
        return [name for name in names if getattr(self, name) != getattr(own, name)]

    def kept_to(self, engine: str, precision: str) -> "RunOptions":
        """These options with one engine in one precision in place of `auto`, for the rest of a job.

        Raises:
            EngineError: they ask for another engine or precision.
        """
        for asked, needed in ((self.engine, engine), (self.precision, precision)):
            if asked not in (AUTO, needed):
                raise EngineError(f"{needed} is needed, but {asked} is asked for")
        return replace(self, engine=engine, precision=precision)

    def preprocessing(self, own: Preprocessing) -> Preprocessing:
        """What the model is shown, where `own` is what it has itself.

        Raises:
            WeightsError: a size, share or filter is not allowed; the message names it.
        """
        return own.with_changes(
            image_size=self.image_size,
            crop_pct=self.crop_pct,
            use_test_size=self.use_test_size,
            mean=self.mean,
            std=self.std,
            interpolation=self.interpolation,
        )


class KeywordSignature:
    """The `__signature__` of a class that takes fields of `RunOptions` as keywords: each by its name.

    `inspect.signature` asks the class for it, and with it help() and the completion of IPython, which would see
    `**changes` only. Nothing is computed before that.

    Args:
        own: what the class has in place of the defaults of `RunOptions`.
    """

    def __init__(self, **own: Unpack[RunFields]) -> None:
        self._own = own

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        _, *parameters = inspect.signature(owner.__init__).parameters.values()  # type: ignore[misc]
        if parameters and parameters[-1].name == "changes":  # not in a subclass with an __init__ of its own
            defaults, kind = RunOptions(**self._own), inspect.Parameter.KEYWORD_ONLY
            parameters[-1:] = [
                inspect.Parameter(name, kind, default=getattr(defaults, name), annotation=annotation)
                for name, annotation in RunFields.__annotations__.items()
            ]
        return inspect.Signature(parameters)
