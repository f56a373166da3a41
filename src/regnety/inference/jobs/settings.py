"""What the answers of one model have in common, for a job that is gone on with."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from regnety.bundle.bundle import Bundle
from regnety.errors import EngineError, JobError, MissingExtraError
from regnety.inference.engines.registry import Engine
from regnety.inference.tuning import Plan


class Answering(Protocol):
    """What answers images: `Predictor`, `Embedder`, `RayPredictor`."""

    @property
    def engine(self) -> Engine | None:
        """From the first answer on; None where it is another machine's."""

    @property
    def plan(self) -> Plan | None:
        """How the model is run, from the first answer on."""

    def keep_to(self, engine: str, precision: str) -> None:
        """Answer so and not otherwise."""


def model_settings(bundle: Bundle) -> dict[str, Any]:
    """Weights, preprocessing and class names as JSON values; engine, precision and threads are not in them."""
    preprocessing = bundle.preprocessing.as_dict()
    labels = None if bundle.labels is None else json.dumps(bundle.labels).encode("ascii")
    return {
        "weights": bundle.fingerprint(),
        **{name: preprocessing[name] for name in ("image_size", "crop_pct", "interpolation", "mean", "std")},
        "labels": None if labels is None else hashlib.sha256(labels).hexdigest(),
    }


def engine_facts(model: Answering) -> dict[str, Any]:
    """What is kept with a part of a job: all of a job's rows come from one engine, in one precision."""
    return {} if model.plan is None else {"engine": model.plan.engine, "precision": model.plan.precision}


def go_on_with(model: Answering, facts: Mapping[str, Any], output: str) -> None:
    """See that a job's images are answered as those before were: `facts` are of its first part.

    Raises:
        JobError: that engine is not here, or another one is asked for.
    """
    engine, precision = facts.get("engine"), facts.get("precision")
    if not isinstance(engine, str) or not isinstance(precision, str):
        return  # nothing was answered yet
    try:
        model.keep_to(engine, precision)
    except (EngineError, MissingExtraError) as error:
        raise JobError(
            f"{output}: its unfinished job was answered by {engine} in {precision}, and all of it has to be: {error}"
        ) from error
