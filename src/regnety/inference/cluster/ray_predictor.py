"""`RayPredictor`: a `Predictor` in each worker of a Ray cluster.

Ray Data moves the work: names go to the workers, which read the images themselves, and answers come back. A worker is
an actor with a predictor, so an image is treated as on one machine. If a worker dies, Ray starts another one and gives
it the images whose answers had not come back.
"""

import math
import pickle
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias, Unpack

from regnety.bundle.bundle import Bundle
from regnety.catalog.models import DEFAULT_MODEL
from regnety.errors import ClusterError, ImageError, RegNetYError
from regnety.images.sources import ImageSource, is_single_image, source_name
from regnety.inference.cluster.connection import AUTO, connected
from regnety.inference.cluster.one_plan import one_plan
from regnety.inference.cluster.shipped_model import ShippedModel, ship
from regnety.inference.engines.registry import Engine
from regnety.inference.options import KeywordSignature, RunFields, RunOptions
from regnety.inference.pipeline import Output
from regnety.inference.predictor import Prediction, Predictor, check_question
from regnety.inference.tuning import Plan
from regnety.text import counted, one_line

WINDOW = 32_768
"""Images per worker, as names, that are handed to Ray at a time: bounds the memory. Between two windows the workers
start again, which takes seconds after minutes of work."""
BLOCKS = 8
"""A worker's share of a window is divided into at least this many, so that a slower worker gets fewer."""
BLOCK = 256
"""Most images in a block, which is done again when a worker dies."""
ATTEMPTS = 4
"""A block is given to at most this many workers, one after the other died: an image in it may be what kills them."""

Answer: TypeAlias = Prediction | Output


