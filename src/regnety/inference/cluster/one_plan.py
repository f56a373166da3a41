"""The engine and precision that all workers of a cluster take, so that it does not matter who answers an image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import ClusterError, RegNetYError
from regnety.images.sources import ImageSource
from regnety.inference.cluster.shipped_model import ShippedModel
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.selection import choose_engine
from regnety.inference.predictor import Predictor
from regnety.inference.runner import MANY
from regnety.inference.tuning import Plan
from regnety.text import one_line


def one_plan(
    model: ShippedModel,
    bundle: Bundle,
    options: Mapping[str, Any],
    images: Sequence[ImageSource],
    *,
    workers: int,
    same_machine: bool,
) -> Plan:
    """What all workers take: what was asked for, and of what was left open what every node has and one found fastest.

    Args:
        model: on its way to the workers.
        bundle: the same here.
        options: of each worker's predictor, with its threads.
        images: those of a while; the first are tried with.
        workers: processes that share them.
        same_machine: all of them are on this one.

    Raises:
        ClusterError: the model cannot be run there.
    """
    wish = dict(options)
    engine, precision = wish.get("engine", "auto"), wish.get("precision", "auto")
    if engine == "onnxruntime" or "auto" not in (engine, precision):
        name, taken = choose_engine(engine, precision, bundle)
        return Plan(name, taken, workers=wish["workers"], threads=1, batch=1)
    first, count = list(images[:MANY]), len(images) / workers
    if same_machine:
        found = _chosen(model, wish, first, count)
    else:
        found = _remote(model, {**wish, **_of_all(wish, bundle, _nodes())}, first, count)
    if isinstance(found, str):
        raise ClusterError(f"Ray worker: {found}")
    return found


def _of_all(wish: Mapping[str, Any], bundle: Bundle, nodes: Iterable[tuple[bool, bool]]) -> dict[str, Any]:
    """Engine and precision for nodes of which some have less than others: (is OpenVINO there, has it bf16) of each."""
    all_openvino, all_bf16 = (all(having) for having in zip(*nodes, strict=True))
    engine, precision = wish.get("engine", "auto"), wish.get("precision", "auto")
    if precision == "auto" and not all_bf16 and not bundle.is_quantized:
        precision = "f32"
    if engine == "auto" and not all_openvino and precision != "bf16":
        engine = "onnxruntime"
    return {"engine": engine, "precision": precision}


def _chosen(model: ShippedModel, options: dict[str, Any], first: list[ImageSource], count: float) -> Plan | str:
    """How so many images are answered best on this machine; or in one line why they cannot be."""
    try:
        return Predictor(model.bundle(), **options).plan_for(first, count)
    except (RegNetYError, OSError) as error:
        return one_line(error)


def _remote(model: ShippedModel, options: dict[str, Any], first: list[ImageSource], count: float) -> Plan | str:
    import ray

    task: Any = ray.remote(num_cpus=options["workers"])(_chosen)
    found: Plan | str = ray.get(task.remote(model, options, first, count))
    return found if isinstance(found, str) else replace(found, workers=options["workers"])


def _here() -> tuple[bool, bool]:
    return find_spec("openvino") is not None, bool(has_bf16())


def _nodes() -> list[tuple[bool, bool]]:
    """What each node of the cluster has that workers can be on."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    library: Any = ray
    asked = []
    for node in library.nodes():
        if node["Alive"] and node["Resources"].get("CPU"):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            asked.append(library.remote(num_cpus=0, scheduling_strategy=there)(_here).remote())
    found: list[tuple[bool, bool]] = ray.get(asked)
    return found
