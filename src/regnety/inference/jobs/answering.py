"""The model behind a job: all rows come from one engine in one precision, whatever is installed by then."""

from collections.abc import Mapping
from typing import Any, Protocol

from regnety.errors import EngineError, JobError, MissingExtraError
from regnety.inference.engines.registry import Engine
from regnety.inference.tuning import Plan


class Answering(Protocol):
    """A model that answers images: `Predictor`, `Embedder`, `RayPredictor`."""

    @property
    def engine(self) -> Engine | None:
        """From the first answer on; None where it runs on another machine."""

    @property
    def plan(self) -> Plan | None:
        """How the model is run, from the first answer on."""

    def keep_to(self, engine: str, precision: str) -> None:
        """Use this engine and precision, and no other."""


def engine_facts(model: Answering) -> dict[str, Any]:
    """What is stored with each part of a job, for `keep_engine`."""
    return {} if model.plan is None else {"engine": model.plan.engine, "precision": model.plan.precision}


def keep_engine(model: Answering, facts: Mapping[str, Any], output: str) -> None:
    """Have the rest of a job answered by the engine that answered its first part.

    Raises:
        JobError: that engine is not installed, or another one is asked for.
    """
    engine, precision = facts.get("engine"), facts.get("precision")
    if not isinstance(engine, str) or not isinstance(precision, str):
        return  # nothing was answered yet, or only images that could not be read
    try:
        model.keep_to(engine, precision)
    except (EngineError, MissingExtraError) as error:
        raise JobError(
            f"{output}: its unfinished job was answered by {engine} in {precision}, and the rest must be too: {error}"
        ) from error
