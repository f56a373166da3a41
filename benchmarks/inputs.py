"""Writes what benchmarks ask about: a model with random weights, and a photograph.

    python benchmarks/inputs.py FOLDER [MODEL]

gives FOLDER/MODEL.safetensors (regnety_002 where none is named; in timm's keys), FOLDER/photo.jpg (500x375) and
FOLDER/classes.txt.
"""

import sys
from functools import partial
from pathlib import Path

from PIL import Image

import regnety
from regnety.architecture.description import Architecture
from regnety.files.arrays import FileWeights, StoredTensor
from regnety.files.safetensors_files import write_safetensors
from regnety.weights.random_weights import random_values

EXAMPLE = Path(__file__).parent.parent / "examples" / "cat.png"


def write_model(folder: Path, name: str) -> Path:
    """The weights of a named model, normal with a deviation of sqrt(2 / fan-in)."""
    info = regnety.model_info(name)
    return write_weights(folder / f"{name}.safetensors", info.design.architecture(info.num_classes))


def write_weights(path: Path, architecture: Architecture) -> Path:
    """The same for any description: of a file of gigabytes one tensor is made at a time."""
    tensors = {
        key: StoredTensor(shape, "int64" if key.endswith("tracked") else "float32", partial(random_values, key, shape))
        for key, shape in architecture.state_dict_shapes().items()
    }
    write_safetensors(path, FileWeights(tensors, source=str(path)))
    return path


def write_photograph(path: Path) -> Path:
    """The example at the size that ImageNet's photographs usually have."""
    Image.open(EXAMPLE).convert("RGB").resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_model(folder, sys.argv[2] if len(sys.argv) > 2 else "regnety_002")
    write_photograph(folder / "photo.jpg")
    (folder / "classes.txt").write_text("\n".join(str(index) for index in range(1000)), "utf-8")
