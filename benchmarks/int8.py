"""int8 beside float32 and bf16: accuracy, answers, size and speed, on both engines.

    python benchmarks/int8.py --cifar CIFAR10 [--model regnety_040] [--rounds 15] [--output int8.json]

CIFAR10 is a folder or a .zip file with train/ and test/, class folders in each. Two models are quantized by
`regnety.quantize_model`, each on 300 pictures of train/:

- the one that comes with the package, whose accuracy on all of test/ is measured before and after, with each engine;
- a published design without its weights. Its convolutions are random, its batch norms have the statistics of
  photographs, and its classifier knows 250 photographs apart, from four crops of each (linear discriminant analysis of
  its features). It is asked about four other crops of each: 1,000 pictures with some 250 different answers. Pairs whose
  margin in float32, the first probability less the second, is under 1 % are counted apart.

`latency` is a median of one image with a thread on each core, `rate` the images a second of one single-threaded run on
each core: engines take turns, round by round.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from engine_rates import throughput
from PIL import Image

import regnety
from regnety import Bundle, Preprocessing
from regnety.datasets.data_sets import read_data_set
from regnety.inference.engines.processor import available_cores, has_bf16, processor
from regnety.inference.engines.registry import Engine
from regnety.inference.engines.selection import start_engine
from regnety.inference.evaluation import evaluate
from regnety.inference.predictor import softmax
from regnety.metadata.model_metadata import ModelMetadata

CHOICES = [
    ("onnxruntime", "f32"),
    ("onnxruntime", "int8"),
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]
CLASSES, CROPS = 250, 4
SIDE, LARGER = 224, 256
SHRINKAGE = 0.1
MARGIN = 0.01
RATE_S = 0.5

Pixels = npt.NDArray[np.uint8]


def crops(path: Path, count: int, seed: int) -> Iterator[Pixels]:
    """Parts of an enlarged picture, each a little brighter or darker and with grain of its own."""
    random = np.random.default_rng(seed)
    pixels = np.asarray(Image.open(path).convert("RGB").resize((LARGER, LARGER), Image.Resampling.BICUBIC))
    for _ in range(count):
        top, left = random.integers(0, LARGER - SIDE + 1, 2)
        part = pixels[top : top + SIDE, left : left + SIDE] * random.uniform(0.9, 1.1)
        yield (part + random.normal(0, 4, part.shape)).clip(0, 255).astype(np.uint8)


def random_model(name: str, fitted: Pixels) -> Bundle:
    """The design with random convolutions, norms and a classifier that are fitted to pictures, CROPS of each class."""
    torch.manual_seed(0)
    preprocessing = Preprocessing()
    model = regnety.create_model(name, num_classes=CLASSES)
    for key, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            torch.nn.init.constant_(module.weight, 0.3 if key.endswith("conv3.bn") else 1.0)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std))

    def normalized(pixels: Pixels) -> torch.Tensor:
        return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std

    with torch.inference_mode():
        model.train()
        for part in np.array_split(fitted[::CROPS], 4):
            model(normalized(part))
        model.eval()
        features = torch.cat(
            [
                model.forward_head(model.forward_features(normalized(part)), pre_logits=True)
                for part in np.array_split(fitted, len(fitted) // 20)
            ]
        ).double()
        means = features.view(CLASSES, CROPS, -1).mean(1)
        centre = means.mean(0)
        within = features - means.repeat_interleave(CROPS, 0)
        covariance = within.T @ within / len(within)
        covariance += SHRINKAGE * covariance.trace() / len(covariance) * torch.eye(len(covariance)).double()
        weight = torch.linalg.solve(covariance, (means - centre).T).T
        weight /= ((features - centre) @ weight.T).std() / 4  # answers as sure as a trained model's
        model.head.fc.weight.copy_(weight)
        model.head.fc.bias.copy_(-(weight * (means + centre)).sum(1) / 2)
    info = regnety.model_info(name)
    metadata = ModelMetadata(design=info.design, num_classes=CLASSES, in_chans=3, preprocessing=preprocessing)
    return Bundle(metadata, {key: value.numpy().copy() for key, value in model.state_dict().items()}, name=name)


def choices() -> list[tuple[str, str]]:
    return [(engine, precision) for engine, precision in CHOICES if precision != "bf16" or has_bf16()]


def started(before: Bundle, after: Bundle, engine: str, precision: str, **options: Any) -> Engine:
    return start_engine(after if precision == "int8" else before, engine=engine, precision=precision, **options)


def measure(before: Bundle, after: Bundle, pictures: Pixels, rounds: int) -> dict[tuple[str, str], dict[str, float]]:
    """Latency on all cores, and images a second with a run on each."""
    cores = available_cores()
    figures: dict[tuple[str, str], dict[str, float]] = {}
    engines = {choice: started(before, after, *choice, threads=cores) for choice in choices()}
    times: dict[tuple[str, str], list[float]] = {choice: [] for choice in engines}
    for number in range(rounds):
        for choice, engine in engines.items():
            for repeat in range(4):
                picture, begin = pictures[None, (number + repeat) % len(pictures)], time.perf_counter()
                engine.run(picture)
                if repeat:
                    times[choice].append(1000 * (time.perf_counter() - begin))
    for choice, durations in times.items():
        figures[choice] = {"latency_ms": statistics.median(durations)}
    engines = {choice: started(before, after, *choice, threads=1, workers=cores) for choice in choices()}
    rates: dict[tuple[str, str], list[float]] = {choice: [] for choice in engines}
    for _ in range(max(3, rounds // 3)):
        for choice, engine in engines.items():
            rates[choice].append(throughput(engine, pictures[:1], workers=cores, seconds=RATE_S))
    for choice, found in rates.items():
        figures[choice]["images_per_s"] = statistics.median(found)
    return figures


def answers(before: Bundle, after: Bundle, pictures: Pixels) -> dict[tuple[str, str], dict[str, float]]:
    """How often each gives the answer of ONNX Runtime in float32."""
    logits = {}
    for choice in choices():
        engine = started(before, after, *choice, threads=available_cores())
        logits[choice] = np.concatenate([engine.run(picture[None])["logits"] for picture in pictures])
    reference = logits["onnxruntime", "f32"]
    ranked = np.sort([softmax(row) for row in reference])
    clear = ranked[:, -1] - ranked[:, -2] >= MARGIN
    return {
        choice: {
            "same": 100 * float(np.mean((found.argmax(1) == reference.argmax(1))[clear])),
            "narrow": int(np.sum(~clear)),
            "narrow_same": int(np.sum((found.argmax(1) == reference.argmax(1))[~clear])),
            "different_answers": len(set(reference.argmax(1).tolist())),
            "mean_difference": float(np.abs(found - reference).mean() / reference.std()),
        }
        for choice, found in logits.items()
    }


def print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}\n")
    heads = list(rows[0])
    print("  ".join(f"{head:>17}" for head in heads))
    for row in rows:
        print("  ".join(f"{value:>17.3f}" if isinstance(value, float) else f"{value:>17}" for value in row.values()))


def embedded(cifar: Path, folder: Path, rounds: int) -> list[dict[str, Any]]:
    name = "regnety_cifar10"
    result = regnety.quantize_model(name, folder / name, calibrate=cifar / "train", data=cifar, quiet=True)
    before, after = Bundle.load(name), Bundle.load(folder / name)
    samples = read_data_set(cifar).evaluation()
    pictures = np.stack([regnety_pixels(sample.path, before) for sample in samples[:: len(samples) // 64]])
    figures = measure(before, after, pictures, rounds)
    print(f"{name}: {result.float_bytes / 1e6:.1f} MB before, {result.int8_bytes / 1e6:.1f} MB in int8")
    rows = []
    for engine, precision in choices():
        found = evaluate(
            after if precision == "int8" else before, samples, engine=engine, precision=precision, quiet=True
        )
        rows.append({"engine": engine, "precision": precision, "top1": found.top1, **figures[engine, precision]})
    return rows


def regnety_pixels(path: Path, bundle: Bundle) -> Pixels:
    from regnety.images.pixels import load_pixels

    return load_pixels(path, bundle.preprocessing)


def published(cifar: Path, folder: Path, name: str, rounds: int) -> list[dict[str, Any]]:
    samples = read_data_set(cifar).evaluation()
    paths = [sample.path for sample in samples[:: len(samples) // CLASSES]][:CLASSES]
    fitted = np.stack([crop for number, path in enumerate(paths) for crop in crops(path, CROPS, number)])
    asked = np.stack([crop for number, path in enumerate(paths) for crop in crops(path, CROPS, 10_000 + number)])
    random_model(name, fitted).save(folder / name)
    before = Bundle.load(folder / name)
    others = read_data_set(cifar).evaluation("train")
    calibrate = [
        Image.fromarray(next(crops(sample.path, 1, number)))
        for number, sample in enumerate(others[:: len(others) // 300])
    ]
    result = regnety.quantize_model(before, folder / f"{name}-int8", calibrate=calibrate, quiet=True)
    after = Bundle.load(folder / f"{name}-int8")
    print(f"{name}: {result.float_bytes / 1e6:.1f} MB before, {result.int8_bytes / 1e6:.1f} MB in int8")
    said, figures = answers(before, after, asked), measure(before, after, asked, rounds)
    return [
        {"engine": engine, "precision": precision, **said[engine, precision], **figures[engine, precision]}
        for engine, precision in choices()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--model", default="regnety_040")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    here = processor()
    print(f"{here.name}, {available_cores()} cores: {', '.join(here.noted_flags)}\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder, cifar = Path(temporary), arguments.cifar
        if cifar.suffix == ".zip":
            with zipfile.ZipFile(cifar) as archive:
                archive.extractall(folder / "cifar")
            cifar = folder / "cifar"
        rows = {"regnety_cifar10": embedded(cifar, folder, arguments.rounds)}
        print_rows("regnety_cifar10", rows["regnety_cifar10"])
        rows[arguments.model] = published(cifar, folder, arguments.model, arguments.rounds)
        print_rows(arguments.model, rows[arguments.model])
    if arguments.output:
        arguments.output.write_text(json.dumps({"processor": here.name, "rows": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
