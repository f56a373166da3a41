"""Whether a graphics card trains as the processor does, and how fast it is.

    python benchmarks/gpu_check.py [--device cuda] [--minutes 8] [--output gpu_check.json]

Needs no data: the pictures are coloured waves, a direction and a colour for each of ten classes, with noise. Two parts:

- curves: a regnety_002 is trained for forty steps at 64 pixels, on the processor in float32, on the card in float32 and
  in bf16, from the same weights and on the same batches; the loss of every five steps is compared;
- rates: regnety_002 and regnety_040 at 224 pixels in bf16, images a second over twenty steps, the median of three; as
  they are, and after `torch.compile`. The largest memory is printed beside it.

Each part is kept in the JSON file at once. Parts that no longer fit into the minutes are left out, and named.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processes import processor

from regnety.network.creation import create_model
from regnety.preprocessing import Preprocessing
from regnety.training.batch_plan import Batch, Pixels, Targets
from regnety.training.devices import PROCESSOR, Device, find_device
from regnety.training.distribution.batch_parts import whole_batch
from regnety.training.recipes.optimizer import Optimizer
from regnety.training.recipes.recipe import Recipe
from regnety.training.session import Session

CLASSES = 10
CURVE_STEPS, STEPS_OF_A_POINT = 40, 5
RATE_STEPS, RATE_ROUNDS = 20, 3
BATCHES = {"regnety_002": 512, "regnety_040": 256}
COMPILING_S = 150
"""What `torch.compile` may take, for the decision whether a part is begun."""


class Waves:
    """Batches of pictures that are made once.

    Args:
        count: of different batches, which come again and again.
        batch_size: pictures of each.
        image_size: height and width in pixels.
        steps_per_epoch: batches of an epoch.
    """

    def __init__(self, *, count: int, batch_size: int, image_size: int, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.part = whole_batch(batch_size)
        self._batches = [_waves(np.random.default_rng(number), batch_size, image_size) for number in range(count)]
        self.targets: Targets = np.concatenate([targets for _, targets in self._batches])

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch."""
        first = epoch * self.steps_per_epoch
        for step in range(first, first + self.steps_per_epoch):
            yield self._batches[step % len(self._batches)]


def _waves(generator: np.random.Generator, count: int, size: int) -> tuple[Pixels, Targets]:
    targets = generator.integers(0, CLASSES, count)
    angle = targets * (np.pi / CLASSES)
    down, across = np.mgrid[:size, :size] / size
    phase = generator.random((count, 1, 1)) * 2 * np.pi
    along = np.cos(angle)[:, None, None] * across + np.sin(angle)[:, None, None] * down
    waves = np.sin(2 * np.pi * 6 * along + phase)[..., None]  # [count, size, size, 1]
    colours = np.stack([np.cos(targets), np.sin(targets), np.cos(2 * targets)], -1)[:, None, None, :]
    pixels = 128 + 50 * waves * colours + generator.normal(0, 40, (count, size, size, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), targets.astype(np.int64)


def session(
    model: str, image_size: int, batches: Waves, device: Device, precision: str, epochs: int, *, compiled: bool = False
) -> Session:
    """A network with random weights, the same for all devices."""
    recipe = Recipe(
        name="gpu_check",
        model=model,
        image_size=image_size,
        epochs=epochs,
        warmup_epochs=1,
        ema_decay=0,
        val_fraction=0,
        optimizer=Optimizer(lr=0.05),
    )
    network = create_model(model, num_classes=CLASSES, generator=torch.Generator().manual_seed(0))
    return Session(
        network,
        replace(recipe, precision=precision),  # type: ignore[arg-type]
        batches=batches,
        validation=None,
        preprocessing=Preprocessing(image_size=image_size, crop_pct=1.0),
        device=device,
        compiled=compiled,
        quiet=True,
    )


def curve(device: Device, precision: str) -> list[float]:
    """The mean loss of every five steps."""
    batches = Waves(count=8, batch_size=64, image_size=64, steps_per_epoch=STEPS_OF_A_POINT)
    run = session("regnety_002", 64, batches, device, precision, CURVE_STEPS // STEPS_OF_A_POINT)
    return [round(run.advance()["train_loss"], 5) for _ in range(run.recipe.epochs)]


def rate(model: str, device: Device, *, compiled: bool) -> dict[str, Any]:
    """Images a second, and seconds before the first is known."""
    if device.kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    batches = Waves(count=2, batch_size=BATCHES[model], image_size=224, steps_per_epoch=RATE_STEPS)
    run = session(model, 224, batches, device, "auto", RATE_ROUNDS + 1, compiled=compiled)
    began = time.monotonic()
    run.advance()
    first_s = time.monotonic() - began
    seconds = [run.advance()["seconds"] for _ in range(RATE_ROUNDS)]
    memory = device.memory_in_use
    return {
        "images_per_s": round(RATE_STEPS * BATCHES[model] / statistics.median(seconds), 1),
        "batch_size": BATCHES[model],
        "arithmetic": run.arithmetic,
        "first_epoch_s": round(first_s, 1),
        "memory_gib": None if memory is None else round(memory / 2**30, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=8, help="for all parts (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("gpu_check.json"), help="default: %(default)s")
    options = parser.parse_args()
    device = find_device(options.device)
    ends = time.monotonic() + 60 * options.minutes
    facts: dict[str, Any] = {"device": device.name, "torch": torch.__version__, "processor": processor(), "parts": {}}

    def keep(name: str, values: object) -> None:
        facts["parts"][name] = values
        options.output.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
        print(f"{name}: {json.dumps(values)}", flush=True)

    for model in BATCHES:
        keep(f"{model} at 224", rate(model, device, compiled=False))
    here, there, half = curve(PROCESSOR, "f32"), curve(device, "f32"), curve(device, "auto")
    keep("curve, processor f32", here)
    keep("curve, card f32", there)
    keep("curve, card auto", half)
    keep(
        "largest difference of the loss",
        {
            "f32": max(abs(one - other) for one, other in zip(here, there, strict=True)),
            "auto": max(abs(one - other) for one, other in zip(here, half, strict=True)),
        },
    )
    for model in BATCHES:
        if time.monotonic() + COMPILING_S > ends:
            keep(f"{model} at 224, compiled", "left out: the minutes are over")
        else:
            keep(f"{model} at 224, compiled", rate(model, device, compiled=True))


if __name__ == "__main__":
    main()
