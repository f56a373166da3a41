"""Small models that answer at once: random weights, made with NumPy alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import Design
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import model_info
from regnety.files.arrays import Array
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing

SMALL_DESIGN = Design(depth=2, w0=16, wa=16, wm=2, group_width=8, stem_stride=1)
REGNETY_002 = model_info("regnety_002").design
SMALL = Preprocessing(image_size=32, crop_pct=0.875)
LABELS = ("blue", "green", "red", "white")


def random_weights(architecture: Architecture, *, seed: int = 0) -> dict[str, Array]:
    """Weights of every key, float32, drawn so that activations keep their size."""
    generator = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for key, shape in architecture.state_dict_shapes().items():
        values = generator.standard_normal(shape)
        if key.endswith("num_batches_tracked"):
            values = np.array(7, np.int64)
        elif key.endswith("running_var"):
            values = 0.5 + values**2
        elif key.endswith("bn.weight"):
            values = 1 + 0.2 * values
        elif len(shape) > 1:
            values *= np.sqrt(2 / np.prod(shape[1:]))
        weights[key] = values if values.dtype == np.int64 else values.astype(np.float32)
    return weights


def small_bundle(
    labels: tuple[str, ...] | None = LABELS,
    *,
    num_classes: int = len(LABELS),
    seed: int = 0,
    design: AnyDesign = SMALL_DESIGN,
    preprocessing: Preprocessing = SMALL,
    provenance: Mapping[str, Any] | None = None,
    name: str = "small",
) -> Bundle:
    """A model in memory."""
    metadata = ModelMetadata(
        design=design,
        num_classes=len(labels) if labels else num_classes,
        in_chans=3,
        preprocessing=preprocessing,
        labels=labels,
        provenance=provenance or {},
    )
    architecture = design.architecture(metadata.num_classes)
    return Bundle(metadata, random_weights(architecture, seed=seed), name=name)
