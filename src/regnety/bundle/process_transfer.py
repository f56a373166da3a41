"""A bundle for another process, as pickle sends it: its files by their place, or its weights where it has no files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.bundle.fingerprint import fingerprint
from regnety.bundle.resolver import resolve
from regnety.errors import RegNetYError, WeightsError
from regnety.files.arrays import Array
from regnety.metadata.model_metadata import ModelMetadata


def pickled(bundle: Bundle) -> tuple[Any, ...]:
    """What pickle needs to make a bundle again.

    Raises:
        WeightsError: it computes in int8, and its graph is not there any more.
    """
    facts = {"name": bundle.name, "notice": bundle.notice, "training_files": bundle.training_files}
    wanted = fingerprint(bundle)
    if bundle.path is not None:
        path = Path(os.path.abspath(bundle.path))
        if _is_there(path, bundle.metadata, wanted):
            return _read_again, (path, bundle.metadata, wanted, facts)
    if bundle.metadata.calibration is not None:
        raise WeightsError(f"{bundle.name}: its graph is not there any more, so that it cannot be sent elsewhere")
    keys = [key for key in bundle.architecture.state_dict_shapes() if key in bundle.weights]
    return _with_weights, (bundle.metadata, {key: np.array(bundle.weights[key]) for key in keys}, facts)


def _is_there(path: Path, metadata: ModelMetadata, wanted: str) -> bool:
    """Whether what stands there, read as it would be without a word more, is the model."""
    try:
        return fingerprint(_read(path, metadata, {})) == wanted
    except (RegNetYError, OSError):
        return False


def _read(path: Path, metadata: ModelMetadata, facts: Mapping[str, Any]) -> Bundle:
    found = resolve(path)
    weights: Mapping[str, Array] = {} if metadata.calibration is not None else found.weights
    return Bundle(metadata, weights, path=found.path, files=found.files, graph=found.graph, **facts)


def _read_again(path: Path, metadata: ModelMetadata, wanted: str, facts: Mapping[str, Any]) -> Bundle:
    bundle = _read(path, metadata, facts)
    if fingerprint(bundle) != wanted:
        raise WeightsError(f"{path}: is not the model any more that it was when it was sent here; load it anew")
    return bundle


def _with_weights(metadata: ModelMetadata, weights: dict[str, Array], facts: Mapping[str, Any]) -> Bundle:
    return Bundle(metadata, weights, **facts)
