"""Writes photographs as a camera's, for benchmarks: the detail falls off with its size as in nature, with grain on top.

    python benchmarks/photographs.py FOLDER [--count 1000] [--size 500x375] [--seed 0]

JPEG of quality 95 with 4:2:0 colours: about 100 KB at 500x375, 4.5 MB at 4000x3000. The same arguments give the same
files. A folder that has them already is left as it is.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

QUALITY = 95
GRAIN = 8.0
"""Deviation of the noise of a sensor, in grey levels."""
SCENES = 8
"""Pictures of which all others are cut, mirrored, brightened and tinted."""
MARGIN = 1.25
"""Sides of a scene for one of a photograph."""


def scene(random: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float32]:
    """Grey levels [height, width, 3]: octaves of smooth noise whose amplitude falls off with their frequency."""
    picture = np.full((height, width, 3), 120, np.float32)
    cells = 2
    while cells <= max(width, height):
        grid = tuple(max(2, round(side * cells / max(width, height))) for side in (height, width))
        light = random.standard_normal((*grid, 1), np.float32) + 0.4 * random.standard_normal((*grid, 3), np.float32)
        for channel in range(3):
            octave = Image.fromarray(np.ascontiguousarray(light[..., channel]))
            picture[..., channel] += np.asarray(octave.resize((width, height), Image.Resampling.BICUBIC)) * (
                70 * cells**-0.75
            )
        cells *= 2
    return picture


def photograph(
    random: np.random.Generator, scenes: list[npt.NDArray[np.float32]], width: int, height: int
) -> Image.Image:
    """One of many: a part of a scene in a light of its own, with grain."""
    of = scenes[random.integers(len(scenes))]
    top, left = (int(random.integers(a - b + 1)) for a, b in zip(of.shape, (height, width), strict=False))
    part = of[top : top + height, left : left + width]
    if random.random() < 0.5:
        part = part[:, ::-1]
    part = (part - 120) * random.uniform(0.6, 1.4) + random.uniform(70, 180, 3).astype(np.float32)
    grain = GRAIN * random.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(np.clip(part + grain, 0, 255).astype(np.uint8))


def write_photographs(folder: Path, count: int, width: int, height: int, *, seed: int = 0) -> list[Path]:
    """The files, in order."""
    paths = [folder / f"{number:06d}.jpg" for number in range(count)]
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([seed, width, height])
    scenes = [scene(random, round(MARGIN * width), round(MARGIN * height)) for _ in range(SCENES)]
    for path in paths:
        photograph(random, scenes, width, height).save(path, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", default="500x375")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    written = write_photographs(options.folder, options.count, width, height, seed=options.seed)
    print(f"{len(written)} files, {sum(path.stat().st_size for path in written) / len(written) / 1000:.0f} KB each")