class RayPredictor:
    """A model in every worker of a Ray cluster, ready for images. Connected until `close`, or the end of a `with`.

    Args:
        model: as for `Predictor`.
        address: `local`, `auto` or HOST:PORT (`connected`).
        ray_workers: processes, each with the model; None is as many as the cluster has room for.
        options: as for `Predictor`; their `workers` are the threads of each process, None one for each processor of the
            smallest node, four at most.
        labels: as for `Predictor`.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster at the address, or it has no room for a worker.
        ValueError: as `Predictor`, or `ray_workers` is below 1.
    """

    __signature__ = KeywordSignature()
    engine: Engine | None = None
    """None: each worker has its own, of the same name and precision."""
    plan: Plan | None = None
    """What all workers use, from the first answer on."""

    def __init__(
        self,
        model: str | Path | Bundle = DEFAULT_MODEL,
        *,
        address: str = AUTO,
        ray_workers: int | None = None,
        options: RunOptions | None = None,
        labels: str | Path | Sequence[str] | None = None,
        **changes: Unpack[RunFields],
    ) -> None:
        if ray_workers is not None and (not isinstance(ray_workers, int) or ray_workers < 1):
            raise ValueError(f"ray_workers must be a whole number of at least 1, got {ray_workers!r}")
        predictor = Predictor(model, options=options, labels=labels, **changes)  # fails here, not in a worker
        self.bundle, self.options = predictor.bundle, predictor.options
        self._connection = ExitStack()
        self.cluster = self._connection.enter_context(connected(address))
        try:
            self.ray_workers, self.workers = self.cluster.workers(ray_workers, self.options.workers)
        except BaseException:
            # else an instance that was started here would outlive the error
            self.close()
            raise

    def __enter__(self) -> "RayPredictor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; an instance that was started for this one is stopped."""
        self._connection.close()

    def describe(self) -> str:
        """`2 Ray workers of 4 threads on 3 nodes`."""
        where = "this machine" if self.cluster.started else counted(len(self.cluster.processors), "node")
        return f"{counted(self.ray_workers, 'Ray worker')} of {counted(self.workers, 'thread')} on {where}"

    def predict(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        min_probability: float = 0.0,
        on_error: Literal["raise", "record"] = "raise",
    ) -> list[Prediction]:
        """Classify images, or a single one, as `Predictor.predict` does.

        Raises:
            ImageError: as `stream`.
            ClusterError: as `stream`.
            ValueError: as `stream`.
        """
        return list(self.stream(images, top_k, min_probability=min_probability, on_error=on_error))

    def stream(
        self,
        images: Iterable[ImageSource] | ImageSource,
        top_k: int = 5,
        *,
        min_probability: float = 0.0,
        on_error: Literal["raise", "record"] = "raise",
        count: float | None = None,
    ) -> Iterator[Prediction]:
        """Classify images, in their order, as `Predictor.stream` does.

        Names are sent, and bytes only of images without a name. Some ten thousand images are taken ahead from `images`.

        Args:
            images: as for `Predictor.stream`.
            top_k: as there.
            min_probability: as there.
            on_error: as there.
            count: not used: the names are counted here.

        Raises:
            ImageError: an image cannot be read, with `on_error="raise"`.
            ClusterError: a worker cannot run the model, or dies again and again, or the cluster is gone.
            ValueError: as `Predictor.predict`.
        """
        check_question(top_k, min_probability, on_error)
        sources: Iterable[ImageSource] = [images] if is_single_image(images) else images  # type: ignore[list-item, assignment]
        return self._predictions(sources, {"top_k": top_k, "min_probability": min_probability}, on_error)

    def outputs(self, sources: Iterable[ImageSource], *, count: float | None = None) -> Iterator[Output]:
        """The logits of each image, in order, as `Predictor.outputs` gives them; nothing depends on `count`.

        Raises:
            ClusterError: as `stream`.
        """
        for output in self._answers(sources, None):
            assert isinstance(output, Output)
            yield output

    def _predictions(
        self, images: Iterable[ImageSource], question: dict[str, Any], on_error: str
    ) -> Iterator[Prediction]:
        for number, answer in enumerate(self._answers(images, question)):
            assert isinstance(answer, Prediction)
            placed = _at(answer, number)
            if placed.error is not None and on_error == "raise":
                raise ImageError(placed.error)
            yield placed

    def _answers(self, images: Iterable[ImageSource], question: dict[str, Any] | None) -> Iterator[Answer]:
        """In the images' order: predictions, as these arguments of `stream` ask for; the logits where it is None."""
        remaining, number = iter(images), 0
        model: ShippedModel | None = None
        ledger: Any = None
        plan: Any = None
        while window := list(islice(remaining, WINDOW * self.ray_workers)):
            if model is None:
                model, ledger = ship(self.bundle, same_machine=self.cluster.started), _start_ledger()
                plan = self._one_plan(window, model)
            answered = 0
            for answer in self._window(window, number, question, model, ledger, plan):
                self.plan = plan
                answered += 1
                yield answer
            # a block that came twice or never would give all later images the answers of others
            if answered != len(window):
                raise ClusterError(f"Ray gave {counted(answered, 'answer')} to {counted(len(window), 'image')}")
            number += answered

    def keep_to(self, engine: str, precision: str) -> None:
        """As for `Predictor`; workers without that engine say so themselves."""
        self.options = self.options.kept_to(engine, precision)

    def _one_plan(self, images: list[ImageSource], model: ShippedModel) -> Plan:
        try:
            return one_plan(
                model,
                self.bundle,
                replace(self.options, workers=self.workers),
                images,
                workers=self.ray_workers,
                same_machine=self.cluster.started,
            )
        except RegNetYError:
            raise
        except Exception as error:  # Ray raises whatever its parts raise
            raise ClusterError(f"Ray: {_reason(error)}") from error

    def _window(
        self,
        images: list[ImageSource],
        number: int,
        question: dict[str, Any] | None,
        model: ShippedModel,
        ledger: Any,
        plan: Plan,
    ) -> Iterator[Answer]:
        size = min(BLOCK, max(1, math.ceil(len(images) / (BLOCKS * self.ray_workers))))
        blocks = {number + start: images[start : start + size] for start in range(0, len(images), size)}
        workers = min(self.ray_workers, len(blocks))
        options = replace(self.options, engine=plan.engine, precision=plan.precision, workers=self.workers)
        arguments = (model, ledger, options, question, len(images) / workers)
        try:
            for answer in _mapped(blocks, workers, self.workers, arguments):
                if isinstance(answer, _Failure):
                    first = "" if answer.block is None else f"; the first is {source_name(blocks[answer.block][0])}"
                    raise ClusterError(f"Ray worker: {answer.reason}{first}")
                yield answer
        except RegNetYError:
            raise
        except Exception as error:  # Ray raises whatever its parts raise
            raise ClusterError(f"Ray: {_reason(error)}") from error


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a worker has no answer."""

    reason: str
    """One line."""
    block: int | None = None
    """The block to blame, if there is one."""


class _Ledger:
    """Counts how often each block was begun; it outlives the workers."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._begun: Counter[int] = Counter()

    def begin(self, block: int) -> str | None:
        """Why the block must not be begun again; None if it may be."""
        if self._begun[block] == self._attempts:
            return f"{self._attempts} workers died of the same images"
        self._begun[block] += 1
        return None

    def end(self, block: int) -> None:
        """The block is answered."""
        del self._begun[block]


