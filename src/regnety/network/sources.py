"""Where a network of `create_model` comes from: its architecture, its preprocessing and its weights."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.bundle.bundle import Bundle
from regnety.bundle.resolver import describe_model, resolve
from regnety.catalog.addresses import HUB, split_address
from regnety.catalog.models import is_name, model_info
from regnety.errors import UnknownModelError, WeightsError
from regnety.preprocessing import Preprocessing

Model: TypeAlias = str | Path | Design | AnyNetDesign | Architecture | Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A description, with or without weights."""

    architecture: Architecture
    """With the model's own classes and input channels."""
    described_by: str | Bundle | Preprocessing
    """Where the preprocessing is found: under the model's name, in its bundle, or here, where nothing else is known."""
    bundle: Bundle | None = None
    """The model whose weights are loaded; None for random weights."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Size, crop and normalisation of the model's input."""
        if isinstance(self.described_by, Preprocessing):
            return self.described_by
        if isinstance(self.described_by, Bundle):
            return self.described_by.preprocessing
        published = model_info(self.described_by).published
        return resolve(self.described_by).preprocessing if published is None else published.preprocessing


def find_source(model: Model, *, pretrained: bool | None, checkpoint_path: str | Path | None) -> Source:
    """Resolve the first argument of `create_model`, on which the meaning of the other two depends.

    Raises:
        UnknownModelError: no such name, file or folder, or its weights are not on this disk.
        WeightsError: the file or folder is no model, or the arguments contradict each other.
    """
    # A name or a design has no weights unless they are asked for, as in timm; a bundle, a file or a folder has its own.
    if pretrained and checkpoint_path is not None:
        raise WeightsError(f"pretrained=True and checkpoint_path={str(checkpoint_path)!r} contradict each other")
    if isinstance(model, str) and split_address(model)[0] == HUB and not is_name(model):
        return _on_the_hub(model, pretrained, checkpoint_path)
    if isinstance(model, Design | AnyNetDesign | Architecture) or (isinstance(model, str) and is_name(model)):
        if checkpoint_path is not None:
            return _with_checkpoint(model, checkpoint_path)
        return _named(model, pretrained) if isinstance(model, str) else _described(model, pretrained)
    if not isinstance(model, str | Path | Bundle):
        raise UnknownModelError(f"a model is a name, a design, a bundle or its folder, got {type(model).__name__}")
    if checkpoint_path is not None:
        raise WeightsError(
            f"{model}: a bundle has its own weights; checkpoint_path={str(checkpoint_path)!r} contradicts it"
        )
    if pretrained is False:
        raise WeightsError(f"{model}: a bundle has its own weights; pretrained=False contradicts it")
    return _bundled(Bundle.load(model))


def _bundled(bundle: Bundle) -> Source:
    return Source(architecture=bundle.architecture, described_by=bundle, bundle=bundle)


def _named(name: str, pretrained: bool | None) -> Source:
    if pretrained:
        return replace(_bundled(Bundle.load(name)), described_by=name)
    info = model_info(name)
    return Source(architecture=info.design.architecture(info.num_classes), described_by=name)


def _described(design: Design | AnyNetDesign | Architecture, pretrained: bool | None) -> Source:
    if pretrained:
        raise WeightsError("a design has no weights; pretrained=True needs the name or the folder of a model")
    return Source(
        architecture=design.architecture(), described_by=Preprocessing()
    )  # a design does not say how it is shown


def _on_the_hub(model: str, pretrained: bool | None, checkpoint_path: str | Path | None) -> Source:
    """A model that is not in the catalogue. Without weights only its configuration is fetched."""
    if pretrained:
        return _bundled(Bundle.load(model))
    metadata = describe_model(model)
    architecture = metadata.design.architecture(metadata.num_classes, metadata.in_chans)
    if checkpoint_path is not None:
        return _with_checkpoint(architecture, checkpoint_path)
    return Source(architecture=architecture, described_by=metadata.preprocessing)


def _with_checkpoint(model: str | Design | AnyNetDesign | Architecture, checkpoint_path: str | Path) -> Source:
    """The weights of a file in the design that the caller names: shapes alone do not tell strides or group rules."""
    published = model_info(model).published if isinstance(model, str) else None
    found = resolve(checkpoint_path, assumed=published)
    design = model_info(model).design if isinstance(model, str) else model.architecture().design
    source = _bundled(
        Bundle(
            replace(found.metadata, design=design),
            found.weights,
            name=found.name,
            path=found.path,
            training_files=found.training_files,
        )
    )
    if not isinstance(model, str) or found.notice is None:
        return source
    # A notice says that the file was read with assumptions, as it has weights alone. Then the preprocessing of the name
    # that the caller gave is better, unless the file's own training settings have one.
    named = None if published is None else published.preprocessing.for_channels(found.metadata.in_chans)
    return source if named not in (None, found.preprocessing) else replace(source, described_by=model)
