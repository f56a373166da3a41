"""Whether similar means what people mean: neighbours of the same class, copies found, strangers taken for copies.

    python benchmarks/similarity.py DATA [--model MODEL] [--images 10000] [--queries 1000] [--output similarity.json]

DATA has a folder a class (the test set of CIFAR-10 for the model that comes with the package, which was not trained on
it). Neighbours: the share of images whose nearest other one is of their class. Copies: images are written anew in other
formats, sizes, crops and brightness, and the share is counted whose cosine with the original is at least a threshold.
Strangers: the share of images that have another original at least so similar, some of which are real duplicates.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

sys.path.insert(0, str(Path(__file__).parent))
from processes import processor

from regnety import Embedder
from regnety.inference.similarity.neighbours import normalised

THRESHOLDS = (0.95, 0.98, 0.985, 0.99, 0.995)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return image.resize(image.size, Image.Resampling.BICUBIC, box=(left, top, width - left, height - top))


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": encoded,
    "JPEG, quality 95": lambda image: encoded(image, "JPEG", quality=95),
    "JPEG, quality 90": lambda image: encoded(image, "JPEG", quality=90),
    "WebP, quality 80": lambda image: encoded(image, "WEBP", quality=80),
    "4 times as wide, JPEG 90": lambda image: encoded(scaled(image, 4), "JPEG", quality=90),
    "2 times as wide, JPEG 90": lambda image: encoded(scaled(image, 2), "JPEG", quality=90),
    "3/4 as wide": lambda image: encoded(scaled(image, 0.75)),
    "a tenth brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.1)),
    "95 % of each side": lambda image: encoded(cropped(image, 0.95)),
    "90 % of each side": lambda image: encoded(cropped(image, 0.9)),
    "mirrored": lambda image: encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "JPEG, quality 50": lambda image: encoded(image, "JPEG", quality=50),
}


def shares(cosines: npt.NDArray[np.float32]) -> dict[str, float]:
    """How many are at least so similar."""
    return {str(threshold): float((cosines >= threshold).mean()) for threshold in THRESHOLDS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="regnety_cifar10")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    paths = sorted(path for path in arguments.data.glob("*/*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    paths = [paths[row] for row in np.sort(random.permutation(len(paths))[: arguments.images])]
    classes = np.array([path.parent.name for path in paths])
    embedder = Embedder(arguments.model)
    values = normalised(embedder.embed(paths))
    queries = random.permutation(len(paths))[: arguments.queries]
    cosines = values[queries] @ values.T
    cosines[np.arange(len(queries)), queries] = -1
    same_class = float((classes[cosines.argmax(axis=1)] == classes[queries]).mean())
    facts: dict[str, Any] = {
        "processor": processor(),
        "model": arguments.model,
        "images": len(paths),
        "queries": len(queries),
        "nearest_of_the_same_class": same_class,
        "strangers": shares(cosines.max(axis=1)),
        "copies": {},
    }
    for name, write in COPIES.items():
        written = [write(Image.open(paths[row]).convert("RGB")) for row in queries]
        copies = normalised(embedder.embed(written))
        facts["copies"][name] = shares(np.einsum("ij,ij->i", copies, values[queries]))
    print(f"{facts['model']}: {len(paths)} images, {len(queries)} asked; nearest of the same class {same_class:.1%}")
    print(f"{'cosine at least':28s}", *(f"{threshold:>7}" for threshold in THRESHOLDS))
    for name, row in {"another image (strangers)": facts["strangers"], **facts["copies"]}.items():
        print(f"{name:28s}", *(f"{share:7.1%}" for share in row.values()))
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
