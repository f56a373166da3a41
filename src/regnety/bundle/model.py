"""A model as a value: its metadata and weights, and where they came from. Nothing here reads or writes a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from regnety.architecture.description import Architecture
from regnety.bundle.training_files import TrainingFiles
from regnety.errors import WeightsError
from regnety.files.arrays import Array
from regnety.files.content_identity import ModelFiles
from regnety.graph.stored_graph import StoredGraph
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.shape_check import check_fit

# Training changes every tensor everywhere, and hashing all of a large model takes longer than classifying one image.
FINGERPRINT_ENDS = 4096
"""Bytes at the beginning and at the end of each tensor that a fingerprint covers."""


class Model:
    """Everything that is needed to run a model: what readers return.

    `Bundle` adds loading and saving, and says what the arguments are.
    """

    def __init__(
        self,
        metadata: ModelMetadata,
        weights: Mapping[str, Array],
        *,
        name: str = "model",
        path: Path | None = None,
        files: ModelFiles | None = None,
        notice: str | None = None,
        graph: StoredGraph | None = None,
        training_files: TrainingFiles | None = None,
    ) -> None:
        self.metadata = metadata
        self._weights = weights
        self.name = name
        self.path = path
        self.files = files
        self.notice = notice
        self.graph = graph
        self.training_files = training_files
        if not self.is_quantized:  # by names and shapes alone: no value is read for it
            check_fit(self.architecture, weights, source=str(path or name))
        elif graph is None:
            raise WeightsError(f"{path or name}: is quantized to int8, but there is no int8 graph")

    @property
    def is_quantized(self) -> bool:
        """Whether the model computes in int8; then its graph is all of it."""
        return self.metadata.is_quantized

    @property
    def weights(self) -> Mapping[str, Array]:
        """Key to array, as the description names them.

        Raises:
            WeightsError: the model is quantized to int8, and has no weights in floating point.
        """
        if self.is_quantized:
            raise WeightsError(
                f"{self.name}: is quantized to int8 and has no float weights; use the model that it was made from"
            )
        return self._weights

    @property
    def stamp(self) -> str | None:
        """The identity of its files' content, in hexadecimal; None for a model made in memory."""
        return None if self.files is None else self.files.identity

    @cached_property
    def architecture(self) -> Architecture:
        """The description of the network."""
        return self.metadata.design.architecture(self.metadata.num_classes, self.metadata.in_chans)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Class names by index; None where they are not known."""
        return self.metadata.labels

    @property
    def preprocessing(self) -> Preprocessing:
        """Size, crop and normalization that the model expects."""
        return self.metadata.preprocessing

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Licence, source, data and command, as far as they are known."""
        return self.metadata.provenance

    def with_preprocessing(self, preprocessing: Preprocessing) -> Self:
        """The same model with other preprocessing, such as another size or crop."""
        return self if preprocessing == self.preprocessing else self._with(preprocessing=preprocessing)

    def with_labels(self, labels: Sequence[str] | None) -> Self:
        """The same model with other class names, one for each of its classes.

        Raises:
            WeightsError: there are more or fewer names than classes.
        """
        try:
            return self._with(labels=None if labels is None else tuple(labels))
        except WeightsError as error:
            raise WeightsError(f"{self.name}: {error}") from None

    def _with(self, **changes: Any) -> Self:
        """The same model with changed metadata, but the same design and weights: these were checked already."""
        # `architecture` is copied along if it was computed: design and channels do not change here.
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, metadata=replace(self.metadata, **changes))
        return changed

    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal of the design and of both ends of every tensor: which model it is, wherever it is.

        Preprocessing and class names are not part of it. A graph is, as a file: it may compute something else than
        its weights say.
        """
        import hashlib  # loads OpenSSL, which answers do not wait for
        import json

        metadata = self.metadata.as_dict()
        # `calibration` distinguishes an int8 graph from the same design in float.
        facts = {name: metadata[name] for name in ("design", "num_classes", "in_chans", "calibration")}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii"))
        # Sorted, as files differ in the order of their tensors.
        for key in () if self.is_quantized else sorted(self.stored_keys()):
            value = np.asarray(self.weights[key])
            data = value.reshape(-1)
            length = FINGERPRINT_ENDS // value.itemsize
            digest.update(f"{key} {value.dtype} {value.shape}\n".encode("ascii"))
            digest.update(data[:length].tobytes() + data[-length:].tobytes())
        if self.graph is not None:
            digest.update(hashlib.sha256(self.graph.mapped[0].data).digest())
        return digest.hexdigest()

    def stored_keys(self) -> list[str]:
        """The keys of its weights, in the order of the layers; counters of batches may be missing."""
        return [key for key in self.architecture.state_dict_shapes() if key in self.weights]

    def __deepcopy__(self, memo: object) -> Self:
        return self  # nothing in it changes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, num_classes={self.metadata.num_classes})"
