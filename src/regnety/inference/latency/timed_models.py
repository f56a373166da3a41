"""Models to be timed. A named one needs no weights on this disk: random ones take as long."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from regnety.architecture.counting import complexity
from regnety.bundle.bundle import Bundle
from regnety.catalog.model_page import page_models
from regnety.catalog.models import EMBEDDED_MODELS, how_to_find, is_name, list_models, model_info
from regnety.catalog.published import list_weights, published_models
from regnety.errors import UnknownModelError
from regnety.inference.engines.graph_cache import LARGEST_CACHED_FILE, graph_of
from regnety.inference.engines.registry import ENGINES
from regnety.metadata.model_metadata import ModelMetadata
from regnety.weights.random_weights import RandomWeights

COMMERCIAL = "commercial"
"""Stands for all licences that allow commercial use."""


@dataclass(frozen=True)
class TimedModel:
    """A model, and what is known about it besides how long it takes."""

    name: str
    """As it was given; of a published model with the tag of its weights."""
    bundle: Bundle
    """At the size at which it is timed."""
    has_random_weights: bool
    """Whether the bundle's weights are random, which take as long as its own."""
    top1: float | None = None
    """On ImageNet at that size, in percent, as published; None if it is not known."""

    @property
    def image_size(self) -> int:
        """Height and width, in pixels."""
        return self.bundle.preprocessing.image_size

    @property
    def num_params(self) -> int:
        """Parameters."""
        return complexity(self.bundle.architecture, self.image_size).num_params

    @property
    def output(self) -> str:
        """The name of the last output that it has."""
        return self.bundle.architecture.output_names[-1]

    def own_graph(self, engine: str) -> Path | None:
        """The file that it was read from, if the engine runs that itself; None if a graph is built."""
        row = ENGINES[engine]
        if self.bundle.graph is None or not row.runs_graphs:
            return None
        graph = graph_of(self.bundle, suffixes=row.suffixes)
        return graph if graph == self.bundle.graph.path else None

    def digest(self, engine: str, output: str | None = None) -> str:
        """Identifies the computation without the values of the weights: models that take equally long share it."""
        # a graph that is run as it is may compute anything, whatever design it names: all bytes of its files count
        if self.bundle.graph is not None and self.own_graph(engine) is not None:
            content = hashlib.sha256()
            for file in self.bundle.graph.mapped:
                content.update(hashlib.sha256(file.data).digest())
            return content.hexdigest()
        metadata = self.bundle.metadata
        facts = [metadata.design.as_dict(), metadata.num_classes, metadata.in_chans, self.image_size]
        return hashlib.sha256(json.dumps([*facts, output or self.output], sort_keys=True).encode()).hexdigest()

    @contextmanager
    def written(self, engine: str, output: str | None = None) -> Iterator[Path]:
        """A file or folder for an engine, which exists during the context.

        Args:
            engine: its name.
            output: where the graph ends; None is the last output. torch always runs the whole network.
        """
        own = self.own_graph(engine)
        if own is not None:
            yield own
            return
        with tempfile.TemporaryDirectory(prefix="regnety-bench.") as name:
            if not ENGINES[engine].runs_graphs:
                yield self.bundle.save(Path(name) / "bundle")
                return
            from regnety.graph.builder import write_graph  # imports onnx, which what is in the cache does not need

            yield write_graph(
                Path(name) / "model.onnx",
                self.bundle.architecture,
                self.bundle.weights,
                image_size=self.image_size,
                outputs=(output or self.output,),
                preprocessing=self.bundle.preprocessing,
                largest_file=LARGEST_CACHED_FILE,  # like the graphs in the cache, which predictions run
            )


def timed_model(
    model: str, *, image_size: int | None = None, quiet: bool = False, state_dict: str | None = None
) -> TimedModel:
    """A model, ready to be timed. Weights of published models are neither fetched nor read.

    Args:
        model: a name, or anything else that `Bundle.load` takes.
        image_size: height and width in pixels; None is the model's own.
        quiet: show no progress while fetching from `hf-hub:`.
        state_dict: as for `Bundle.load`; a name's weights are not read.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder or file is not a model.
    """
    if is_name(model) and (published := model_info(model).published) is not None:
        info = model_info(model)
        preprocessing = published.preprocessing.with_changes(image_size=image_size)
        metadata = ModelMetadata(
            design=info.design,
            num_classes=published.num_classes,
            in_chans=3,
            preprocessing=preprocessing,
            labels=None,
            provenance={},
        )
        weights = RandomWeights(info.design.architecture(published.num_classes))
        # the accuracy at exactly this size and crop; if only the crop differs, the best one at the size
        rows = [row.top1 for row in published.imagenet if row.image_size == preprocessing.image_size]
        accuracy = published.accuracy(preprocessing)
        top1 = accuracy.top1 if accuracy is not None else max(rows, default=None)
        return TimedModel(published.name, Bundle(metadata, weights, name=model), True, top1)
    bundle = Bundle.load(model, quiet=quiet, state_dict=state_dict)
    return TimedModel(model, bundle.with_preprocessing(bundle.preprocessing.with_changes(image_size=image_size)), False)


def models_to_time(patterns: Iterable[str]) -> list[str]:
    """Models from a list in which shell patterns stand for the names that match; empty for the model page's twelve.

    Raises:
        UnknownModelError: a pattern matches none.
    """
    models: list[str] = []
    for pattern in patterns:
        # a path may have brackets in it
        if not any(character in pattern for character in "*?[") or Path(pattern).exists():
            models.append(pattern)
            continue
        # without the embedded models: they are the fastest because their images are small, which says nothing
        names = [name for name in list_models(pattern) if name not in EMBEDDED_MODELS]
        names = names or list_weights(pattern)  # a pattern with a tag: *.pycls_in1k
        if not names:
            raise UnknownModelError(f"no model matches {pattern!r}; {how_to_find(pattern)}")
        models += names
    return list(dict.fromkeys(models)) or list(page_models())


def published_candidates(*, image_size: int | None = None, licenses: Sequence[str] = ()) -> list[TimedModel]:
    """Published RegNetY models with default weights and a known accuracy on ImageNet, the most accurate first.

    Args:
        image_size: take those with a known accuracy at that size; None takes each at its own.
        licenses: take those whose weights have one of these; `commercial` stands for all that allow commercial use.
            Empty takes all.
    """
    candidates = [
        timed_model(name, image_size=image_size)
        for name in published_models()
        if name.startswith("regnety_") and (not licenses or _is_licensed(name, licenses))
    ]
    known = [candidate for candidate in candidates if candidate.top1 is not None]
    return sorted(known, key=lambda candidate: -(candidate.top1 or 0.0))


def _is_licensed(name: str, licenses: Sequence[str]) -> bool:
    published = model_info(name).published
    assert published is not None
    return published.license in licenses or (COMMERCIAL in licenses and not published.noncommercial)
