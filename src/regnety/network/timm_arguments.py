"""timm's arguments of `create_model`: what its `pretrained_cfg` asks for, and what is not supported here.

After timm 1.0.31, `models/_factory.py` and `models/_builder.py`. An argument of None counts as not given, as in timm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from regnety.architecture.design import Design
from regnety.architecture.notation import SPELLINGS
from regnety.bundle.folders.timm import pretrained_cfg as default_cfg
from regnety.bundle.folders.timm import timm_preprocessing
from regnety.catalog.addresses import HUB, split_address
from regnety.catalog.aliases import our_name
from regnety.catalog.models import is_name
from regnety.errors import InvalidDesignError, WeightsError
from regnety.network.sources import Model
from regnety.preprocessing import Preprocessing

WITHOUT_EFFECT = ("scriptable", "exportable", "no_jit")
"""Accepted and ignored: every network here can be scripted, traced and exported."""
USUAL: Mapping[str, tuple[Any, ...]] = {
    "act_layer": ("relu", nn.ReLU),
    "norm_layer": ("batchnorm", "batchnorm2d", nn.BatchNorm2d),
    "feature_cls": ("list",),
    "zero_init_last": (True,),
    "pruned": (False,),
}
"""Values of timm's arguments that describe what every network here is anyway; they are accepted."""
INSTEAD = {
    "act_layer": "every block here has ReLU; timm.create_model builds others",
    "norm_layer": "every layer here has BatchNorm2d (see bn_momentum and bn_eps); timm.create_model builds others",
    "feature_cls": "features_only gives a list of maps",
    "zero_init_last": "initialization='timm' or 'pycls' says how weights are drawn",
    "pruned": "prune_intermediate_layers drops layers of the network that is made",
    "cache_dir": "HF_HOME moves the Hub's cache and REGNETY_CACHE ours; set them before Python starts",
    "device": "call .to(...) on the network, or make it inside of `with torch.device(...):`",
    "dtype": "call .to(...) on the network",
    "img_size": "a RegNet takes pictures of any size",
    "state_dict": "create the network without weights and call its load_state_dict",
    "url": "fetch it, and give pretrained_cfg_overlay={'file': PATH} or checkpoint_path=PATH",
}
"""timm's arguments that are not supported, and what to do instead."""
WEIGHTS_ENTRIES = ("state_dict", "file", "hf_hub_id", "url")
"""Of a `pretrained_cfg`, in the order in which timm looks for weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of a call, translated into ours."""

    model: Model
    checkpoint_path: str | Path | None
    pretrained: bool | None
    cfg: Mapping[str, Any] = field(default_factory=dict)
    """Entries for the network's `pretrained_cfg`."""
    replaces: bool = False
    """Whether they replace all of the model's own entries, or only those of the same names."""

    @property
    def num_classes(self) -> int | None:
        """Outputs by the entries; None if they do not say."""
        return self.cfg.get("num_classes")

    @property
    def in_chans(self) -> int | None:
        """Input channels by the entries; None if they do not say."""
        size = self.cfg.get("input_size")
        if size is not None and (not isinstance(size, list | tuple) or len(size) != 3):
            raise WeightsError(f"pretrained_cfg: input_size must be (channels, height, width), got {size!r}")
        return None if size is None else size[0]

    def resolved_cfg(self, own: Mapping[str, Any]) -> tuple[dict[str, Any], Preprocessing]:
        """The network's `pretrained_cfg`, and the preprocessing that it describes.

        Raises:
            WeightsError: it describes what no `Preprocessing` can be.
        """
        if self.replaces:
            own = default_cfg(Preprocessing(), num_classes=own["num_classes"])
        cfg = {**own, **self.cfg, "num_classes": own["num_classes"]}
        try:
            return cfg, timm_preprocessing(cfg)
        except WeightsError as error:
            raise WeightsError(f"pretrained_cfg: {error}") from None


def translated(
    model: Model,
    *,
    pretrained: bool | None,
    checkpoint_path: str | Path | None,
    pretrained_cfg: Any,
    overlay: Any,
    others: Mapping[str, Any],
) -> Request:
    """timm's arguments in ours.

    Args:
        model: of `create_model`, as are the two that follow.
        pretrained: whether weights are loaded.
        checkpoint_path: weights for the model.
        pretrained_cfg: the tag of published weights, or a table in place of the model's own.
        overlay: a table of entries that replace single ones of it.
        others: all other arguments.

    Raises:
        InvalidDesignError: an argument is not supported; the message says what is.
        WeightsError: arguments contradict each other about the weights.
        TypeError: an argument is unknown, to timm too.
    """
    _refuse_others(others, pretrained)
    if isinstance(pretrained_cfg, str):
        model, pretrained_cfg = _with_tag(model, pretrained_cfg), None
    own, changes = _table("pretrained_cfg", pretrained_cfg), _table("pretrained_cfg_overlay", overlay)
    request = Request(
        model=model,
        checkpoint_path=checkpoint_path,
        pretrained=pretrained,
        cfg={**own, **changes},
        replaces=bool(own),
    )
    named = next((name for name in WEIGHTS_ENTRIES if request.cfg.get(name)), None)
    # Without a table of its own, `pretrained=True` means the published weights; a table must say where its weights are.
    if not pretrained or (named is None and not own):
        return request
    if named is None:
        raise WeightsError(f"pretrained_cfg says nothing of weights, in {', '.join(WEIGHTS_ENTRIES[1:3])}")
    if named in INSTEAD:
        raise InvalidDesignError(f"pretrained_cfg has {named}: {INSTEAD[named]}")
    if checkpoint_path is not None:
        raise WeightsError(
            f"pretrained_cfg's {named} and checkpoint_path={str(checkpoint_path)!r} contradict each other"
        )
    place = request.cfg[named] if named == "file" else f"{HUB}{request.cfg[named]}"
    return replace(request, checkpoint_path=place, pretrained=None)


def _table(name: str, value: Any) -> dict[str, Any]:
    if hasattr(value, "to_dict"):  # an instance of timm's PretrainedCfg
        value = value.to_dict()
    if value is not None and not isinstance(value, Mapping):
        raise InvalidDesignError(f"{name} must be a table of entries, got {value!r}")
    return dict(value or {})


def _with_tag(model: Model, tag: str) -> Model:
    if not tag:
        return model
    if not isinstance(model, str) or not is_name(model) or split_address(model)[0] is not None:
        raise WeightsError(f"pretrained_cfg={tag!r} is the tag of a name's weights; {model} is no name")
    return f"{our_name(model).partition('.')[0]}.{tag}"


def _refuse_others(others: Mapping[str, Any], pretrained: bool | None) -> None:
    design_fields = {*SPELLINGS[Design], *SPELLINGS[Design].values()}
    for name, value in others.items():
        if value is None or name in WITHOUT_EFFECT or _is_usual(value, USUAL.get(name, ())):
            continue
        if name == "cache_dir" and not pretrained:  # then nothing is fetched, and it does not matter
            continue
        if name in design_fields:
            raise InvalidDesignError(f"{name}={value!r}: a name has its own design; pass another one, as Design(...)")
        if name not in INSTEAD or name in WEIGHTS_ENTRIES:
            raise TypeError(f"create_model() got an unexpected keyword argument {name!r}")
        raise InvalidDesignError(f"{name}={_spelled(value)}: {INSTEAD[name]}")


def _is_usual(value: Any, usual: Iterable[Any]) -> bool:
    return any(value is each or (isinstance(value, str | bool) and value == each) for each in usual)


def _spelled(value: Any) -> str:
    return getattr(value, "__name__", None) or repr(value)
