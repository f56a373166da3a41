"""OpenVINO: an extra; faster on processors with AVX-512, with the faster bf16."""

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regnety.errors import EngineError, WeightsError
from regnety.inference.engines.compiled_graphs import compiled_place, keep_compiled, read_compiled
from regnety.inference.engines.openvino_runtime import load_openvino, openvino_version, own_signal_stack
from regnety.inference.engines.processor import available_cores, processor
from regnety.inference.engines.registry import Precision

DEVICE = "CPU"
TRIAL_SIDE = 64
"""Height and width of the first image if the graph leaves them free, in pixels."""
NOISE = ("Exception from ", "Check '", "FrontEnd API failed")
"""Beginnings of the lines in its messages that are about OpenVINO's own source."""

logger = logging.getLogger("regnety")


class OpenVinoEngine:
    """A graph that OpenVINO has compiled for the processor.

    Args:
        graph: an ONNX file, a model's bytes, or the `.xml` file of OpenVINO's own format.
        threads: threads within one run; 1 is best where several threads call `run` at once.
        workers: how many threads will call `run` at once.
        batch: fixes the batch before the graph is compiled; None leaves it free.
        precision: what it computes in; outputs are float32 either way. `int8` says that the graph is quantized.
        cache: folder in which compiled graphs are kept; None keeps none.
        identity: identifies the graph's content, so that its compiled form is found again; None keeps none.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        EngineError: it does not load, or does not compute in that precision here.
        WeightsError: the graph cannot be loaded.
    """

    name = "openvino"

    def __init__(
        self,
        graph: Path | bytes,
        *,
        threads: int,
        workers: int = 1,
        batch: int | None = None,
        precision: Precision = "f32",
        cache: Path | None = None,
        identity: str | None = None,
    ) -> None:
        self._library = load_openvino()
        self.version = openvino_version(self._library)
        self.precision: Precision = precision
        self._core = self._library.Core()
        with own_signal_stack():  # the first question loads the plugin
            has_bf16 = "BF16" in self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not has_bf16:
            raise EngineError("OpenVINO does not compute in bf16 on this processor")
        # The layers of a quantized graph that are not in int8 compute in bf16 if possible: no accuracy is lost by it.
        hint = precision if precision != "int8" else "bf16" if has_bf16 else "f32"
        self._properties = {
            "INFERENCE_PRECISION_HINT": hint,  # by default it takes bf16 wherever the processor has that
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",  # off: activations in int8 only where `quantize` measured them
            "NUM_STREAMS": str(workers),
            "INFERENCE_NUM_THREADS": str(threads * workers),
            # A tenth faster if all cores are in use. With fewer, every process would be pinned to the same cores.
            "ENABLE_CPU_PINNING": "YES" if threads * workers >= available_cores() else "NO",
        }
        self._compiled, memory = self._find_or_compile(graph, batch, cache, identity)
        found = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if found != hint:
            raise EngineError(f"OpenVINO was asked for {hint} and took {found}")
        (image_input,) = self._compiled.inputs
        self.input_dtype: np.dtype[Any] = np.dtype(image_input.element_type.to_dtype())
        self.input_shape = tuple(
            side.get_length() if side.is_static else None for side in iter(image_input.partial_shape)
        )
        self.output_names = tuple(output.any_name for output in self._compiled.outputs)
        self._requests = threading.local()
        self._memory = memory  # the compiled graph reads from it without holding it: must be freed last
        self._run_once()

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float32]]:
        """A batch of images -> every output by its name."""
        request = self._request()
        images = np.require(images, requirements=["C", "W"])  # shared, not copied: `images` holds it until the end
        request.set_input_tensor(self._library.Tensor(images, shared_memory=True))
        request.infer({}, share_outputs=True, decode_strings=False)
        return {  # copies, as the thread's next run writes to the same memory
            name: np.array(request.get_output_tensor(index).data, np.float32)
            for index, name in enumerate(self.output_names)
        }

    def _request(self) -> Any:
        """The calling thread's own."""
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._compiled.create_infer_request()
        return request

    def _run_once(self) -> None:
        """Run the graph before other threads may: with several threads at the first run, 1 process in 12 hung."""
        batch, *sides = self.input_shape
        shape = (batch or 1, *(TRIAL_SIDE if side is None else side for side in sides))
        self.run(np.zeros(shape, self.input_dtype))

    def _find_or_compile(
        self, graph: Path | bytes, batch: int | None, cache: Path | None, identity: str | None
    ) -> tuple[Any, Any]:
        """The compiled graph, and the memory that must outlive it, if there is any."""
        place = None
        if cache is not None and identity is not None:
            here = processor()
            facts = (self.name, self._library.get_version(), here.name, sorted(here.flags or ()), batch, self.precision)
            place = compiled_place(cache, identity, facts)
        if place is not None and (memory := read_compiled(place)) is not None:
            try:
                tensor = self._library.Tensor(memory, shared_memory=True)
                return self._core.import_model(tensor, DEVICE, self._properties), memory
            except Exception as error:
                logger.warning("%s: OpenVINO cannot load it: %s; it is compiled again", place, _reason(error))
        compiled = self._compile(graph, batch)
        if place is not None:
            keep_compiled(place, compiled.export_model)
        return compiled, None

    def _compile(self, graph: Path | bytes, batch: int | None) -> Any:
        try:
            source = (graph, b"") if isinstance(graph, bytes) else (str(graph),)
            model = self._core.read_model(*source)
            if batch is not None:
                shape = model.inputs[0].partial_shape
                shape[0] = batch
                model.reshape(shape)
            return self._core.compile_model(model, DEVICE, self._properties)
        except Exception as error:  # the bindings raise RuntimeError, TypeError and whatever they wrap
            name = "the graph" if isinstance(graph, bytes) else str(graph)
            raise WeightsError(f"{name}: OpenVINO cannot load it: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The message in one line, without places in OpenVINO's source."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(NOISE)) or type(error).__name__
