"""The results of the study of three spaces as one Parquet file: a row for each training, and how they were made."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from regnety import Population
from regnety.version import __version__

SWEEP, SEEDS = "_sweep", "_seeds"
"""Behind the name of a space: its part of the sweep, and its designs that are trained again with other seeds."""
PARTS = {"sweep": SWEEP, "designs": "", "seeds": SEEDS}
FACTS = b"study"
"""In the metadata of the file."""


def collected(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of all populations in the folder of the study."""
    rows = []
    for part, suffix in PARTS.items():
        for name in names:
            population = Population.load(folder / (name + suffix))
            rows += [_row(part, name, result, population) for result in population]
    return rows


def _row(part: str, space: str, result: Any, population: Population) -> dict[str, Any]:
    stages = result.design.fitted_stages()
    recipe = result.trial.recipe
    return {
        "part": part,
        "space": space,
        "design": result.trial.design_number,
        "seed": recipe.seed,
        "lr": recipe.optimizer.lr,
        "weight_decay": recipe.optimizer.weight_decay,
        "status": result.status,
        "error": result.error if result.rows else None,
        "errors": result.errors.tolist(),
        "fields": json.dumps(result.design.as_dict()),
        "num_params": result.complexity.num_params,
        "macs": result.complexity.macs,
        "activations": result.complexity.activations,
        "stage_widths": [stage.width for stage in stages],
        "stage_depths": [stage.depth for stage in stages],
        "pictures": [population.plan.data.train, population.plan.data.val],
        "threads": population.plan.conditions.threads,
        "seconds": result.seconds,
        "message": result.message,
    }


def write_results(path: Path, rows: list[dict[str, Any]], facts: Mapping[str, Any]) -> None:
    """Write rows of `collected` with the facts that all of them share."""
    versions = {"regnety": __version__, "torch": version("torch")}
    table = pyarrow.Table.from_pylist(rows)
    table = table.replace_schema_metadata({FACTS: json.dumps({**facts, "versions": versions})})
    pyarrow.parquet.write_table(table, path, compression="zstd")
    print(f"wrote {path}", flush=True)


def read_results(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and facts of a file that `write_results` wrote."""
    table = pyarrow.parquet.read_table(path)
    return table.to_pylist(), json.loads(table.schema.metadata[FACTS])
