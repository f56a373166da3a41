"""Sampled designs: columns, of which a `Design` is made when it is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.designspace.definition import SpaceDefinition
from regnety.designspace.ranges import LinearRanges
from regnety.extras import import_extra

if TYPE_CHECKING:
    import pyarrow

Column: TypeAlias = npt.NDArray[np.generic]

STAGE_COLUMNS = ("stage_widths", "stage_depths", "stage_inner_widths", "stage_group_widths")
"""[designs, stages] of the network: widths and groups are fitted to each other. Stages that a design lacks are 0."""
DRAWN_COLUMNS = ("stage_bottleneck_multipliers", "drawn_widths", "drawn_group_widths")
"""[designs, stages], of AnyNets alone: what was drawn for a stage, before widths and groups were fitted."""
COUNTS = ("num_params", "macs", "activations")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Designs:
    """Designs of one space, in the order of their draws. Made by `DesignSpace.sample`.

    designs[3]                # a Design, or an AnyNetDesign
    designs[:100]             # Designs again
    designs.columns["macs"]   # int64 [designs]
    """

    columns: Mapping[str, Column]
    """Name to an array with a row per design: `draw`; `depth`, `w0`, `wa`, `wm`, `group_width` and
    `bottleneck_multiplier` of RegNets; `num_stages`; `stage_widths` and other columns of [designs, stages];
    `num_params`, `macs`, `activations`."""
    space: SpaceDefinition
    """What they were drawn from."""
    seed: int
    """Of the draws."""
    draws: int
    """How many were made, rejected ones included."""
    rejections: Mapping[str, int] = field(default_factory=dict)
    """Reason to how many draws were rejected for it, the first reason of each."""

    @property
    def rejected(self) -> int:
        """Draws that do not belong to the space."""
        return sum(self.rejections.values())

    def __len__(self) -> int:
        return len(self.columns["draw"])

    @overload
    def __getitem__(self, which: int) -> AnyDesign: ...

    @overload
    def __getitem__(self, which: slice) -> "Designs": ...

    def __getitem__(self, which: int | slice) -> "AnyDesign | Designs":
        if isinstance(which, slice):
            columns = {name: column[which] for name, column in self.columns.items()}
            return Designs(
                columns=columns, space=self.space, seed=self.seed, draws=self.draws, rejections=self.rejections
            )
        if not -len(self) <= which < len(self):
            raise IndexError(f"there are {len(self)} designs, and no number {which}")
        return self._design(which)

    def __iter__(self) -> Iterator[AnyDesign]:
        return map(self._design, range(len(self)))

    def row(self, number: int) -> dict[str, Any]:
        """One design as plain values: `stage_` columns are lists, without the stages that it lacks."""
        stages = int(self.columns["num_stages"][number])
        return {
            name: column[number].tolist() if column.ndim == 1 else column[number, :stages].tolist()
            for name, column in self.columns.items()
        }

    def to_arrow(self) -> "pyarrow.Table":
        """An Arrow table with the same columns, those of stages as lists; it can be made a data frame.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        arrow = import_extra("pyarrow", feature="a table of designs", extra="table")
        stages = self.columns["num_stages"].astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(stages)])
        kind = arrow.int32 if ends[-1] < 1 << 31 else arrow.int64
        lists = arrow.ListArray if ends[-1] < 1 << 31 else arrow.LargeListArray
        arrays = {}
        for name, column in self.columns.items():
            if column.ndim == 1:
                arrays[name] = arrow.array(column)
                continue
            there = np.arange(column.shape[1]) < stages[:, None]
            arrays[name] = lists.from_arrays(arrow.array(ends, kind()), arrow.array(column[there]))
        return arrow.table(arrays)

    def _design(self, number: int) -> AnyDesign:
        space, row = self.space, self.row(number)
        shared: dict[str, Any] = {
            "se_ratio": space.se_ratio,
            "stem_width": space.stem_width,
            "stem_stride": space.stem_stride,
        }
        strides = (space.stage_strides or (2,) * row["num_stages"])[: row["num_stages"]]
        if isinstance(space.ranges, LinearRanges):
            six = {name: row[name] for name in linear_columns()}
            return Design(**six, **shared, stage_strides=None if space.stage_strides is None else strides)
        columns = zip(
            row["drawn_widths"],
            row["stage_depths"],
            row["stage_bottleneck_multipliers"],
            row["drawn_group_widths"],
            strides,
            strict=True,
        )
        stages = tuple(
            StageDesign(width=width, depth=depth, bottleneck_multiplier=multiplier, group_width=group, stride=stride)
            for width, depth, multiplier, group, stride in columns
        )
        return AnyNetDesign(stages=stages, **shared)


def linear_columns() -> tuple[str, ...]:
    """The numbers of a RegNet: `depth`, `w0`, `wa`, `wm`, `group_width`, `bottleneck_multiplier`."""
    return tuple(field.name for field in fields(LinearRanges))


def column_types(space: SpaceDefinition) -> dict[str, type[np.generic]]:
    """Name to the type of each column of a space's designs, in their order."""
    linear = isinstance(space.ranges, LinearRanges)
    whole: dict[str, type[np.generic]] = {"draw": np.int64}
    whole |= dict.fromkeys(linear_columns() if linear else (), np.int32)
    whole |= dict.fromkeys(("num_stages", *STAGE_COLUMNS, *(() if linear else DRAWN_COLUMNS)), np.int32)
    whole |= dict.fromkeys(COUNTS, np.int64)
    real = ("wa", "wm", "bottleneck_multiplier", "stage_bottleneck_multipliers")
    return {name: np.float64 if name in real else kind for name, kind in whole.items()}


def empty_columns(space: SpaceDefinition) -> dict[str, Column]:
    """The columns of no design."""
    stages = space.most_stages or 0
    return {
        name: np.empty((0, stages) if name in STAGE_COLUMNS + DRAWN_COLUMNS else 0, kind)
        for name, kind in column_types(space).items()
    }
