"""Small searches for a design: real engines and real training of networks that are soon trained."""

from pathlib import Path
from typing import Any

from populations import SETTINGS
from regnety.designspace.search.result import SearchResult
from regnety.designspace.search.searching import search_designs

RANGES = {"macs": (1e5, 5e6), "w0": (8, 24), "depth": (3, 6), "group_width": (8,)}
FINAL = ("epochs=2", "batch_size=8", "warmup_epochs=0", "ema_decay=0.9", "val_fraction=0.5")
PIXELS = "image_size=16"


def search(data: Path, output: Path, **changes: Any) -> SearchResult:
    """Three designs, the best of them trained for two epochs; `changes` are arguments of `search_designs`."""
    options: dict[str, Any] = {
        "latency_ms": (0.0, 1000.0),
        "ranges": RANGES,
        "engine": "onnxruntime",
        "precision": "f32",
        "trials": 3,
        "settings": (*SETTINGS, PIXELS),
        "final_settings": FINAL,
        "winners": 1,
        "quiet": True,
    }
    return search_designs(data, output, **{**options, **changes})
