"""The engine and precision that all workers of a cluster take, so that any of them gives an image the same answer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.errors import ClusterError, RegNetYError
from regnety.images.sources import ImageSource
from regnety.inference.cluster.shipped_model import ShippedModel
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import AUTO, DEFAULT_ENGINE, ENGINES
from regnety.inference.engines.selection import choose_engine
from regnety.inference.options import RunOptions
from regnety.inference.predictor import Predictor
from regnety.inference.runner import MANY
from regnety.inference.tuning import Plan, untuned_plan
from regnety.text import one_line

Node = tuple[frozenset[str], bool]
"""The engines that are installed on a node, and whether its processor has bf16."""


def one_plan(
    model: ShippedModel,
    bundle: Bundle,
    options: RunOptions,
    images: Sequence[ImageSource],
    *,
    workers: int,
    same_machine: bool,
) -> Plan:
    """What all workers take: what was asked for; the rest is what one of them found fastest among what all nodes have.

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
    row = ENGINES.get(options.engine)
    if row is not None and (options.precision != AUTO or "bf16" not in row.precisions):  # the nodes do not matter
        chosen = choose_engine(options.engine, options.precision, bundle)
        return untuned_plan(chosen, single=False, workers=options.workers)
    first, count = list(images[:MANY]), len(images) / workers
    if same_machine:
        found = _found_best(model, options, first, count)
    else:
        found = _remote(model, for_all_nodes(options, bundle, _nodes()), first, count)
    if isinstance(found, str):
        raise ClusterError(f"Ray worker: {found}")
    return found


def for_all_nodes(options: RunOptions, bundle: Bundle, nodes: Iterable[Node]) -> RunOptions:
    """The options without what some nodes lack: with an engine that only some have, all take the first."""
    installed, bf16 = zip(*nodes, strict=True)
    engine, precision = options.engine, options.precision
    if precision == AUTO and not all(bf16) and not bundle.is_quantized:
        precision = "f32"
    # The node that tries the engines may be one that has more than others. With bf16 all need an engine that has it.
    if engine == AUTO and len(set(installed)) > 1 and precision != "bf16":
        engine = DEFAULT_ENGINE
    return replace(options, engine=engine, precision=precision)


def _found_best(model: ShippedModel, options: RunOptions, first: list[ImageSource], count: float) -> Plan | str:
    """How `count` images are answered best on this machine; or in one line why they cannot be."""
    try:
        return Predictor(model.bundle(), options=options).plan_for(first, count)
    except (RegNetYError, OSError) as error:  # a line, as Ray would wrap an exception in pages of traceback
        return one_line(error)


def _remote(model: ShippedModel, options: RunOptions, first: list[ImageSource], count: float) -> Plan | str:
    """The same on any node."""
    import ray

    # Asks for as many processors as a worker will have, so that the plan is tried with a worker's threads.
    threads = options.workers or 1
    task: Any = ray.remote(num_cpus=threads)(_found_best)
    found: Plan | str = ray.get(task.remote(model, options, first, count))
    return found if isinstance(found, str) else replace(found, workers=threads)


def _here() -> Node:
    return frozenset(row.name for row in ENGINES.values() if row.tried and row.is_installed), bool(has_bf16())


def _nodes() -> list[Node]:
    """What each node of the cluster has that workers can be on."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    library: Any = ray
    asked = []
    for node in library.nodes():
        # Pinned to the node; soft, so that one that dies meanwhile does not make the question wait for ever.
        if node["Alive"] and node["Resources"].get("CPU"):
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            asked.append(library.remote(num_cpus=0, scheduling_strategy=there)(_here).remote())
    found: list[Node] = ray.get(asked)
    return found
