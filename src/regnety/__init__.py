"""Design, train and run RegNetY classifiers, and have the answer before PyTorch has been imported.

The names below are imported when they are first used, so that `import regnety` costs next to nothing.
"""

# ruff: noqa: I001
# (ruff would write an import for each `X as X`; one per module is half as long)

import importlib
from typing import TYPE_CHECKING, Any

from regnety.version import __version__ as __version__

# Two lists of the public names have to be: type checkers do not see through the second, and `X as X` tells them that
# X is public; running the first would import everything.
if TYPE_CHECKING:
    from regnety import data as data, models as models
    from regnety.architecture.counting import Complexity as Complexity
    from regnety.architecture.description import Architecture as Architecture
    from regnety.architecture.design import AnyNetDesign as AnyNetDesign, Design as Design
    from regnety.architecture.notation import design_from_dict as design_from_dict
    from regnety.architecture.stages import StageDesign as StageDesign
    from regnety.bundle.averaging import average_models as average_models
    from regnety.bundle.bundle import Bundle as Bundle
    from regnety.bundle.card import model_card as model_card
    from regnety.bundle.data_config import (
        get_pretrained_cfg as get_pretrained_cfg,
        get_pretrained_cfg_value as get_pretrained_cfg_value,
        resolve_data_config as resolve_data_config,
        resolve_model_data_config as resolve_model_data_config,
    )
    from regnety.bundle.inspection import Inspection as Inspection, inspect_model as inspect_model
    from regnety.bundle.label_files import read_labels as read_labels
    from regnety.bundle.model_complexity import (
        Description as Description,
        complexity as complexity,
        describe as describe,
        model_index_flops as model_index_flops,
    )
    from regnety.bundle.model_table import ModelRow as ModelRow, model_table as model_table
    from regnety.catalog.class_names import labels as labels
    from regnety.catalog.models import (
        ModelInfo as ModelInfo,
        is_model as is_model,
        is_model_pretrained as is_model_pretrained,
        list_models as list_models,
        list_modules as list_modules,
        list_pretrained as list_pretrained,
        model_info as model_info,
    )
    from regnety.catalog.published import PublishedWeights as PublishedWeights, list_weights as list_weights
    from regnety.datasets.checking.data_check import DataCheck as DataCheck, check_data as check_data
    from regnety.datasets.checking.findings import Finding as Finding
    from regnety.designspace.designs import Designs as Designs
    from regnety.designspace.populations import Population as Population, TrialResult as TrialResult
    from regnety.designspace.spaces import DesignSpace as DesignSpace
    from regnety.errors import (
        ClusterError as ClusterError,
        DataError as DataError,
        EngineError as EngineError,
        ExportError as ExportError,
        ImageError as ImageError,
        InvalidDesignError as InvalidDesignError,
        JobError as JobError,
        MissingExtraError as MissingExtraError,
        RecipeError as RecipeError,
        RegNetYError as RegNetYError,
        TimmNameError as TimmNameError,
        UnknownModelError as UnknownModelError,
        WeightsError as WeightsError,
    )
    from regnety.export.conversion import Converted as Converted, convert_model as convert_model
    from regnety.export.comparison import Exported as Exported
    from regnety.export.model_export import export_model as export_model
    from regnety.export.quantization import Quantized as Quantized, quantize_model as quantize_model
    from regnety.export.speeds import Speed as Speed
    from regnety.finetuning.result import FinetuneResult as FinetuneResult
    from regnety.finetuning.run import finetune as finetune
    from regnety.graph.builder import build_graph as build_graph, write_graph as write_graph
    from regnety.heads.fitting import fit_head as fit_head
    from regnety.heads.folding import with_head as with_head
    from regnety.heads.head import Head as Head
    from regnety.images.torch_transform import create_transform as create_transform
    from regnety.inference.cluster.ray_predictor import RayPredictor as RayPredictor
    from regnety.inference.engines.registry import Engine as Engine
    from regnety.inference.engines.system_info import system_info as system_info
    from regnety.inference.evaluation import evaluate as evaluate
    from regnety.inference.evaluation_result import (
        ClassAccuracy as ClassAccuracy,
        EvaluatedImage as EvaluatedImage,
        EvaluationResult as EvaluationResult,
        PublishedAccuracy as PublishedAccuracy,
    )
    from regnety.inference.explanation import ClassMap as ClassMap, class_maps as class_maps, explain as explain
    from regnety.inference.jobs.job import JobSummary as JobSummary
    from regnety.inference.jobs.predictions import write_predictions as write_predictions
    from regnety.inference.latency.benchmark import bench as bench
    from regnety.inference.latency.picking import pick as pick
    from regnety.inference.latency.timing import LatencyRow as LatencyRow
    from regnety.inference.options import RunOptions as RunOptions
    from regnety.inference.pipeline import Output as Output
    from regnety.inference.predictor import (
        ClassProbability as ClassProbability,
        Prediction as Prediction,
        Predictor as Predictor,
    )
    from regnety.inference.similarity.duplicates import find_duplicates as find_duplicates
    from regnety.inference.similarity.embedder import (
        Embedder as Embedder,
        Embedding as Embedding,
        EmbeddingOrigin as EmbeddingOrigin,
    )
    from regnety.inference.similarity.embedding_files import (
        Embeddings as Embeddings,
        read_embeddings as read_embeddings,
        write_embeddings as write_embeddings,
    )
    from regnety.inference.similarity.neighbours import SimilarImage as SimilarImage, find_neighbours as find_neighbours
    from regnety.inference.tuning import Plan as Plan
    from regnety.metadata.calibration import Calibration as Calibration, MeasuredDrop as MeasuredDrop
    from regnety.models.regnet import model_entrypoint as model_entrypoint
    from regnety.network.checkpoint_loading import load_checkpoint as load_checkpoint
    from regnety.network.creation import create_model as create_model
    from regnety.preprocessing import Preprocessing as Preprocessing
    from regnety.training.recipes.recipe import Recipe as Recipe
    from regnety.training.run import train as train
    from regnety.training.run_bundle import RunResult as RunResult
    from regnety.weights.fetching.published import fetch_weights as fetch_weights

    Evaluation = EvaluationResult
    find_neighbors = find_neighbours

