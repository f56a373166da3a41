"""Training pictures by other libraries: random resized crop to 224 and flip, from JPEG files. For `loader.py`.

    python benchmarks/peers/loaders.py timm|timm-trivial|spdl FOLDER --batch-size 64 --epochs 3 --workers 2

Prints images a second, from the first batch on, as JSON.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MIN_AREA = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=list(CONTENDERS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    files = sorted(options.folder.glob("*/*.jpg"))
    batches = CONTENDERS[options.contender](files * options.epochs, options.batch_size, options.workers)
    print(json.dumps(measured(batches)))


def measured(batches: Iterable[Any]) -> dict[str, float]:
    """Images a second after the first batch, which also waits for processes or threads to start."""
    started = time.perf_counter()
    count, began = 0, None
    for batch in batches:
        if began is None:
            began = time.perf_counter()
        else:
            count += len(batch)
    assert began is not None
    ended = time.perf_counter()
    return {"first_batch_s": round(began - started, 3), "images_per_s": round(count / (ended - began), 1)}


def timm_loader(files: list[Path], batch_size: int, workers: int, *, trivial: bool = False) -> Iterable[Any]:
    """torch's DataLoader, with the transform that timm's `create_transform` makes."""
    import shim  # noqa: F401  # before torchvision
    import torch
    from PIL import Image
    from timm.data import create_transform

    transform = create_transform(
        SIDE, is_training=True, interpolation="bicubic", scale=(MIN_AREA, 1.0), color_jitter=None, mean=MEAN, std=STD
    )
    if trivial:
        from torchvision.transforms import Compose, InterpolationMode, TrivialAugmentWide

        changes = list(transform.transforms)
        changes.insert(2, TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR))
        transform = Compose(changes)

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> Any:
            return transform(Image.open(files[index]).convert("RGB"))

    torch.set_num_threads(1)
    return torch.utils.data.DataLoader(
        Files(), batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=False
    )


def timm_trivial(files: list[Path], batch_size: int, workers: int) -> Iterable[Any]:
    """The same, with torchvision's TrivialAugment."""
    return timm_loader(files, batch_size, workers, trivial=True)


def spdl_loader(files: list[Path], batch_size: int, workers: int) -> Iterator[Any]:
    """SPDL's threads and FFmpeg: crop, resize and flip are filters of one image."""
    import numpy as np
    import spdl.io
    from spdl.pipeline import PipelineBuilder

    def load(path: Path) -> Any:
        area, aspect = random.uniform(MIN_AREA, 1), math.exp(random.uniform(-1, 1) * math.log(4 / 3))
        crop = (
            f"crop=min(iw\\,sqrt({area * aspect}*iw*ih)):min(ih\\,sqrt({area / aspect}*iw*ih))"
            f":(iw-ow)*{random.random()}:(ih-oh)*{random.random()}"
        )
        flip = ",hflip" if random.random() < 0.5 else ""
        chain = f"{crop},scale={SIDE}:{SIDE}:flags=bicubic{flip},format=rgb24"
        frames = spdl.io.decode_packets(spdl.io.demux_image(str(path)), filter_desc=chain)
        return spdl.io.to_numpy(spdl.io.convert_frames(frames))

    def stacked(images: list[Any]) -> Any:
        batch = np.stack(images)
        assert batch.shape == (batch_size, SIDE, SIDE, 3), batch.shape
        return batch

    shuffled = random.sample(files, len(files))
    pipeline = (
        PipelineBuilder()
        .add_source(shuffled)
        .pipe(load, concurrency=workers)
        .aggregate(batch_size, drop_last=True)
        .pipe(stacked)
        .add_sink(3)
        .build(num_threads=workers + 1)
    )
    with pipeline.auto_stop():
        yield from pipeline


CONTENDERS = {"timm": timm_loader, "timm-trivial": timm_trivial, "spdl": spdl_loader}

if __name__ == "__main__":
    main()
