"""The engines: what each of them offers, and the table of those that there are.

A new engine is one file beside this one, with a class like `Engine`, and one row of `ENGINES`. Everything else, the
command line's choices included, reads the table. Standard library only, as the command line reads it at every start.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

from regnety.errors import EngineError, MissingExtraError, RegNetYError, how_to_install
from regnety.extras import does_not_work

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Precision = Literal["f32", "bf16", "f16", "int8"]
"""`int8` is for quantized graphs and no others; their layers that are not quantized compute in floating point."""
AUTO = "auto"


class Engine(Protocol):
    """A model ready to run. `run` may be called from several threads at once."""

    name: str
    """As in the table."""
    version: str
    """The library's."""
    precision: Precision
    """What it computes in."""
    output_names: tuple[str, ...]
    input_shape: tuple[int | None, ...]
    """[batch, height, width, channels] if uint8, [batch, channels, height, width] if float; None is free."""
    input_dtype: "np.dtype[Any]"

    def run(self, images: "npt.NDArray[Any]") -> "dict[str, npt.NDArray[np.float32]]":
        """A batch of images -> every output by its name."""


class EngineRow(NamedTuple):  # a dataclass takes four times as long to make, at every start
    """An engine, as all others know it."""

    name: str
    """In options and results."""
    title: str
    """In sentences."""
    package: str
    """What it needs, by the name under which it is imported and installed."""
    extra: str | None
    """The extra of regnety that installs the package; None if regnety always does."""
    precisions: tuple[Precision, ...]
    """What it computes in, the most exact first."""
    suffixes: tuple[str, ...]
    """Of the model files that it reads by itself, `.onnx` among them, as that is what is built for it. Without any, it
    runs the weights of a bundle instead of a graph."""
    start: str
    """Module and class that start it: `start_engine` has the arguments. Imported when the engine is taken."""
    devices: tuple[str, ...] = ("cpu",)
    tried: bool = True
    """Whether `auto` may take it for many images, for which the engines that are installed are tried."""
    faster_with: str | None = None
    """An instruction set with which it beats the first engine for many images."""

    @property
    def is_installed(self) -> bool:
        """Whether its package is here; nothing is imported."""
        return self.extra is None or find_spec(self.package) is not None

    @property
    def runs_graphs(self) -> bool:
        """Whether it runs a graph, and not a bundle's weights."""
        return bool(self.suffixes)

    def how_to_install(self) -> str:
        """What to type for it."""
        return how_to_install(self.extra or self.package)

    def missing(self) -> MissingExtraError:
        """What is raised where its package is not here."""
        return MissingExtraError(f"the engine {self.name}", self.extra or self.package)

    def load(self) -> "Callable[..., Engine]":
        """Import the class that starts it.

        Raises:
            MissingExtraError: its package is not installed.
            EngineError: its package is installed and cannot be imported.
        """
        module, _, name = self.start.partition(":")
        try:
            start: Callable[..., Engine] = getattr(import_module(module), name)
        except RegNetYError:
            raise
        except Exception as error:  # a broken package raises whatever its parts do: OSError for a missing library
            if isinstance(error, ModuleNotFoundError) and error.name == self.package:
                raise self.missing() from None
            raise EngineError(does_not_work(self.package, error)) from error
        return start


ENGINES = {
    row.name: row
    for row in (  # the first answers a few images, as it starts quickest; of those with bf16 the faster comes first
        EngineRow(
            name="onnxruntime",
            title="ONNX Runtime",
            package="onnxruntime",
            extra=None,
            precisions=("f32", "int8"),
            suffixes=(".onnx",),
            start="regnety.inference.engines.onnxruntime:OnnxRuntimeEngine",
        ),
        EngineRow(
            name="openvino",
            title="OpenVINO",
            package="openvino",
            extra="openvino",
            precisions=("f32", "bf16", "int8"),
            suffixes=(".onnx", ".xml"),
            start="regnety.inference.engines.openvino:OpenVinoEngine",
            faster_with="avx512f",  # measured on processors with AVX-512 only
        ),
        EngineRow(
            name="torch",
            title="PyTorch",
            package="torch",
            extra="torch",
            precisions=("f32", "bf16"),
            suffixes=(),
            start="regnety.inference.engines.torch:TorchEngine",
            tried=False,  # seconds to import, and slower than both (docs/reference/engines.md)
        ),
    )
}
DEFAULT_ENGINE = next(iter(ENGINES))
PRECISIONS = (AUTO, *(name for name in get_args(Precision) if any(name in row.precisions for row in ENGINES.values())))
"""What can be asked for."""
# other spellings, in no list: earlier versions had some of them, and so has torch
PRECISION_SPELLINGS = {"float32": "f32", "fp32": "f32", "bfloat16": "bf16", "float16": "f16", "fp16": "f16"}


def no_precision(name: str) -> str:
    """What is said of a precision that cannot be asked for; f16 is only for weights in files."""
    what = "no engine computes in f16" if name == "f16" else f"no precision named {name!r}"
    return f"{what}; there are {', '.join(PRECISIONS)}"


def engine_row(name: str) -> EngineRow:
    """The engine of that name.

    Raises:
        EngineError: there is none.
    """
    if name not in ENGINES:
        raise EngineError(f"no engine named {name!r}; there are {', '.join((AUTO, *ENGINES))}")
    return ENGINES[name]
