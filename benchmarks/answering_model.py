"""Writes a model with random weights that tells photographs apart, so that two ways to its answers can be compared.

    python benchmarks/answering_model.py FOLDER MODEL PHOTOGRAPHS

gives FOLDER/MODEL.safetensors, in timm's keys. A network that was only initialised answers nearly everything alike.
Here its batch norms are set on the photographs, and its classifier looks at what differs among them: features without
their mean, each direction of them in units of its deviation. Needs torch.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import regnety
from regnety.images.listing import list_images
from regnety.images.pixels import load_pixels

BATCH = 32
PHOTOGRAPHS = 512
"""From which the statistics are taken."""
DIRECTIONS = 64
"""Of the features, those along which the photographs differ most."""


def write_answering_model(folder: Path, name: str, photographs: Path, *, seed: int = 0) -> Path:
    path = folder / f"{name}.safetensors"
    if path.exists():
        return path
    preprocessing = regnety.Preprocessing()
    sources = list(list_images([photographs]))[:PHOTOGRAPHS]
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    pixels = [torch.from_numpy(load_pixels(source, preprocessing).transpose(2, 0, 1).copy()) for source in sources]
    torch.manual_seed(seed)
    network = regnety.create_model(name)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None  # the mean of all batches
            torch.nn.init.uniform_(norm.weight, 0.5, 1.0)
    network.head.fc = torch.nn.Identity()
    features = []
    with torch.inference_mode():
        for training in (True, False):
            network.train(training)
            for begin in range(0, len(pixels), BATCH):
                batch = (torch.stack(pixels[begin : begin + BATCH]).float() / 255 - mean) / std
                found = network(batch)
                if not training:
                    features.append(found)
    states = {key: value.contiguous() for key, value in network.state_dict().items()}
    states["head.fc.weight"], states["head.fc.bias"] = _classifier(torch.cat(features).numpy(), seed)
    save_file(states, path)
    return path


def _classifier(features: np.ndarray, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    centre = features.mean(0)
    _, deviations, directions = np.linalg.svd(features - centre, full_matrices=False)
    kept = min(DIRECTIONS, len(deviations))
    whitening = directions[:kept] / (deviations[:kept, None] / np.sqrt(len(features)))
    weight = np.random.default_rng(seed).standard_normal((1000, kept)) @ whitening
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(-weight @ centre, dtype=torch.float32)


if __name__ == "__main__":
    print(write_answering_model(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
