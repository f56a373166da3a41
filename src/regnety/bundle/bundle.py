"""A bundle: architecture, weights, labels, preprocessing and provenance, in a folder of the Hub's layout."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from regnety.architecture.description import Architecture
from regnety.bundle.timm_config import timm_config
from regnety.bundle.training_files import TrainingFiles, stored_training_files
from regnety.errors import WeightsError
from regnety.files.arrays import Array, FileWeights, LazyWeights, StoredTensor, stored
from regnety.files.content_identity import ModelFiles
from regnety.files.file_names import CONFIG_FILE, GRAPH_DATA_FILE, GRAPH_FILE, TRAINING_FILES, WEIGHTS_FILE
from regnety.files.opening import read_file_text
from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
from regnety.graph.stored_graph import StoredGraph
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_dict
from regnety.preprocessing import Preprocessing
from regnety.storage import replacing_folder
from regnety.weights.dialects.timm import TIMM
from regnety.weights.shape_check import check_fit

CARD_FILE = "README.md"
BUNDLE_FILES = {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, GRAPH_FILE, GRAPH_DATA_FILE, TRAINING_FILES}
"""All that may stand in a bundle's folder; whoever replaces a bundle replaces these."""

logger = logging.getLogger("regnety")


class Bundle:
    """Everything that is needed to run a model.

    Args:
        metadata: design, classes, labels, preprocessing, provenance.
        weights: key to array, as the description names them; read when they are first asked for. Nothing for a model
            that computes in int8, which is its graph.
        name: how people and messages call it.
        path: the file or folder it came from, if any.
        files: those that it was read from; None for a model made in memory.
        notice: one sentence on what was assumed, where the files do not say everything; None where they do.
        graph: the ONNX file or OpenVINO model that it was read from; None where it was read from weights.
        training_files: what it was trained on; None where that is not known.

    Raises:
        WeightsError: the weights do not fit the design, or a model in int8 has no graph.
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
        if metadata.calibration is None:
            check_fit(self.architecture, weights, source=str(path or name))
        elif graph is None:
            raise WeightsError(f"{path or name}: computes in int8, and has no graph that does")

    @property
    def weights(self) -> Mapping[str, Array]:
        """Key to array, as the description names them.

        Raises:
            WeightsError: the model computes in int8, and keeps no weights in floating point.
        """
        if self.metadata.calibration is not None:
            raise WeightsError(
                f"{self.name}: is quantized to int8 and keeps no float weights; name the model that it was made from"
            )
        return self._weights

    @property
    def stamp(self) -> str | None:
        """What is in the files that it was read from, in hexadecimal; None for a model made in memory."""
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
        """What the model wants to be shown."""
        return self.metadata.preprocessing

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Licence, source, data and command, as far as they are known."""
        return self.metadata.provenance

    @classmethod
    def load(cls, model: "str | Path | Bundle", *, quiet: bool = False, state_dict: str | None = None) -> "Bundle":
        """Resolve MODEL.

        Args:
            model: a name (its weights are fetched where they are not on this disk), `hf-hub:owner/name`, a folder of
                ours, timm's or transformers', a checkpoint file of any dialect, an ONNX file, or an OpenVINO model.
            quiet: show no progress of what is fetched.
            state_dict: which of a checkpoint's state dicts, by its name (`inspect_model` lists them); None is the best
                of its training, else averaged weights, else raw ones.

        Raises:
            UnknownModelError: the name is not known, or its weights cannot be had.
            WeightsError: the folder or file is no model, or the weights do not fit.
        """
        from regnety.bundle.resolver import resolve

        return resolve(model, quiet=quiet, state_dict=state_dict)

    def with_preprocessing(self, preprocessing: Preprocessing) -> "Bundle":
        """The same model, shown its pictures otherwise: another size or crop."""
        if preprocessing == self.preprocessing:
            return self
        return self._with(preprocessing=preprocessing)

    def _with(self, **changes: Any) -> "Bundle":
        """The same model with some of its metadata changed."""
        return Bundle(
            replace(self.metadata, **changes),
            self._weights,
            name=self.name,
            path=self.path,
            files=self.files,
            notice=self.notice,
            graph=self.graph,
            training_files=self.training_files,
        )

    def with_labels(self, labels: Sequence[str] | None) -> "Bundle":
        """The same model with other class names, one for each of its classes.

        Raises:
            WeightsError: there are more or fewer names than classes.
        """
        try:
            return self._with(labels=None if labels is None else tuple(labels))
        except WeightsError as error:
            raise WeightsError(f"{self.name}: {error}") from None

    def save(
        self,
        folder: str | Path,
        *,
        dtype: Literal["float32", "float16"] = "float32",
        add_files: Callable[[Path], None] | None = None,
    ) -> Path:
        """Write config.json, model.safetensors and README.md; the folder is replaced as a whole.

        Where it is known what the model was trained on, training_files.bin says so.

        A model that computes in int8 has its graph, model.onnx, in place of the weights, and nothing of timm's in
        config.json.

        Args:
            folder: where; what stood there is replaced if it was a bundle.
            dtype: floating-point type of the weights in the file.
            add_files: called with the folder beside its place before it goes there; what it raises keeps it away.

        Raises:
            WeightsError: something else stands at that place, or a value is not finite in `dtype`; or it is an int8
                model of OpenVINO's.
        """
        from regnety.bundle.card import model_card  # no prediction needs it

        folder = Path(folder)
        if folder.exists():
            check_replaceable(folder)
        config = {KEY: self.metadata.as_dict()}
        if self.metadata.calibration is None:
            config = {**timm_config(self.architecture, self.preprocessing), **config}
        with replacing_folder(folder) as beside:
            self._write_weights(beside, dtype)
            (beside / CONFIG_FILE).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
            (beside / CARD_FILE).write_text(model_card(self), "utf-8")
            if self.training_files is not None:
                self.training_files.write(beside)
            if add_files is not None:
                add_files(beside)
        return folder

    def say_if_not_for_timm(self, folder: str | Path) -> None:
        """Log a warning where timm cannot load what was saved there: for whoever makes a folder for others."""
        if self.metadata.calibration is None and (obstacle := TIMM.obstacle(self.architecture)):
            logger.warning("%s: timm cannot load this bundle: %s", folder, obstacle)

    def _write_weights(self, folder: Path, dtype: str) -> None:
        """The weights, or the graph of a model that has none."""
        if self.metadata.calibration is not None:
            from regnety.graph.int8_copies import copy_quantized  # it needs the package onnx

            assert self.graph is not None
            copy_quantized(self.graph.path, folder / GRAPH_FILE, self.metadata)
            return
        keys = [key for key in self.architecture.state_dict_shapes() if key in self.weights]
        weights = FileWeights({key: _stored_as(key, self.weights, dtype) for key in keys}, source=self.name)
        write_safetensors(folder / WEIGHTS_FILE, weights)

    def __reduce__(self) -> tuple[Any, ...]:
        from regnety.bundle.process_transfer import pickled

        return pickled(self)

    def __deepcopy__(self, memo: object) -> "Bundle":
        return self  # nothing of a bundle changes

    def __repr__(self) -> str:
        return f"Bundle({self.name!r}, num_classes={self.metadata.num_classes})"


