"""Small models in int8: NNCF takes some seconds for one."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bundles import SMALL, SMALL_DESIGN, random_weights
from pictures import COLOURS, photograph
from regnety.bundle.bundle import Bundle
from regnety.metadata.calibration import Calibration, MeasuredDrop
from regnety.metadata.model_metadata import ModelMetadata

CALIBRATION = Calibration(
    method="nncf.quantize_with_accuracy_control",
    version="3.4.0",
    preset="mixed",
    num_images=300,
    images_sha256="5" * 64,
    seed=7,
    float_layers=("s1.b1.se.fc1", "s1.b1.se.fc2"),
    max_drop=0.5,
    measured=MeasuredDrop(data="birds/test", count=200, engine="onnxruntime 1.32.0", top1_float=88.5, top1_int8=88.0),
)
PICTURES = [np.asarray(photograph(48, 40, seed=seed)) for seed in range(16)]
"""To calibrate on."""


def colour_bundle(folder: Path) -> Bundle:
    """A model with random layers and a classifier that knows noisy pictures of three colours apart, from a folder."""
    labels = tuple(COLOURS)
    architecture = SMALL_DESIGN.architecture(len(labels))
    metadata = ModelMetadata(
        design=SMALL_DESIGN, num_classes=len(labels), in_chans=3, preprocessing=SMALL, labels=labels
    )
    weights = random_weights(architecture)
    shown = {label: features(Bundle(metadata, weights), coloured(label)) for label in labels}
    means = np.stack([shown[label].mean(0) for label in labels])
    centre = means.mean(0)
    deviation = np.concatenate(list(shown.values())).std(0)
    towards = (means - centre) / (deviation + deviation.mean())
    weights["head.fc.weight"] = towards.astype(np.float32)
    weights["head.fc.bias"] = (-(towards * (means + centre)).sum(1) / 2).astype(np.float32)
    return Bundle.load(Bundle(metadata, weights).save(folder))


def coloured(label: str, *, count: int = 8) -> npt.NDArray[np.uint8]:
    """Noise around a colour, as the small models are shown it: uint8 [count, 32, 32, 3]."""
    noise = np.random.default_rng(len(label)).integers(-30, 31, (count, 32, 32, 3))
    pixels: npt.NDArray[np.uint8] = (np.array(COLOURS[label]) + noise).clip(0, 255).astype(np.uint8)
    return pixels


def features(bundle: Bundle, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Pooled features in float32, [count, num_features]."""
    from regnety.inference.engines.selection import start_engine

    engine = start_engine(bundle, outputs=("pre_logits",), precision="f32", threads=1, batch=len(pictures))
    return engine.run(pictures)["pre_logits"]


def logits_of(model: Any, engine: str, precision: str) -> Any:
    """Of pictures of each colour, float32 [N, 3], by an engine that computes in this precision."""
    from regnety.inference.engines.selection import start_engine

    pictures = np.concatenate([coloured(label) for label in COLOURS])
    started = start_engine(Bundle.load(model), engine=engine, precision=precision, threads=1, batch=len(pictures))
    assert started.precision == precision
    return started.run(pictures)["logits"]
