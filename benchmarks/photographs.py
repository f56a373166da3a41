"""Writes photographs as a camera's, for benchmarks: the detail falls off with its size as in nature, with grain on top,
and things in them that have edges, colours and patterns.

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
    part = (part - 120) * random.uniform(0.3, 1.2) + random.uniform(50, 200, 3).astype(np.float32)
    for _ in range(random.integers(2, 12)):
        _place_thing(random, part)
    grain = GRAIN * random.standard_normal((height, width, 1), np.float32)
    return Image.fromarray(np.clip(part + grain, 0, 255).astype(np.uint8))


def _place_thing(random: np.random.Generator, picture: npt.NDArray[np.float32]) -> None:
    """An ellipse or a bar of its own colour, plain or striped."""
    height, width = picture.shape[:2]
    size = random.uniform(0.05, 0.35) * min(width, height)
    middle_x, middle_y = random.uniform(0, width), random.uniform(0, height)
    left, top = max(0, int(middle_x - 2 * size)), max(0, int(middle_y - 2 * size))
    right, bottom = min(width, int(middle_x + 2 * size)), min(height, int(middle_y + 2 * size))
    x = np.arange(left, right, dtype=np.float32) - np.float32(middle_x)
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(middle_y)
    angle, stretch = random.uniform(0, np.pi), random.uniform(0.5, 1.9)
    along = (np.cos(angle) * x + np.sin(angle) * y) / np.float32(stretch * size)
    across = (np.cos(angle) * y - np.sin(angle) * x) * np.float32(stretch / size)
    inside = along**2 + across**2 < 1 if random.random() < 0.5 else np.maximum(abs(along), abs(across)) < 0.7
    colour = random.uniform(0, 255, 3).astype(np.float32)
    stripes = np.sin(along * np.float32(random.uniform(3, 60))) > 0 if random.random() < 0.6 else np.ones_like(inside)
    place = picture[top:bottom, left:right]
    place[inside & stripes] = 0.25 * place[inside & stripes] + 0.75 * colour


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
