"""pycls: the paper's own code, whose networks take blue, green, red (it reads pictures with OpenCV).

Checked against `models/anynet.py` and `core/checkpoint.py`; older files lack the counters of batch norm. A network
without a classifier is pycls's without `head.fc`.
"""

from collections.abc import Mapping
from typing import Any

from regnety.architecture.description import Architecture
from regnety.files.arrays import StoredTensor
from regnety.weights.dialects.dialect import Dialect, ModuleNames

NAMES = ModuleNames(
    stem=("stem.conv", "stem.bn"),
    block="s{stage}.b{block}.",
    in_block={  # in the order of its modules: the shortcut comes first, and its `bn` is the shortcut's
        "proj": "downsample.conv",
        "bn": "downsample.bn",
        "f.a": "conv1.conv",
        "f.a_bn": "conv1.bn",
        "f.b": "conv2.conv",
        "f.b_bn": "conv2.bn",
        "f.se.f_ex.0": "se.fc1",
        "f.se.f_ex.2": "se.fc2",
        "f.c": "conv3.conv",
        "f.c_bn": "conv3.bn",
    },
    head="head.fc",
    mark=r"s[0-9]+\.b[0-9]+\.(f|proj|bn)\.",
)


def _obstacle(architecture: Architecture) -> str | None:
    """Its AnyNet takes any stages; the stem is `simple_stem_in`, with stride 2, or `res_stem_cifar`, with 1."""
    if architecture.in_chans != 3:
        return f"it takes {architecture.in_chans} input channels, pycls's networks take 3: blue, green and red"
    if architecture.stem.stride > 2:
        return f"its stem has stride {architecture.stem.stride}, pycls's stems have 1 or 2"
    return None


def _nest(state_dict: Mapping[str, StoredTensor]) -> dict[str, Any]:
    # Its loader needs an epoch too: a training that resumes from the file starts after it.
    return {"epoch": 0, "model_state": dict(state_dict)}


PYCLS = Dialect(
    name="pycls",
    owner="pycls's",
    names=NAMES,
    bgr_input=True,
    obstacle=_obstacle,
    usual_tag="pycls_in1k",
    nest=_nest,
)
"""`s1.b1.f.a.weight`."""
