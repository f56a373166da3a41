"""What the bundle of a run says of where it comes from."""

import os
import platform
from importlib import metadata
from typing import Any

from regnety import version
from regnety.bundle.bundle import Bundle
from regnety.bundle.card_text import title_of
from regnety.datasets.samples import DataSplits
from regnety.finetuning.run_folder import FinetuneSettings
from regnety.metadata.inheritance import inherited


def provenance_of(
    base: Bundle, splits: DataSplits, settings: FinetuneSettings, *, num_unreadable: int
) -> dict[str, Any]:
    """Facts for the bundle's config.json and card; no times, so that the same run gives the same bytes.

    Args:
        base: the model that it started from.
        splits: the data.
        settings: of the run.
        num_unreadable: photographs that were left out.
    """
    facts: dict[str, Any] = {
        # The names alone: a card goes to other people, and a path tells of this machine.
        "data": f"{os.path.basename(os.path.abspath(splits.root))}: {len(splits.train)} training pictures",
        "left_out": f"{num_unreadable} pictures that cannot be read" if num_unreadable else None,
        "base": title_of(base),
        **inherited(base.provenance),
        "command": settings.command,
        "seed": settings.seed,
        "class_weights": settings.class_weights,
        "fitted_with": f"regnety {version.__version__}, SciPy {metadata.version('scipy')}, "
        f"Python {platform.python_version()}",
    }
    return {name: value for name, value in facts.items() if value is not None}
