"""Design, train and run RegNetY classifiers, and have the answer before PyTorch has been imported.

The names below are imported when they are first used, so that `import regnety` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from regnety.version import __version__

if TYPE_CHECKING:
    from regnety import data as data
    from regnety import models as models
    from regnety.architecture.counting import Complexity
    from regnety.architecture.description import Architecture
    from regnety.architecture.design import AnyNetDesign, Design
    from regnety.architecture.notation import design_from_dict
    from regnety.architecture.stages import StageDesign
    from regnety.bundle.bundle import Bundle
    from regnety.bundle.card import model_card
    from regnety.bundle.data_config import (
        get_pretrained_cfg,
        get_pretrained_cfg_value,
        resolve_data_config,
        resolve_model_data_config,
    )
    from regnety.bundle.inspection import Inspection, inspect_model
    from regnety.bundle.label_files import read_labels
    from regnety.bundle.model_complexity import complexity, model_index_flops
    from regnety.catalog.class_names import labels
    from regnety.catalog.models import (
        ModelInfo,
        is_model,
        is_model_pretrained,
        list_models,
        list_modules,
        list_pretrained,
        model_info,
    )
    from regnety.catalog.published import PublishedWeights, list_weights
    from regnety.errors import (
        ClusterError,
        DataError,
        EngineError,
        ExportError,
        ImageError,
        InvalidDesignError,
        JobError,
        MissingExtraError,
        RecipeError,
        RegNetYError,
        TimmNameError,
        UnknownModelError,
        WeightsError,
    )
    from regnety.export.conversion import Converted, convert_model
    from regnety.export.export_result import Exported
    from regnety.export.model_export import export_model
    from regnety.export.quantization import Quantized, quantize_model
    from regnety.export.speeds import Speed
    from regnety.graph.builder import build_graph, write_graph
    from regnety.images.torch_transform import create_transform
    from regnety.inference.cluster.ray_predictor import RayPredictor
    from regnety.inference.latency.benchmark import bench
    from regnety.inference.latency.picking import pick
    from regnety.inference.latency.timing import LatencyRow
    from regnety.inference.predictor import ClassProbability, Prediction, Predictor
    from regnety.inference.similarity.duplicates import find_duplicates
    from regnety.inference.similarity.embedder import Embedder, Embedding, EmbeddingOrigin
    from regnety.inference.similarity.embedding_files import Embeddings, read_embeddings, write_embeddings
    from regnety.inference.similarity.neighbours import SimilarImage, find_neighbours
    from regnety.metadata.calibration import Calibration, MeasuredDrop
    from regnety.models.regnet import model_entrypoint
    from regnety.network.checkpoint_loading import load_checkpoint
    from regnety.network.creation import create_model
    from regnety.preprocessing import Preprocessing
    from regnety.training.recipes.recipe import Recipe
    from regnety.training.run import train
    from regnety.training.run_bundle import RunResult
    from regnety.weights.fetching.published import fetch_weights

_HOMES = {
    "regnety.architecture.counting": ("Complexity",),
    "regnety.architecture.description": ("Architecture",),
    "regnety.architecture.design": ("AnyNetDesign", "Design", "StageDesign"),
    "regnety.architecture.notation": ("design_from_dict",),
    "regnety.bundle.bundle": ("Bundle",),
    "regnety.bundle.card": ("model_card",),
    "regnety.bundle.inspection": ("Inspection", "inspect_model"),
    "regnety.bundle.data_config": (
        "get_pretrained_cfg",
        "get_pretrained_cfg_value",
        "resolve_data_config",
        "resolve_model_data_config",
    ),
    "regnety.bundle.label_files": ("read_labels",),
    "regnety.bundle.model_complexity": ("complexity", "model_index_flops"),
    "regnety.catalog.class_names": ("labels",),
    "regnety.catalog.models": (
        "ModelInfo",
        "is_model",
        "is_model_pretrained",
        "list_models",
        "list_modules",
        "list_pretrained",
        "model_info",
    ),
    "regnety.catalog.published": ("PublishedWeights", "list_weights"),
    "regnety.errors": (
        "ClusterError",
        "DataError",
        "EngineError",
        "ExportError",
        "ImageError",
        "InvalidDesignError",
        "JobError",
        "MissingExtraError",
        "RecipeError",
        "RegNetYError",
        "TimmNameError",
        "UnknownModelError",
        "WeightsError",
    ),
    "regnety.export.conversion": ("Converted", "convert_model"),
    "regnety.export.export_result": ("Exported",),
    "regnety.export.model_export": ("export_model",),
    "regnety.export.quantization": ("Quantized", "quantize_model"),
    "regnety.export.speeds": ("Speed",),
    "regnety.metadata.calibration": ("Calibration", "MeasuredDrop"),
    "regnety.graph.builder": ("build_graph", "write_graph"),
    "regnety.images.torch_transform": ("create_transform",),
    "regnety.inference.similarity.duplicates": ("find_duplicates",),
    "regnety.inference.similarity.embedding_files": ("Embeddings", "read_embeddings", "write_embeddings"),
    "regnety.inference.similarity.embedder": ("Embedder", "Embedding", "EmbeddingOrigin"),
    "regnety.inference.similarity.neighbours": ("SimilarImage", "find_neighbours"),
    "regnety.inference.latency.benchmark": ("bench",),
    "regnety.inference.latency.picking": ("pick",),
    "regnety.inference.cluster.ray_predictor": ("RayPredictor",),
    "regnety.inference.predictor": ("ClassProbability", "Prediction", "Predictor"),
    "regnety.inference.latency.timing": ("LatencyRow",),
    "regnety.models.regnet": ("model_entrypoint",),
    "regnety.network.creation": ("create_model",),
    "regnety.network.checkpoint_loading": ("load_checkpoint",),
    "regnety.preprocessing": ("Preprocessing",),
    "regnety.training.recipes.recipe": ("Recipe",),
    "regnety.training.run": ("train",),
    "regnety.training.run_bundle": ("RunResult",),
    "regnety.weights.fetching.published": ("fetch_weights",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_NEEDS_TORCH = {"RunResult", "create_model", "create_transform", "load_checkpoint", "train"}
_TIMMS_ROOMS = ("data", "models")
"""Where code that was written for timm looks for names: `regnety.data.create_transform`."""
_TIMMS_OTHER_ROOMS = ("layers", "loss", "optim", "scheduler", "utils")

__all__ = [
    "AnyNetDesign",
    "Architecture",
    "Bundle",
    "Calibration",
    "ClassProbability",
    "ClusterError",
    "Complexity",
    "Converted",
    "DataError",
    "Design",
    "Embedder",
    "Embedding",
    "EmbeddingOrigin",
    "Embeddings",
    "EngineError",
    "ExportError",
    "Exported",
    "ImageError",
    "Inspection",
    "InvalidDesignError",
    "JobError",
    "LatencyRow",
    "MeasuredDrop",
    "MissingExtraError",
    "ModelInfo",
    "Prediction",
    "Predictor",
    "Preprocessing",
    "PublishedWeights",
    "Quantized",
    "RayPredictor",
    "Recipe",
    "RecipeError",
    "RegNetYError",
    "RunResult",
    "SimilarImage",
    "Speed",
    "StageDesign",
    "TimmNameError",
    "UnknownModelError",
    "WeightsError",
    "__version__",
    "bench",
    "build_graph",
    "complexity",
    "convert_model",
    "create_model",
    "create_transform",
    "design_from_dict",
    "export_model",
    "fetch_weights",
    "find_duplicates",
    "find_neighbours",
    "get_pretrained_cfg",
    "get_pretrained_cfg_value",
    "inspect_model",
    "is_model",
    "is_model_pretrained",
    "labels",
    "list_models",
    "list_modules",
    "list_pretrained",
    "list_weights",
    "load_checkpoint",
    "model_card",
    "model_entrypoint",
    "model_index_flops",
    "model_info",
    "pick",
    "quantize_model",
    "read_embeddings",
    "read_labels",
    "resolve_data_config",
    "resolve_model_data_config",
    "train",
    "write_embeddings",
    "write_graph",
]


def __getattr__(name: str) -> Any:
    if name in _TIMMS_ROOMS:
        return importlib.import_module(f"regnety.{name}")
    if name in _TIMMS_OTHER_ROOMS:
        raise AttributeError(f"regnety has no {name!r}; timm.{name} works with the networks of create_model")
    if name not in _HOME:
        raise AttributeError(f"module 'regnety' has no attribute {name!r}")
    if name in _NEEDS_TORCH:
        from regnety.extras import import_extra

        import_extra("torch", feature=name, extra="torch")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
