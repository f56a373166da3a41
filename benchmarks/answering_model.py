"""Writes a model with random weights that tells photographs apart, so that two ways to its answers can be compared.

    python benchmarks/answering_model.py FOLDER MODEL PHOTOGRAPHS

gives FOLDER/MODEL.safetensors, in timm's keys, and the same as a bundle, FOLDER/MODEL-bundle. A network that was only
initialised answers nearly everything alike. Here its batch norms are set on the photographs, and each of 300 classes is
one of them: the answer is the one that a photograph is most like, so that there are at least 300 different ones and, as
with a model that was trained, most are no close calls. Needs torch.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import regnety
from regnety import Bundle
from regnety.images.listing import list_images
from regnety.images.pixels import load_pixels
from regnety.metadata.model_metadata import ModelMetadata

BATCH = 32
PHOTOGRAPHS = 512
"""From which the statistics are taken."""
OWN = 300
"""Classes that a photograph stands for: what is nearest to it has its class."""
SHARPNESS = 32.0
"""Of the probabilities: so much is the logit of what is as far away as photographs are in the mean below the best."""
NEVER = -1e4
"""Bias of the classes that nothing stands for."""


def write_answering_model(folder: Path, name: str, photographs: Path, *, seed: int = 0) -> Path:
    path, bundle = folder / f"{name}.safetensors", folder / f"{name}-bundle"
    if bundle.exists():  # it is written last
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
    states["head.fc.weight"], states["head.fc.bias"] = _classifier(torch.cat(features).numpy(), 1000)
    design = regnety.model_info(name).design
    metadata = ModelMetadata(design=design, num_classes=1000, in_chans=3, preprocessing=preprocessing)
    save_file(states, path)
    Bundle(metadata, {key: value.numpy() for key, value in states.items()}, name=name).save(bundle)
    return path


def _classifier(features: np.ndarray, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are the larger, the nearer a photograph's features are to those of the class's own photograph."""
    centre = features.mean(0)
    own = (features - centre)[:: max(1, len(features) // OWN)][:OWN]
    scale = SHARPNESS / np.square(features - centre).sum(1).mean()
    weight = np.zeros((classes, features.shape[1]))
    bias = np.full(classes, NEVER)
    weight[: len(own)] = scale * own
    bias[: len(own)] = -weight[: len(own)] @ centre - scale * np.square(own).sum(1) / 2
    return torch.tensor(weight, dtype=torch.float32), torch.tensor(bias, dtype=torch.float32)


if __name__ == "__main__":
    print(write_answering_model(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
