"""Pictures that are made on the spot: noise, plain colours as classes, and files of them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (40, 170, 60), "red": (200, 50, 40)}
"""Classes that any network can tell apart."""
FORMATS = {"JPEG": {"quality": 95, "subsampling": 0}, "PNG": {}, "WEBP": {"lossless": True}}
"""With the options that lose least."""


def noise(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """An RGB picture in which no two pixels are alike."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def smooth(width: int, height: int) -> Image.Image:
    """An RGB picture with gradients, different in every corner."""
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    return Image.fromarray(np.stack(np.broadcast_arrays(x, y, (x + y) / 2), -1).astype(np.uint8))


def photograph(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """An RGB picture with what a photograph has: slow gradients, hard edges, and grain."""
    random = np.random.default_rng(seed)
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    pixels = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        across, down, level = random.uniform(-60, 60, 3).astype(np.float32)
        plane = 128 + level + across * x + down * y * y
        for _ in range(3):  # objects: discs of another brightness
            centre_x, centre_y, radius, brightness = random.uniform(-1, 1, 4).astype(np.float32)
            plane = np.where((x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2, plane + 70 * brightness, plane)
        plane += random.integers(-12, 13, (height, width), np.int8)
        pixels[..., channel] = plane.clip(0, 255)
    return Image.fromarray(pixels)


def colour(label: str, *, seed: int = 0, width: int = 40, height: int = 36) -> Image.Image:
    """A noisy picture of one of the colours."""
    pixels = np.array(COLOURS[label]) + np.random.default_rng(seed).integers(-30, 31, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, file_format, **{**FORMATS.get(file_format, {}), **options})
    return file.getvalue()


def write_colours(
    folder: Path, *labels: str, count: int = 4, suffix: str = ".png", seed: int = 0, width: int = 40
) -> Path:
    """A folder of class folders, with `count` pictures of each colour."""
    for number, label in enumerate(labels or COLOURS):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            path = folder / label / f"{index:03d}{suffix}"
            colour(label, seed=10_000 * seed + 1000 * number + index, width=width).save(path)
    return folder


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of some seventy bytes whose header says any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(16))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