_HOMES = {
    "regnety.architecture.counting": ("Complexity",),
    "regnety.architecture.description": ("Architecture",),
    "regnety.architecture.design": ("AnyNetDesign", "Design"),
    "regnety.architecture.notation": ("design_from_dict",),
    "regnety.architecture.stages": ("StageDesign",),
    "regnety.bundle.averaging": ("average_models",),
    "regnety.bundle.bundle": ("Bundle",),
    "regnety.bundle.card": ("model_card",),
    "regnety.bundle.data_config": (
        "get_pretrained_cfg",
        "get_pretrained_cfg_value",
        "resolve_data_config",
        "resolve_model_data_config",
    ),
    "regnety.bundle.inspection": ("Inspection", "inspect_model"),
    "regnety.bundle.label_files": ("read_labels",),
    "regnety.bundle.model_complexity": ("Description", "complexity", "describe", "model_index_flops"),
    "regnety.bundle.model_table": ("ModelRow", "model_table"),
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
    "regnety.datasets.checking.data_check": ("DataCheck", "check_data"),
    "regnety.datasets.checking.findings": ("Finding",),
    "regnety.designspace.designs": ("Designs",),
    "regnety.designspace.populations": ("Population", "TrialResult"),
    "regnety.designspace.spaces": ("DesignSpace",),
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
    "regnety.export.comparison": ("Exported",),
    "regnety.export.model_export": ("export_model",),
    "regnety.export.quantization": ("Quantized", "quantize_model"),
    "regnety.export.speeds": ("Speed",),
    "regnety.finetuning.result": ("FinetuneResult",),
    "regnety.finetuning.run": ("finetune",),
    "regnety.graph.builder": ("build_graph", "write_graph"),
    "regnety.heads.fitting": ("fit_head",),
    "regnety.heads.folding": ("with_head",),
    "regnety.heads.head": ("Head",),
    "regnety.images.torch_transform": ("create_transform",),
    "regnety.inference.cluster.ray_predictor": ("RayPredictor",),
    "regnety.inference.engines.registry": ("Engine",),
    "regnety.inference.engines.system_info": ("system_info",),
    "regnety.inference.evaluation": ("evaluate",),
    "regnety.inference.evaluation_result": ("ClassAccuracy", "EvaluatedImage", "EvaluationResult", "PublishedAccuracy"),
    "regnety.inference.explanation": ("ClassMap", "class_maps", "explain"),
    "regnety.inference.jobs.job": ("JobSummary",),
    "regnety.inference.jobs.predictions": ("write_predictions",),
    "regnety.inference.options": ("RunOptions",),
    "regnety.inference.pipeline": ("Output",),
    "regnety.inference.tuning": ("Plan",),
    "regnety.inference.latency.benchmark": ("bench",),
    "regnety.inference.latency.picking": ("pick",),
    "regnety.inference.latency.timing": ("LatencyRow",),
    "regnety.inference.predictor": ("ClassProbability", "Prediction", "Predictor"),
    "regnety.inference.similarity.duplicates": ("find_duplicates",),
    "regnety.inference.similarity.embedder": ("Embedder", "Embedding", "EmbeddingOrigin"),
    "regnety.inference.similarity.embedding_files": ("Embeddings", "read_embeddings", "write_embeddings"),
    "regnety.inference.similarity.neighbours": ("SimilarImage", "find_neighbours"),
    "regnety.metadata.calibration": ("Calibration", "MeasuredDrop"),
    "regnety.models.regnet": ("model_entrypoint",),
    "regnety.network.checkpoint_loading": ("load_checkpoint",),
    "regnety.network.creation": ("create_model",),
    "regnety.preprocessing": ("Preprocessing",),
    "regnety.training.recipes.recipe": ("Recipe",),
    "regnety.training.run": ("train",),
    "regnety.training.run_bundle": ("RunResult",),
    "regnety.weights.fetching.published": ("fetch_weights",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
# refused with the extra's name; the ImportError of their modules would not say how to install it
_NEEDS_TORCH = {"RunResult", "create_model", "create_transform", "load_checkpoint", "train"}
_TIMMS_ROOMS = ("data", "models")  # where code that was written for timm looks: `regnety.data.create_transform`
_TIMMS_OTHER_ROOMS = ("layers", "loss", "optim", "scheduler", "utils")

_SPELLINGS = {"Evaluation": "EvaluationResult", "find_neighbors": "find_neighbours"}  # accepted, in no list

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _TIMMS_ROOMS:
        return importlib.import_module(f"regnety.{name}")
    if name in _TIMMS_OTHER_ROOMS:
        raise AttributeError(f"regnety has no {name!r}; timm.{name} works with the networks of create_model")
    name = _SPELLINGS.get(name, name)
    if name not in _HOME:
        raise AttributeError(f"module 'regnety' has no attribute {name!r}")
    if name in _NEEDS_TORCH:
        from regnety.extras import import_extra

        import_extra("torch", feature=name, extra="torch")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return __all__
