"""VISSL: SEER and others built on ClassyVision's RegNet; SWAG's own files have ClassyVision's bare names.

Checked against VISSL's `models/trunks/regnet.py`, `regnet_fsdp.py` and `models/base_ssl_model.py`, ClassyVision's
`models/anynet.py` and `models/classy_model.py`, and SWAG's `models/regnet.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from regnety.architecture.description import Architecture
from regnety.files.arrays import StoredTensor
from regnety.weights.dialects.dialect import Dialect, ModuleNames

NAMES = ModuleNames(
    stem=("trunk._feature_blocks.conv1.stem.0", "trunk._feature_blocks.conv1.stem.1"),
    # Counted like torchvision's ResNets: the first stage is res2, after the stem.
    block="trunk._feature_blocks.res{next_stage}.block{stage}-{block}.",
    first_block=0,
    in_block={
        "proj": "downsample.conv",
        "bn": "downsample.bn",
        "f.a.0": "conv1.conv",
        "f.a.1": "conv1.bn",
        "f.b.0": "conv2.conv",
        "f.b.1": "conv2.bn",
        "f.se.excitation.0": "se.fc1",
        "f.se.excitation.2": "se.fc2",
        "f.c": "conv3.conv",
        "f.final_bn": "conv3.bn",
    },
    head="heads.0.clf.0",
    mark=r"(trunk\.)?(_feature_blocks\.(conv1\.stem|res[0-9]+)|stem\.stem|trunk_output\..*\.(final_bn|excitation))\.",
)

BARE_NAMES = replace(
    NAMES,
    stem=("stem.stem.0", "stem.stem.1"),
    block="trunk_output.block{stage}.block{stage}-{block}.",
    head="head.fc",
)
"""ClassyVision's own. VISSL divides the network into feature blocks, to be able to return each one's output."""

PRETEXT = re.compile(r"(heads\.)?[0-9]+\.(projection_head|prototypes[0-9]*)\.")
"""Heads of self-supervised training, which classify nothing."""
SHARD = re.compile(r"\.block[0-9]+-part[0-9]+(?=\.)")
"""RegNets for FSDP have the blocks of a stage in parts: `res2.block1-part0.block1-0`."""
CLASSY_HEAD = re.compile(r"^heads\.[^.]+\.[^.]+\.(?=fc\.)")
"""A head of ClassyVision has the name of the block to which it is attached, and one of its own."""


def _our_key(key: str) -> str | None:
    if PRETEXT.match(key):
        return None
    bare = CLASSY_HEAD.sub("head.", key.removeprefix("trunk."), count=1)
    if bare.startswith(("stem.", "trunk_output.", "head.")):
        return BARE_NAMES.our_key(bare)
    part = {"_": "trunk.", "0": "heads."}.get(key[:1], "")  # trunk and heads are saved in two tables, without these
    return NAMES.our_key(part + SHARD.sub("", key, count=1))


def _obstacle(architecture: Architecture) -> str | None:
    """ClassyVision's AnyNet takes any stages; the stem is `simple_stem_in`, with stride 2, or `res_stem_cifar`."""
    if architecture.in_chans != 3:
        return f"it takes {architecture.in_chans} input channels, VISSL's networks take 3"
    if architecture.stem.stride > 2:
        return f"its stem has stride {architecture.stem.stride}, VISSL's stems have 1 or 2"
    return None


def _nest(state_dict: Mapping[str, StoredTensor]) -> dict[str, Any]:
    """Trunk and heads in two tables, as in its checkpoints."""
    model: dict[str, dict[str, StoredTensor]] = {"trunk": {}, "heads": {}}
    for key, tensor in state_dict.items():
        part, _, rest = key.partition(".")
        model[part][rest] = tensor
    return {"classy_state_dict": {"base_model": {"model": model}}}


VISSL = Dialect(
    name="vissl",
    owner="VISSL's",
    names=NAMES,
    translate=_our_key,
    obstacle=_obstacle,
    usual_tag="seer_ft_in1k",
    nest=_nest,
)
"""`trunk._feature_blocks.res2.block1-0.f.a.0.weight`."""
