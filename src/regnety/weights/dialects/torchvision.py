"""torchvision: `models.regnet`, and the SWAG weights that are published for it.

A network without a classifier is torchvision's without `fc`.
"""

from regnety.architecture.description import Architecture
from regnety.weights.dialects.dialect import Dialect, ModuleNames

NAMES = ModuleNames(
    stem=("stem.0", "stem.1"),
    block="trunk_output.block{stage}.block{stage}-{block}.",
    first_block=0,  # stages count from 1 here, blocks from 0
    in_block={
        "proj.0": "downsample.conv",
        "proj.1": "downsample.bn",
        "f.a.0": "conv1.conv",
        "f.a.1": "conv1.bn",
        "f.b.0": "conv2.conv",
        "f.b.1": "conv2.bn",
        "f.se.fc1": "se.fc1",
        "f.se.fc2": "se.fc2",
        "f.c.0": "conv3.conv",
        "f.c.1": "conv3.bn",
    },
    head="fc",
    # ClassyVision's bare names begin alike; `final_bn` and `excitation` are theirs, `f.c.0` and `se.fc1` torchvision's.
    mark=r"trunk_output\.block[0-9]+\.block[0-9]+-[0-9]+\.(f\.c|f\.se|proj)\.(0|1|fc1|fc2)\.",
)


def _obstacle(architecture: Architecture) -> str | None:
    """Its BlockParams take any stages, its RegNet any stem width; 3 channels and a stride of 2 are written into it."""
    if architecture.in_chans != 3:
        return f"it takes {architecture.in_chans} input channels, torchvision's networks take 3"
    if architecture.stem.stride != 2:
        return f"its stem has stride {architecture.stem.stride}, torchvision's has 2"
    return None


TORCHVISION = Dialect(
    name="torchvision",
    owner="torchvision's",
    names=NAMES,
    obstacle=_obstacle,
    usual_tag="tv2_in1k",
)
"""`trunk_output.block1.block1-0.f.a.0.weight`."""
