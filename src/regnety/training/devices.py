"""Where the network is trained: on the processor, or on a graphics card."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import torch

from regnety.errors import RecipeError
from regnety.inference.engines.processor import BF16_FLAGS, has_bf16, processor

DEVICES = ("auto", "cpu", "cuda", "mps")
Arithmetic: TypeAlias = Literal["f32", "bf16", "f16", "f64"]


@contextmanager
def memory_for(batch_size: int) -> Iterator[None]:
    """Where the card's memory is too small, an error that says what to do.

    Raises:
        RecipeError: it is.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RecipeError(
            f"the graphics card's memory is too small for a batch of {batch_size}; --set accumulate=4 computes it in 4 "
            "parts, and a smaller --batch-size takes less too"
        ) from error


@dataclass(frozen=True, slots=True)
class Device:
    """A place that computes.

    Args:
        kind: torch's name for it.
    """

    kind: Literal["cpu", "cuda", "mps"]

    @property
    def torch_device(self) -> torch.device:
        """As torch takes it."""
        return torch.device(self.kind)

    @property
    def is_processor(self) -> bool:
        """Whether steps are done by the time that they return, and pictures need not be copied."""
        return self.kind == "cpu"

    @property
    def widest(self) -> torch.dtype:
        """The floating-point type with the most digits that it has; Apple's GPU has no float64."""
        return torch.float32 if self.kind == "mps" else torch.float64

    @property
    def name(self) -> str:
        """The maker's name of it, for the record of a run."""
        if self.kind == "cuda":
            return torch.cuda.get_device_name()
        return (processor().name or "processor") if self.is_processor else "Apple GPU"

    @property
    def memory_in_use(self) -> int | None:
        """Bytes that the network and its pictures take on a graphics card; None on the processor."""
        if self.kind == "cuda":
            return torch.cuda.max_memory_allocated()
        return torch.mps.current_allocated_memory() if self.kind == "mps" else None

    def arithmetic(self, precision: str) -> Arithmetic:
        """In what the network computes: as asked for; `auto` is bf16 where the hardware has it, else f32.

        Raises:
            RecipeError: bf16 was asked for on hardware without it, where it is emulated: eight times slower than f32
                on a processor; f16 on a processor; or f64 on a graphics card.
        """
        if precision == "f64" and not self.is_processor:
            raise RecipeError(f"precision f64: is for the processor alone; use --device cpu (device=), not {self.kind}")
        if precision == "f16" and self.is_processor:
            raise RecipeError("precision f16: is for graphics cards; use precision=auto")
        if precision in ("f16", "f64"):
            return cast(Arithmetic, precision)
        if self.kind == "cuda":
            available = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            # None, an unknown processor, counts as without: f32 is right everywhere.
            available = self.is_processor and bool(has_bf16())
        if precision == "bf16" and not available:
            lacks = ", ".join(BF16_FLAGS) if self.is_processor else "that"
            why = f"this {'processor' if self.is_processor else 'device'} has none of {lacks}"
            raise RecipeError(f"precision bf16: {why}; use precision=auto")
        return "bf16" if available and precision != "f32" else "f32"

    def autocast(self, arithmetic: Arithmetic) -> torch.autocast:
        """The context in which the network runs; weights, gradients and the loss keep their type in it."""
        dtype = torch.float16 if arithmetic == "f16" else torch.bfloat16
        return torch.autocast(self.kind, dtype=dtype, enabled=arithmetic in ("bf16", "f16"))

    def gradient_scaler(self, arithmetic: Arithmetic) -> torch.amp.GradScaler:
        """What keeps the small gradients of f16 from becoming zero; for any other arithmetic it changes nothing."""
        return torch.amp.GradScaler(self.kind, enabled=arithmetic == "f16")


PROCESSOR = Device("cpu")


def find_device(asked: str) -> Device:
    """The device of a name; `auto` is a graphics card where torch finds one.

    Raises:
        RecipeError: no such device is here.
    """
    if asked not in DEVICES:
        raise RecipeError(f"device (--device) must be one of {', '.join(DEVICES)}, got {asked!r}")
    if asked == "cpu":
        return PROCESSOR
    if asked in ("auto", "cuda") and torch.cuda.is_available():
        return Device("cuda")
    if asked in ("auto", "mps") and torch.backends.mps.is_available():
        return Device("mps")
    if asked == "auto":
        return PROCESSOR
    built = "this torch is built without it" if asked == "cuda" and torch.version.cuda is None else "torch finds none"
    raise RecipeError(f"device {asked}: {built} (torch {torch.__version__}); use --device cpu (device=)")