def _stored_as(key: str, weights: Mapping[str, Array], dtype: str) -> StoredTensor:
    """A tensor that is converted when it is written: of a large model one at a time."""
    if key.endswith("num_batches_tracked"):
        return stored(np.asarray(weights[key]))
    return StoredTensor(_shape(weights, key), dtype, partial(_as_type, key, weights, dtype))


def _shape(weights: Mapping[str, Array], key: str) -> tuple[int, ...]:
    return weights.shape(key) if isinstance(weights, LazyWeights) else weights[key].shape


def _as_type(key: str, weights: Mapping[str, Array], dtype: str) -> Array:
    """Convert floating-point values; float16 ends at 65504, and a running variance may be larger."""
    value = np.asarray(weights[key])
    with np.errstate(over="ignore"):
        converted = value.astype(dtype, copy=False)
    if not np.isfinite(converted).all():
        raise WeightsError(f"has values that are not finite in {dtype}")
    return converted


def read_bundle(folder: Path, *, name: str | None = None) -> Bundle:
    """Read a bundle folder; of the weights only names and shapes are read now.

    Weights are taken from model.safetensors, and from model.onnx where there is no such file.

    Raises:
        WeightsError: a file is missing or damaged; the message begins with its name.
    """
    metadata = metadata_from_dict(read_config(folder).get(KEY), source=str(folder / CONFIG_FILE))
    name = name or str(folder)
    training_files = stored_training_files(folder)
    only_graph = (folder / GRAPH_FILE).exists() and not (folder / WEIGHTS_FILE).exists()
    if not only_graph and metadata.calibration is None:
        weights = SafetensorsWeights(folder / WEIGHTS_FILE)
        files = ModelFiles([weights.file])
        return Bundle(metadata, weights, name=name, path=folder, files=files, training_files=training_files)
    from regnety.graph.onnx_files import read_onnx

    graph = read_onnx(folder / GRAPH_FILE)
    return Bundle(
        metadata,
        weights_in(graph, metadata),
        name=name,
        path=folder,
        files=ModelFiles(graph.mapped),
        graph=graph,
        training_files=training_files,
    )


def weights_in(graph: StoredGraph, metadata: ModelMetadata) -> Mapping[str, Array]:
    """The weights of a graph that regnety wrote; of one in int8 nothing, as none are left there.

    Raises:
        WeightsError: a layer is not in the file.
    """
    if metadata.calibration is not None:
        return {}
    from regnety.graph.extraction import ExtractedWeights

    return ExtractedWeights(metadata.design.architecture(metadata.num_classes, metadata.in_chans), graph)


def read_config(folder: Path) -> dict[str, Any]:
    """A folder's config.json, whoever wrote it.

    Raises:
        WeightsError: there is none, or it is not JSON; the message begins with its name.
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(read_file_text(path))
    except FileNotFoundError:
        raise WeightsError(f"{folder}: is not a bundle, it has no {CONFIG_FILE}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON: {error}") from error
    return config if isinstance(config, dict) else {}


def is_bundle(folder: Path) -> bool:
    """Whether a folder has a config.json of ours; another program's is not enough."""
    try:
        return KEY in read_config(folder)
    except WeightsError:
        return False


def check_replaceable(folder: Path) -> None:
    """An empty folder may be replaced, and a bundle of ours; nothing that is not a bundle's may be lost with it.

    Raises:
        WeightsError: what stands there is neither.
    """
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else None
    if names is None or (names and not is_bundle(folder)):
        raise WeightsError(f"{folder}: exists and is not a bundle; name another folder")
    if others := sorted(names - BUNDLE_FILES):
        raise WeightsError(f"{folder}: holds {others[0]} beside the bundle, which would be lost; name another folder")
