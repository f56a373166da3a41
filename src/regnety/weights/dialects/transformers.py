"""transformers: `RegNetForImageClassification`, and `RegNetModel`, whose keys lack the leading `regnet.`."""

from regnety.architecture.description import Architecture
from regnety.weights.dialects.dialect import Dialect, ModuleNames

NAMES = ModuleNames(
    stem=("regnet.embedder.embedder.convolution", "regnet.embedder.embedder.normalization"),
    block="regnet.encoder.stages.{stage}.layers.{block}.",
    first_stage=0,
    first_block=0,
    in_block={
        "shortcut.convolution": "downsample.conv",
        "shortcut.normalization": "downsample.bn",
        "layer.0.convolution": "conv1.conv",
        "layer.0.normalization": "conv1.bn",
        "layer.1.convolution": "conv2.conv",
        "layer.1.normalization": "conv2.bn",
        "layer.2.attention.0": "se.fc1",
        "layer.2.attention.2": "se.fc2",
        "layer.3.convolution": "conv3.conv",
        "layer.3.normalization": "conv3.bn",
    },
    in_plain_block={
        "shortcut.convolution": "downsample.conv",
        "shortcut.normalization": "downsample.bn",
        "layer.0.convolution": "conv1.conv",
        "layer.0.normalization": "conv1.bn",
        "layer.1.convolution": "conv2.conv",
        "layer.1.normalization": "conv2.bn",
        "layer.2.convolution": "conv3.conv",
        "layer.2.normalization": "conv3.bn",
    },
    head="classifier.1",
    mark=r"(regnet\.)?(embedder\.embedder|encoder\.stages\.[0-9]+\.layers\.[0-9]+)\.",
)


def groups_width(architecture: Architecture) -> int | None:
    """The `groups_width` of its configuration, one for the whole network; None if no value gives our groups."""
    # Their blocks have max(1, width // groups_width) groups. A value that works is at most the group width of each
    # stage with more than one group; if any such value works, the largest does.
    grouped = [stage.group_width for stage in architecture.stages if stage.group_width < stage.inner_width]
    width = min(grouped, default=max(stage.inner_width for stage in architecture.stages))
    fits = all(max(1, block.width // width) == block.groups for block in architecture.blocks)
    return width if fits else None


def _obstacle(architecture: Architecture) -> str | None:
    stem, (first, *others) = architecture.stem, architecture.stages
    if stem.stride != 2:
        return f"its stem has stride {stem.stride}, transformers' has 2"
    if first.stride > 2:
        return f"its first stage has stride {first.stride}, transformers' has 1 or 2"
    for stage in others:
        if stage.stride != 2:
            return f"stage {stage.name} has stride {stage.stride}, transformers' have 2 from the second on"
    for stage in architecture.stages:
        if stage.inner_width != stage.width:
            return f"stage {stage.name} has a bottleneck_multiplier other than 1"
    if groups_width(architecture) is None:
        return "no single groups_width gives the groups of all its stages"
    for block in architecture.blocks:
        if block.se and block.se.se_width != round(block.width_in / 4):
            return f"{block.se.name} squeezes to {block.se.se_width} channels, transformers' to a quarter of its input"
    return None


TRANSFORMERS = Dialect(
    name="transformers",
    owner="transformers'",
    names=NAMES,
    # RegNetModel, without the classifier, has the same keys without `regnet.`.
    translate=lambda key: NAMES.our_key(key if key.startswith(("regnet.", "classifier.")) else f"regnet.{key}"),
    obstacle=_obstacle,
    usual_tag="pycls_in1k",
)
"""`regnet.encoder.stages.0.layers.0.layer.0.convolution.weight`."""
