"""Writes what benchmarks ask about: a model with random weights, and a photograph.

    python benchmarks/inputs.py FOLDER

gives FOLDER/regnety_002.safetensors (in timm's keys), FOLDER/photo.jpg (500x375) and FOLDER/classes.txt.
"""

import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

import regnety

EXAMPLE = Path(__file__).parent.parent / "examples" / "cat.png"


def write_model(folder: Path, name: str) -> Path:
    """The weights of a named model, normal with a deviation of sqrt(2 / fan-in)."""
    info = regnety.model_info(name)
    generator = np.random.default_rng(0)
    weights = {}
    for key, shape in info.design.architecture(info.num_classes).state_dict_shapes().items():
        values = generator.standard_normal(shape)
        if key.endswith("num_batches_tracked"):
            values = np.array(0, np.int64)
        elif key.endswith("running_var"):
            values = 0.75 + 0.5 * np.abs(values)
        elif key.endswith("bn.weight"):
            values = (0.3 if ".conv3." in key else 1.0) * (1 + 0.1 * values)
        elif len(shape) > 1:
            values *= math.sqrt(2 / math.prod(shape[1:]))
        else:
            values *= 0.1
        weights[key] = values if values.dtype == np.int64 else values.astype(np.float32)
    path = folder / f"{name}.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    return path


def write_photograph(path: Path) -> Path:
    """The example at the size that ImageNet's photographs usually have."""
    Image.open(EXAMPLE).convert("RGB").resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_model(folder, "regnety_002")
    write_photograph(folder / "photo.jpg")
    (folder / "classes.txt").write_text("\n".join(str(index) for index in range(1000)), "utf-8")
