"""What the index of the RegNetY model page says about each of its twelve models, and where the page is wrong.

`model_page.json` has what is common to all of them once; null marks what differs between models.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from regnety.architecture.counting import complexity, model_index_flops
from regnety.catalog.models import model_info

_FILE = Path(__file__).parent / "model_page.json"
CITATION = """\
@misc{radosavovic2020designing,
      title={Designing Network Design Spaces},
      author={Ilija Radosavovic and Raj Prateek Kosaraju and Ross Girshick and Kaiming He and Piotr Dollár},
      year={2020},
      eprint={2003.13678},
      archivePrefix={arXiv},
      primaryClass={cs.CV}
}
"""
"""BibTeX, as on the model page; README.md and CITATION.cff say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """One model of the page, in the page's own words, order and types."""

    name: str
    """`regnety_032`."""
    collection: Mapping[str, Any]
    """`Name` and `Paper`."""
    metadata: Mapping[str, Any]
    """`FLOPs` to `Interpolation`; `Crop Pct` and `Image Size` are texts there."""
    code: str
    """Address of timm's source that builds it."""
    weights: str
    """Address of the file."""
    top1: float
    """On ImageNet, in percent."""
    top5: float
    """On ImageNet, in percent."""
    remarks: tuple[str, ...]
    """Sentences on what the page has wrong, or counts in another way."""

    def model_index(self) -> dict[str, Any]:
        """The document in the comment at the end of the page, with only this model."""
        model = {
            "Name": self.name,
            "In Collection": self.collection["Name"],
            "Metadata": dict(self.metadata),
            "Code": self.code,
            "Weights": self.weights,
            "Results": [
                {
                    "Task": "Image Classification",
                    "Dataset": "ImageNet",
                    # g: the page writes 80.8%, not 80.80%
                    "Metrics": {"Top 1 Accuracy": f"{self.top1:g}%", "Top 5 Accuracy": f"{self.top5:g}%"},
                }
            ],
        }
        return {"Type": "model-index", "Collections": [dict(self.collection)], "Models": [model]}


def page_models() -> tuple[str, ...]:
    """Names of the models that the page has, in its order."""
    return tuple(_page()["models"])


@cache
def page_entry(model: str) -> PageEntry | None:
    """What the page says about a model, by its name without a tag; None if it is not on the page."""
    page = _page()
    facts = page["models"].get(model)
    if facts is None:
        return None
    design = model_info(model).design
    return PageEntry(
        name=model,
        collection=page["collection"],
        metadata={
            # in the page's order: what follows takes the places that null keeps for it here
            **page["metadata"],
            "FLOPs": model_index_flops(design),
            "Parameters": round(complexity(design).num_params, -4),  # the page rounds to 10,000
            "File Size": facts["file_size"],
            "ID": model,
            "Batch Size": facts["batch_size"],
        },
        code=f"{page['code']}{facts['line']}",
        weights=f"{page['weights']}{facts['file']}",
        top1=facts["top1"],
        top5=facts["top5"],
        remarks=(*page["remarks"], *facts.get("remarks", ())),
    )


@cache
def _page() -> dict[str, Any]:
    page: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return page
