"""A bundle's folder: config.json with everything under the key `regnety`, weights or a graph, and a card."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from regnety.bundle.model import Model
from regnety.bundle.training_files import stored_training_files
from regnety.errors import WeightsError
from regnety.files.arrays import Array, FileWeights, LazyWeights, StoredTensor, stored
from regnety.files.content_identity import ModelFiles
from regnety.files.file_names import (
    CONFIG_FILE,
    GRAPH_DATA_FILE,
    GRAPH_FILE,
    PROCESSOR_FILE,
    TRAINING_FILES,
    WEIGHTS_FILE,
)
from regnety.files.number_types import stored_type
from regnety.files.opening import read_file_text
from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
from regnety.graph.stored_graph import StoredGraph
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_dict
from regnety.storage.replacing import replacing_folder

CARD_FILE = "README.md"
MODEL_FILES = {CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, GRAPH_FILE, GRAPH_DATA_FILE, TRAINING_FILES, PROCESSOR_FILE}
"""All that regnety writes into a model's folder, and what may be replaced with it; the last is transformers'."""
MARK = "regnety_version"
"""The field by which a folder for transformers, which has no metadata of ours, is known to be written by regnety."""


def read_bundle(folder: Path, *, name: str | None = None) -> Model:
    """Read a bundle folder; of the weights only names and shapes are read now.

    Weights are taken from model.safetensors, and from model.onnx where there is no such file.

    Raises:
        WeightsError: a file is missing or damaged; the message begins with its name.
    """
    metadata = metadata_from_dict(read_config(folder).get(KEY), source=str(folder / CONFIG_FILE))
    name = name or str(folder)
    training_files = stored_training_files(folder)
    # A folder with both is read by its weights: mapping them is faster than parsing the graph, and they are the same.
    only_graph = (folder / GRAPH_FILE).exists() and not (folder / WEIGHTS_FILE).exists()
    if not only_graph and not metadata.is_quantized:
        weights = SafetensorsWeights(folder / WEIGHTS_FILE)
        files = ModelFiles([weights.file])
        return Model(metadata, weights, name=name, path=folder, files=files, training_files=training_files)
    from regnety.graph.onnx_files import read_onnx

    graph = read_onnx(folder / GRAPH_FILE)
    return Model(
        metadata,
        weights_in(graph, metadata),
        name=name,
        path=folder,
        files=ModelFiles(graph.mapped),
        graph=graph,
        training_files=training_files,
    )


def weights_in(graph: StoredGraph, metadata: ModelMetadata) -> Mapping[str, Array]:
    """The weights of a graph that regnety wrote; none of one in int8.

    Raises:
        WeightsError: a layer is not in the file.
    """
    if metadata.is_quantized:
        return {}
    from regnety.graph.extraction import ExtractedWeights

    return ExtractedWeights(metadata.design.architecture(metadata.num_classes, metadata.in_chans), graph)


def read_config(folder: Path) -> dict[str, Any]:
    """A folder's config.json, of any program.

    Raises:
        WeightsError: there is none, or it is not JSON; the message begins with its name.
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(read_file_text(path))
    except FileNotFoundError:
        raise WeightsError(
            f"{folder}: is not a bundle, it has no {CONFIG_FILE}; name a run or its bundle, e.g. runs/fruit"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON: {error}") from error
    return config if isinstance(config, dict) else {}


def is_bundle(folder: Path) -> bool:
    """Whether a folder has a config.json of ours; another program's is not enough."""
    try:
        return KEY in read_config(folder)
    except WeightsError:
        return False


def save_bundle(
    model: Model,
    folder: Path,
    *,
    dtype: Literal["f32", "f16", "float32", "float16"] = "f32",
    add_files: Callable[[Path], None] | None = None,
) -> Path:
    """Write a bundle's folder; arguments and errors are those of `Bundle.save`."""
    from regnety.bundle.card_text import card_text, title_of  # no prediction needs these two
    from regnety.bundle.folders.timm import timm_config

    if folder.exists():
        check_replaceable(folder)
    config = {KEY: model.metadata.as_dict()}
    if not model.is_quantized:  # timm would look for weights that are not there
        config = {**timm_config(model.architecture, model.preprocessing), **config}
    card = card_text(model.metadata, title=title_of(model), notice=model.notice)
    with replacing_folder(folder) as beside:
        _write_weights(model, beside, stored_type(dtype))
        # Not ASCII: class names should be legible to people who open the file.
        (beside / CONFIG_FILE).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (beside / CARD_FILE).write_text(card, "utf-8")
        if model.training_files is not None:
            model.training_files.write(beside)
        if add_files is not None:  # last: exports compare what is there before it takes its place
            add_files(beside)
    return folder


def _write_weights(model: Model, folder: Path, dtype: str) -> None:
    """The weights, or the graph of a model that has none."""
    if model.is_quantized:
        from regnety.graph.int8_copies import copy_quantized  # it needs the package onnx

        assert model.graph is not None
        copy_quantized(model.graph.path, folder / GRAPH_FILE, model.metadata)
        return
    weights = FileWeights(
        {key: _stored_as(key, model.weights, dtype) for key in model.stored_keys()}, source=model.name
    )
    write_safetensors(folder / WEIGHTS_FILE, weights)


def _stored_as(key: str, weights: Mapping[str, Array], dtype: str) -> StoredTensor:
    """A tensor that is converted when it is written: of a large model one at a time."""
    if key.endswith("num_batches_tracked"):  # an int64 counter
        return stored(np.asarray(weights[key]))
    shape = weights.shape(key) if isinstance(weights, LazyWeights) else weights[key].shape
    return StoredTensor(shape, dtype, partial(_as_type, key, weights, dtype))


def _as_type(key: str, weights: Mapping[str, Array], dtype: str) -> Array:
    value = np.asarray(weights[key])
    with np.errstate(over="ignore"):
        converted = value.astype(dtype, copy=False)
    if not np.isfinite(converted).all():  # float16 ends at 65504, and a running variance may be larger
        raise WeightsError(f"has values that are not finite in {dtype}")
    return converted


def check_replaceable(folder: Path) -> None:
    """An empty folder may be replaced, and a model's that regnety wrote, for any program, with nothing else in it.

    Raises:
        WeightsError: the folder is neither.
    """
    if not folder.is_dir():
        raise WeightsError(f"{folder}: is a file; name another folder")
    names = {entry.name for entry in folder.iterdir()}
    if names and not _is_ours(folder):
        raise WeightsError(f"{folder}: exists and was not written by regnety; name another folder")
    if others := sorted(names - MODEL_FILES):
        raise WeightsError(f"{folder}: has {others[0]} beside the model, which would be lost; name another folder")


def _is_ours(folder: Path) -> bool:
    try:
        return not {KEY, MARK}.isdisjoint(read_config(folder))
    except WeightsError:
        return False
