"""`with_head`: a model with another classifier, as an ordinary bundle that every engine runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import WeightsError
from regnety.heads.head import Head

WEIGHT, BIAS = "head.fc.weight", "head.fc.bias"


def with_head(
    bundle: Bundle, head: Head, labels: Sequence[str] | None, *, provenance: Mapping[str, Any] | None = None
) -> Bundle:
    """The same network with another classifier; its logits are divided by the head's temperature.

    Args:
        bundle: the model whose embeddings the head was fitted on; it may have no classifier, or come from a checkpoint
            or an ONNX file.
        head: from `fit_head`.
        labels: a name for each class; None where there are none.
        provenance: facts of the new model. The temperature and the regularisation are added.

    Returns:
        A model in memory. It has the preprocessing and the record of training files of `bundle`.

    Raises:
        WeightsError: the model is quantized to int8, its embeddings have another number of features than the head, or
            there are more or fewer names than classes.
    """
    if bundle.is_quantized:
        raise WeightsError(
            f"{bundle.name}: is quantized to int8, so its classifier cannot be replaced; use the model that it was made"
            " from"
        )
    if head.num_features != bundle.architecture.num_features:
        raise WeightsError(
            f"{bundle.name}: has {bundle.architecture.num_features} features, the classifier was fitted on "
            f"{head.num_features}"
        )
    facts = {"temperature": round(head.temperature, 6), "regularization": head.regularization}
    try:
        metadata = replace(
            bundle.metadata,
            num_classes=head.num_classes,
            labels=None if labels is None else tuple(labels),
            provenance={**(provenance or {}), **facts},
        )
    except WeightsError as error:
        raise WeightsError(f"{bundle.name}: {error}") from None
    # Views of the file where it has the arrays themselves; counters of batches may be missing.
    weights = {key: np.asarray(bundle.weights[key]) for key in bundle.stored_keys() if key not in (WEIGHT, BIAS)}
    temperature = np.float32(head.temperature)
    weights |= {WEIGHT: head.weight / temperature, BIAS: head.bias / temperature}
    return Bundle(metadata, weights, name=bundle.name, training_files=bundle.training_files)


def with_temperature(bundle: Bundle, temperature: float) -> Bundle:
    """The same model, its logits divided by a temperature, which stands under its provenance.

    Args:
        bundle: a model with a classifier.
        temperature: above 0, from `fit_temperature` on the model's logits.

    Raises:
        WeightsError: the model is quantized to int8.
    """
    weights = {key: np.asarray(bundle.weights[key]) for key in bundle.stored_keys()}
    weights |= {key: (weights[key] / np.float32(temperature)).astype(np.float32) for key in (WEIGHT, BIAS)}
    provenance = {**bundle.provenance, "temperature": round(temperature, 6)}
    metadata = replace(bundle.metadata, provenance=provenance)
    return Bundle(metadata, weights, name=bundle.name, training_files=bundle.training_files)
