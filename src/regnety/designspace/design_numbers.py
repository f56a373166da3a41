"""The numbers of designs under names: those of a linear design, or of the stages of any other."""

from collections.abc import Sequence

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign

LINEAR = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_multiplier")
OF_STAGES = ("group_width", "bottleneck_multiplier")
"""Those that the stages of a design may share."""


def design_numbers(design: AnyDesign) -> dict[str, float | int]:
    """The numbers that a design is drawn by.

    Of a linear one its six. Of any other `depth`, the numbers of each stage (`stage_1_width`, `stage_1_depth` and so
    on), and the group width and the bottleneck multiplier that all its stages share.
    """
    if isinstance(design, Design):
        return {name: getattr(design, name) for name in LINEAR}
    stages = _stages(design)
    found: dict[str, float | int] = {"depth": sum(stage.depth for stage in stages)}
    for name in OF_STAGES:
        values = {getattr(stage, name) for stage in stages}
        if len(values) == 1:
            found[name] = values.pop()
    for number, stage in enumerate(stages, start=1):
        for name in ("width", "depth", *OF_STAGES):
            found[f"stage_{number}_{name}"] = getattr(stage, name)
    return found


def shared_names(designs: Sequence[AnyDesign]) -> tuple[str, ...]:
    """Names of the numbers that all of some designs have; of single stages only where all have as many stages."""
    known = [design_numbers(design) for design in designs]
    names = [name for name in (known[0] if known else ()) if all(name in each for each in known)]
    if len({len(_stages(design)) for design in designs}) > 1:
        return tuple(name for name in names if not name.startswith("stage_"))
    # what the stages of each design share is one number, and not several equal ones
    shared = tuple(name for name in OF_STAGES if name in names)
    return tuple(name for name in names if not (name.startswith("stage_") and name.endswith(shared)))


def _stages(design: AnyDesign) -> tuple[StageDesign, ...]:
    return design.stages if isinstance(design, AnyNetDesign) else design.fitted_stages()
