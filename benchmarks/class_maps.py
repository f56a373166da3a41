"""Class maps beside Grad-CAM in torch: the same layer, the same class, the same pixels.

    python benchmarks/class_maps.py PHOTOGRAPHS [--count 10] [--output class_maps.json]

PHOTOGRAPHS is a folder of image files, at any depth. Grad-CAM is written here after its paper (Selvaraju et al., arXiv
1610.02391, section 3.1), with torch's own gradients: they know nothing of pooling, or of how a map is made here. A map
is compared without its negative part, as Grad-CAM has none, by the correlation of their places, and by the largest
difference where both are scaled to 1 at their strongest place. The status is 1 if a correlation is not above 0.99.

Published weights are taken where they are on this disk. Elsewhere the design has random convolutions, with norms of the
statistics of the photographs: the equality holds for any weights.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import regnety
from regnety import Bundle, ClassMap, class_maps
from regnety.images.listing import images_in
from regnety.images.pixels import load_pixels
from regnety.inference.engines.processor import processor
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing

MODELS = ("regnety_cifar10", "regnety_002", "regnety_004", "regnety_008", "regnety_016")


def loaded(name: str, photographs: list[Path]) -> tuple[Bundle, str]:
    """A model, and what its weights are."""
    published = regnety.model_info(name).published
    if published is None or published.cached_file is not None:
        return Bundle.load(name), "trained"
    torch.manual_seed(0)
    network = regnety.create_model(name)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all that it is shown
    torch.nn.init.normal_(network.head.fc.weight)
    preprocessing = Preprocessing()
    with torch.inference_mode():
        network.train()(
            torch.cat([normalized(load_pixels(path, preprocessing), preprocessing) for path in photographs])
        )
    metadata = ModelMetadata(
        design=regnety.model_info(name).design, num_classes=1000, in_chans=3, preprocessing=preprocessing
    )
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    return Bundle(metadata, weights, name=name), "random"


def normalized(pixels: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [side, side, 3] -> float32 [1, 3, side, side]."""
    values = (torch.tensor(pixels) / 255 - torch.tensor(preprocessing.mean)) / torch.tensor(preprocessing.std)
    return values.permute(2, 0, 1)[None].float()


def grad_cam(network: torch.nn.Module, layer: str, images: torch.Tensor, index: int) -> npt.NDArray[np.float32]:
    """Relu of the channels of a layer, each weighted by the mean over places of the logit's gradient."""
    kept: list[torch.Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output))
    logits = network(images)
    hook.remove()
    (gradients,) = torch.autograd.grad(logits[0, index], kept[0])
    cam: npt.NDArray[np.float32] = (gradients.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].relu().detach().numpy()
    return cam


def compare(name: str, photographs: list[Path]) -> dict[str, Any]:
    bundle, weights = loaded(name, photographs)
    network = regnety.create_model(bundle).eval()
    layer = bundle.architecture.stages[-1].name
    maps = [found for found in class_maps(bundle, photographs) if isinstance(found, ClassMap)]
    correlations, differences = [], []
    for found in maps:
        cam = grad_cam(network, layer, normalized(found.picture, bundle.preprocessing), found.index)
        positive = np.maximum(found.values, 0)
        correlations.append(float(np.corrcoef(positive.ravel(), cam.ravel())[0, 1]))
        differences.append(float(np.abs(positive / positive.max() - cam / cam.max()).max()))
    return {
        "model": name,
        "weights": weights,
        "photographs": len(maps),
        "places": "x".join(map(str, maps[0].values.shape)),
        "least_correlation": min(correlations),
        "largest_difference": max(differences),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found = sorted(Path(str(path)) for path in images_in(str(arguments.photographs), recursive=True))
    if len(found) < arguments.count:
        print(f"{arguments.photographs}: has {len(found)} photographs, {arguments.count} are wanted", file=sys.stderr)
        return 2
    chosen = [found[place] for place in np.linspace(0, len(found) - 1, arguments.count).round().astype(int)]
    rows = []
    print(f"{processor().name}, torch {torch.__version__}")
    print("model            weights  places  least correlation  largest difference")
    for name in arguments.models:
        row = compare(name, chosen)
        rows.append(row)
        print(
            f"{name:<16} {row['weights']:<8} {row['places']:<7} {row['least_correlation']:.9f}        "
            f"{row['largest_difference']:.1e}",
            flush=True,
        )
    if arguments.output is not None:
        facts = {"processor": processor().name, "torch": torch.__version__, "rows": rows}
        arguments.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    return int(any(row["least_correlation"] <= 0.99 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
