"""PyTorch: the network as it was trained, for those who have it installed anyway."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, WeightsError
from regnety.forks import forks_since_loaded
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import Precision
from regnety.network.creation import load_weights
from regnety.network.modules import RegNet

logger = logging.getLogger("regnety")


class TorchEngine:
    """The torch module of a bundle, on the processor, channels last.

    Inputs and outputs are those of `build_graph`; the batch is free. torch's own number of threads is set only during a
    run.

    Args:
        bundle: architecture, weights, and the normalisation of uint8 inputs.
        threads: threads within one run; 1 is best if several threads call `run` at once. In a process that was forked
            after torch was loaded it is always 1.
        precision: `bf16` is torch's autocast; outputs are float32 either way.
        input: `uint8` takes [batch, height, width, in_chans] in RGB; `float` takes normalised float32
            [batch, in_chans, height, width].
        outputs: names of the architecture's outputs.

    Raises:
        EngineError: bf16 on a processor without it, a bundle that is a graph without weights, or a fork of a fork of a
            process that had loaded torch.
        WeightsError: the architecture has no such output.
    """

    name = "torch"
    version = str(torch.__version__)

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int,
        precision: Precision = "f32",
        input: Literal["uint8", "float"] = "uint8",
        outputs: Sequence[str] = ("logits",),
    ) -> None:
        if precision == "bf16" and not has_bf16():  # torch would emulate it, several times slower than f32
            raise EngineError("torch does not compute in bf16 on this processor")
        if not bundle.weights:
            raise EngineError(f"{bundle.name}: is a graph without weights, which the engine torch cannot run")
        architecture, preprocessing = bundle.architecture, bundle.preprocessing
        for name in outputs:
            if name not in architecture.output_names:
                known = ", ".join(architecture.output_names)
                raise WeightsError(f"{bundle.name}: no output named {name!r}; there are {known}")
        if (forks := forks_since_loaded("torch")) > 1:  # MKL's memory manager waits for ever then (torch 2.13)
            raise EngineError(
                "torch cannot run in the fork of a fork; use another engine, or start this process with spawn"
            )
        if forks and threads > 1:  # torch would wait for ever for threads that only the parent has
            logger.info("torch runs with one thread here: its others stayed in the process that forked this one")
            threads = 1
        self._threads = threads
        self.precision: Precision = precision
        self.output_names = tuple(outputs)
        side, channels = preprocessing.image_size, architecture.in_chans
        shapes = {"uint8": (None, side, side, channels), "float": (None, channels, side, side)}
        self.input_shape: tuple[int | None, ...] = shapes[input]
        self.input_dtype: np.dtype[Any] = np.dtype({"uint8": np.uint8, "float": np.float32}[input])
        # (pixel / 255 - mean) / std as one subtraction and one multiplication.
        self._mean = 255 * torch.tensor(preprocessing.mean).reshape(-1, 1, 1)
        self._factor = 1 / (255 * torch.tensor(preprocessing.std).reshape(-1, 1, 1))
        with _threads(threads):
            self._network = _network(bundle, precision)

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """A batch of images -> every output by its name."""
        bf16 = self.precision == "bf16"
        with (
            _threads(self._threads),
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16, cache_enabled=False),
        ):
            values = self._input(images)
            if self.output_names == ("logits",):
                outputs = {"logits": self._network(values)}
            else:
                outputs = self._network.forward_named(values)
            return {name: outputs[name].float().contiguous().numpy() for name in self.output_names}

    def _input(self, images: npt.NDArray[Any]) -> torch.Tensor:
        """Normalised float32 [batch, in_chans, height, width], channels last in memory."""
        if self.input_dtype == np.uint8:
            planes = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)  # a copy: torch warns of read-only arrays
            return (planes.float() - self._mean) * self._factor
        return torch.from_numpy(np.array(images)).to(memory_format=torch.channels_last)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """torch's number of threads during a run; it is set back, as the user may be training in this thread."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def _network(bundle: Bundle, precision: Precision) -> RegNet:
    """The network with the bundle's weights."""
    with torch.device("meta"):  # so that no random weights are drawn first
        network = RegNet(bundle.architecture)
    network = network.to_empty(device="cpu").eval()
    load_weights(network, bundle.weights)
    network.requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision == "bf16":
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                layer.to(torch.bfloat16)  # once, instead of by autocast in every run
    return network
