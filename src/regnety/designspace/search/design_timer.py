"""Times designs that have no weights: random ones take as long."""

from regnety.architecture.description import AnyDesign
from regnety.bundle.bundle import Bundle
from regnety.designspace.search.budget import Measured
from regnety.errors import EngineError
from regnety.inference.latency.benchmark import engines_to_time, with_auto
from regnety.inference.latency.timed_models import TimedModel
from regnety.inference.latency.timing import Timing
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.random_weights import RandomWeights


class DesignTimer:
    """Measures designs on this machine, each in a process of its own. What was measured before is in the cache.

    Args:
        image_size: side of a picture in pixels.
        num_classes: outputs of the classifier.
        engine: its name; `auto` is the fastest of those that `auto` tries, for each design.
        precision: `f32` or `bf16`; `auto` is the faster one.
        threads: of a prediction; None is one per core.
        fresh: measure again what is in the cache.

    Raises:
        EngineError: the engine is not installed, or lacks the precision.
    """

    def __init__(
        self,
        *,
        image_size: int,
        num_classes: int,
        engine: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        fresh: bool = False,
    ) -> None:
        self._preprocessing = Preprocessing().with_changes(image_size=image_size)
        self._num_classes = num_classes
        self._pairs = engines_to_time((engine,), (precision,))
        self._threads, self._fresh = threads, fresh

    def measure(self, design: AnyDesign, *, name: str, limit_ms: float | None = None) -> Measured:
        """The fastest way to run a design.

        Args:
            design: what is measured.
            name: what messages call it.
            limit_ms: a design that is far slower is not measured to the end.

        Raises:
            EngineError: no engine can run it.
        """
        architecture = design.architecture(self._num_classes)
        metadata = ModelMetadata(
            design=design,
            num_classes=self._num_classes,
            in_chans=3,
            preprocessing=self._preprocessing,
            labels=None,
            provenance={},
        )
        model = TimedModel(name, Bundle(metadata, RandomWeights(architecture), name=name), has_random_weights=True)
        with Timing(model, threads=self._threads, fresh=self._fresh) as timing:
            rows, errors = [], []
            for engine, precision in self._pairs:
                try:
                    rows.append(timing.row(engine, precision, batch_size=1, limit_ms=limit_ms))
                except EngineError as error:
                    errors.append(error)
            if not rows:
                raise errors[0]
            row = next(row for row in with_auto(timing.settled(rows)) if row.auto)
        return Measured(
            engine=row.engine,
            engine_version=row.engine_version,
            precision=row.precision,
            latency_ms=row.latency_p50_ms,
            latency_p99_ms=row.latency_p99_ms,
            memory_mib=row.memory_mib,
        )
