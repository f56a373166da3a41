"""`Bundle`, a model with loading and saving: where the value and its readers and writers meet."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from regnety.bundle.folders.ours import save_bundle
from regnety.bundle.model import Model
from regnety.bundle.resolver import resolve
from regnety.errors import RegNetYError, WeightsError
from regnety.files.arrays import Array
from regnety.metadata.model_metadata import ModelMetadata

logger = logging.getLogger("regnety")


class Bundle(Model):
    """Everything that is needed to run a model.

    Args:
        metadata: design, classes, labels, preprocessing, provenance.
        weights: key to array, as the description names them; read when they are first used. Empty for a model
            quantized to int8, which is its graph.
        name: what messages call it.
        path: the file or folder it came from, if any.
        files: the files that it was read from; None for a model made in memory.
        notice: one sentence on what was assumed, where the files do not say everything; else None.
        graph: the ONNX file or OpenVINO model that it was read from; None where it was read from weights.
        training_files: what it was trained on; None where that is not known.

    Raises:
        WeightsError: the weights do not fit the design, or a model in int8 has no graph.
    """

    @classmethod
    def load(cls, model: "str | Path | Model", *, quiet: bool = False, state_dict: str | None = None) -> Self:
        """Resolve MODEL.

        Args:
            model: a name (its weights are fetched where they are not on this disk), `hf-hub:owner/name`, a folder of
                ours, timm's or transformers', a checkpoint file of any dialect, an ONNX file, or an OpenVINO model.
            quiet: show no progress of what is fetched.
            state_dict: which of a checkpoint's state dicts, by its name (`inspect_model` lists them); None is the best
                of its training, else averaged weights, else raw ones.

        Raises:
            UnknownModelError: the name is not known, or its weights are unavailable.
            WeightsError: the folder or file is no model, or the weights do not fit.
        """
        return cls._of(resolve(model, quiet=quiet, state_dict=state_dict))

    @classmethod
    def _of(cls, model: Model) -> Self:
        if isinstance(model, cls):
            return model
        # Not by the constructor: the reader's own constructor has compared all keys and shapes.
        bundle = object.__new__(cls)
        bundle.__dict__.update(model.__dict__)
        return bundle

    def save(
        self,
        folder: str | Path,
        *,
        dtype: Literal["f32", "f16", "float32", "float16"] = "f32",
        add_files: Callable[[Path], None] | None = None,
    ) -> Path:
        """Write config.json, model.safetensors and README.md; the folder is replaced as a whole.

        Where it is known what the model was trained on, training_files.bin says so. A model quantized to int8 has its
        graph, model.onnx, in place of the weights, and no fields for timm in config.json.

        Args:
            folder: where; a bundle that is already there is replaced.
            dtype: floating-point type of the weights in the file.
            add_files: called with the temporary folder before it takes its place; if it raises, nothing is kept.

        Raises:
            WeightsError: the folder holds something else than a bundle, a value is not finite in `dtype`, or it is an
                int8 model of OpenVINO's.
        """
        return save_bundle(self, Path(folder), dtype=dtype, add_files=add_files)

    def say_if_not_for_timm(self, folder: str | Path) -> None:
        """Log a warning where timm cannot load what was saved there: for a folder that is made for others."""
        from regnety.weights.dialects.timm import TIMM  # no prediction needs it

        if not self.is_quantized and (obstacle := TIMM.obstacle(self.architecture)):
            logger.warning("%s: timm cannot load this bundle: %s", folder, obstacle)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the files by their place, or the weights themselves where there are no files.

        Raises:
            WeightsError: it is quantized to int8, and its graph is gone.
        """
        # What the files do not say: the caller may have changed the name.
        facts = {"name": self.name, "notice": self.notice, "training_files": self.training_files}
        fingerprint = self.fingerprint()
        if self.path is not None:
            path = Path(os.path.abspath(self.path))  # the other process may run in another folder
            # A large model travels as its path, and each worker maps the same file.
            if _is_there(path, self.metadata, fingerprint):
                return _read_again, (path, self.metadata, fingerprint, facts)
        if self.is_quantized:
            raise WeightsError(f"{self.name}: its graph is gone, so it cannot be sent to another process")
        return _with_weights, (self.metadata, {key: np.array(self.weights[key]) for key in self.stored_keys()}, facts)


def _is_there(path: Path, metadata: ModelMetadata, fingerprint: str) -> bool:
    """Whether reading that path without any other argument gives the same model: it may have been replaced since."""
    try:
        return _read(path, metadata, {}).fingerprint() == fingerprint
    except (RegNetYError, OSError):
        return False


def _read(path: Path, metadata: ModelMetadata, facts: Mapping[str, Any]) -> Bundle:
    found = resolve(path)
    # With the metadata that was sent: labels and preprocessing may be other ones than the file's.
    weights: Mapping[str, Array] = {} if metadata.is_quantized else found.weights
    return Bundle(metadata, weights, path=found.path, files=found.files, graph=found.graph, **facts)


def _read_again(path: Path, metadata: ModelMetadata, fingerprint: str, facts: Mapping[str, Any]) -> Bundle:
    bundle = _read(path, metadata, facts)
    if bundle.fingerprint() != fingerprint:  # a training may have replaced it meanwhile
        raise WeightsError(f"{path}: has changed since the model was sent to this process; load it again")
    return bundle


def _with_weights(metadata: ModelMetadata, weights: dict[str, Array], facts: Mapping[str, Any]) -> Bundle:
    return Bundle(metadata, weights, **facts)