def _start_ledger() -> Any:
    import ray

    # no processor of its own: workers may need all that there are
    return ray.remote(num_cpus=0)(_Ledger).remote(ATTEMPTS)


class _Worker:
    """Answers blocks, in its own process, perhaps on another machine."""

    def __init__(
        self, model: ShippedModel, ledger: Any, options: RunOptions, question: dict[str, Any] | None, count: float
    ) -> None:
        self._question, self._count = question, count
        self._ledger = ledger
        self._failure: _Failure | None = None
        try:
            self._predictor = Predictor(model.bundle(), options=options)
        except (RegNetYError, OSError) as error:
            # Reported with the first block: Ray would start a worker that fails here again and again.
            self._failure = _Failure(one_line(error))

    def __call__(self, table: Any) -> Any:
        import pyarrow as pa

        answers = self._answers(table["block"][0].as_py(), table["images"][0].as_py())
        return pa.table({"answers": [pickle.dumps(answers)]})

    def _answers(self, block: int, images: bytes) -> "list[Answer | _Failure]":
        import ray

        if self._failure is not None:
            return [self._failure]
        refused = ray.get(self._ledger.begin.remote(block))
        if refused:  # Ray by itself would give it to worker after worker for ever
            return [_Failure(refused, block)]
        sources: list[ImageSource] = pickle.loads(images)
        try:
            answers = list(self._answers_to(sources))
        except RegNetYError as error:
            return [_Failure(str(error))]
        self._ledger.end.remote(block)
        return [*answers]

    def _answers_to(self, sources: list[ImageSource]) -> Iterator[Answer]:
        if self._question is None:
            return self._predictor.outputs(iter(sources), count=self._count)
        return self._predictor.stream(iter(sources), **self._question, on_error="record", count=self._count)


def _mapped(
    blocks: Mapping[int, list[ImageSource]], workers: int, threads: int, arguments: tuple[Any, ...]
) -> "Iterator[Answer | _Failure]":
    """The answers to all blocks, in their order."""
    import pyarrow as pa
    import ray.data

    # a copy: whatever else this process does with Ray Data keeps its settings
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True  # else the fastest worker's blocks come first
    with ray.data.DataContext.current(context):
        # pickled, as a source may be a name, bytes or an array, of which Arrow makes no column
        tables = [pa.table({"block": [number], "images": [pickle.dumps(block)]}) for number, block in blocks.items()]
        dataset = ray.data.from_blocks(tables).map_batches(
            _Worker,
            batch_size=None,  # a table is a block, whole
            batch_format="pyarrow",
            concurrency=workers,
            num_cpus=threads,
            fn_constructor_args=arguments,
        )
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        for answers in batch["answers"]:
            yield from pickle.loads(answers.as_py())


def _at(prediction: Prediction, number: int) -> Prediction:
    """Number an image without a name by its place among all, which its worker does not know."""
    if prediction.error is None or prediction.filename is not None:
        return prediction
    return replace(prediction, error=re.sub(r"^images\[\d+\]", f"images[{number}]", prediction.error))


def _reason(error: BaseException) -> str:
    """What is said at the end of Ray's text, which begins with the traceback of another process."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
