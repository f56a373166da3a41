"""From a picture to a model's square: what each way costs, how far it is from timm's, and whether answers change.

    python benchmarks/pixels.py [--images 140] [--data DIR] [--output pixels.json]

The pictures are made here: gradients, hard edges and grain. One core, one process; medians over the pictures. The exact
way is Pillow's resize and crop, whose difference from timm is 0 (tests/images/test_torch_transform.py). `--data`
names a folder of photographs on which both ways are asked for an answer of the model that comes with the package;
pictures smaller than 256 pixels are enlarged first, so that there is something to resize.
"""

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cykooz_resizer
import numpy as np
import simplejpeg
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from pictures import encoded, photograph
from regnety import Predictor
from regnety.images.crop_resize import crop_resize
from regnety.images.decoding import FILTERS, to_pixels
from regnety.images.listing import list_images
from regnety.images.pixels import load_pixels
from regnety.inference.engines.processor import processor
from regnety.preprocessing import Preprocessing

SIZE = (500, 375)
LARGE = (6250, 4000)
"""25 megapixels."""
CLOSE_CALL = 0.01
"""Margin between the two best classes below which a change of answer says nothing."""


def pillow_box(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    box = preprocessing.source_box(pixels.shape[1], pixels.shape[0])
    side = (preprocessing.image_size, preprocessing.image_size)
    return np.asarray(Image.fromarray(pixels).resize(side, FILTERS[preprocessing.interpolation], box=box))


def one_call(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """cykooz-resizer as its manual shows it: both directions at once, in its own order."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = preprocessing.source_box(width, height)
    side, kind = preprocessing.image_size, cykooz_resizer.PixelType.U8x3
    target = cykooz_resizer.ImageData(side, side, kind)
    options = cykooz_resizer.ResizeOptions(
        resize_alg=cykooz_resizer.ResizeAlg.convolution(cykooz_resizer.FilterType.catmull_rom),
        crop_box=cykooz_resizer.CropBox(left, top, right - left, bottom - top),
        use_alpha=False,
    )
    source = cykooz_resizer.ImageData(width, height, kind, pixels.tobytes())
    cykooz_resizer.Resizer().resize(source, target, options)
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(side, side, 3)


WAYS: dict[str, Callable[[np.ndarray, Preprocessing], np.ndarray]] = {
    "exact: Pillow, resize then crop": lambda pixels, shown: to_pixels(Image.fromarray(pixels), shown),
    "Pillow, the crop alone (box)": pillow_box,
    "cykooz-resizer, one call": one_call,
    "fast: cykooz-resizer, a direction at a time": crop_resize,
}


def milliseconds(work: Callable[[], Any], *, repeats: int = 3) -> float:
    """The quickest of some runs."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def compare_ways(count: int) -> list[dict[str, Any]]:
    shown = Preprocessing()
    pictures = [np.asarray(photograph(*(SIZE if n % 4 else SIZE[::-1]), seed=n)) for n in range(count)]
    exact = [to_pixels(Image.fromarray(pixels), shown).astype(int) for pixels in pictures]
    rows = []
    for name, way in WAYS.items():
        differences = [np.abs(way(p, shown).astype(int) - e) for p, e in zip(pictures, exact, strict=True)]
        rows.append(
            {
                "way": name,
                "ms": statistics.median(milliseconds(lambda p=p, way=way: way(p, shown)) for p in pictures),
                "mean_difference": float(np.mean([d.mean() for d in differences])),
                "largest": int(max(d.max() for d in differences)),
                "over_2_percent": float(100 * np.mean([(d > 2).mean() for d in differences])),
            }
        )
    return rows


def compare_decoders(count: int) -> list[dict[str, Any]]:
    files = [encoded(photograph(*SIZE, seed=n), "JPEG", quality=90, subsampling=2) for n in range(count)]
    decoders = {
        "Pillow": lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")),
        "simplejpeg": lambda data: simplejpeg.decode_jpeg(data, "RGB"),
    }
    equal = all(np.array_equal(*(decode(data) for decode in decoders.values())) for data in files)
    return [
        {
            "decoder": name,
            "ms": statistics.median(milliseconds(lambda d=d, decode=decode: decode(d)) for d in files),
            "equal": equal,
        }
        for name, decode in decoders.items()
    ]


def time_large_files() -> list[dict[str, Any]]:
    """From the bytes of 25 megapixels to 224x224."""
    image = photograph(*LARGE)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 90, "subsampling": 2},
        "JPEG progressive": {"quality": 90, "subsampling": 2, "progressive": True},
        "PNG": {"compress_level": 1},
        "WEBP": {"lossless": False, "quality": 85, "method": 0},
        "WEBP lossless": {"lossless": True, "quality": 0, "method": 0},
        "BMP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "GIF": {},
        "AVIF": {"quality": 75, "speed": 10},
    }
    rows = []
    for name, chosen in options.items():
        data = encoded(image, name.split()[0], **chosen)
        rows.append(
            {
                "format": name,
                "megabytes": len(data) / 1e6,
                "fast_ms": milliseconds(lambda data=data: load_pixels(data, Preprocessing(), way="fast")),
                "exact_ms": milliseconds(lambda data=data: load_pixels(data, Preprocessing(), way="exact"), repeats=1),
            }
        )
    return rows


def compare_answers(folder: Path, count: int) -> dict[str, Any]:
    """Both ways on labelled or unlabelled photographs, with the model that comes with the package."""
    files = [str(source) for source in list_images([folder], recursive=True)]
    chosen = [files[index] for index in np.random.default_rng(0).permutation(len(files))[:count]]
    images = [enlarged(Path(name)) for name in chosen]
    exact, fast = (Predictor(pixels=way).predict(images) for way in ("exact", "fast"))
    changed = close = close_changed = 0
    largest = 0.0
    for one, other in zip(exact, fast, strict=True):
        best, second = one.predictions[:2]
        same = best.index == other.predictions[0].index
        if best.prob - second.prob < CLOSE_CALL:
            close += 1
            close_changed += not same
        else:
            changed += not same
        theirs = {entry.index: entry.prob for entry in other.predictions}
        largest = max(largest, abs(best.prob - theirs.get(best.index, 0.0)))
    return {
        "images": len(images),
        "changed": changed,
        "close_calls": close,
        "close_calls_changed": close_changed,
        "largest_change_of_probability": largest,
    }


def enlarged(path: Path) -> bytes:
    image = Image.open(path).convert("RGB")
    if min(image.size) < 256:
        factor = 400 / min(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return encoded(image, "JPEG", quality=90)


def print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    for row in rows:
        cells = [
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
        ]
        print("  " + "  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=140)
    parser.add_argument("--data", type=Path, help="a folder of photographs for the comparison of answers")
    parser.add_argument("--answers", type=int, default=2000, help="photographs of --data to ask about")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    results: dict[str, Any] = {"processor": processor().name}
    print(f"{results['processor']}; medians of {arguments.images} pictures of {SIZE[0]}x{SIZE[1]}, one core")
    results["ways"] = compare_ways(arguments.images)
    print_rows("resize and crop to 224", results["ways"])
    results["decoders"] = compare_decoders(arguments.images)
    print_rows("decode a JPEG", results["decoders"])
    results["large"] = time_large_files()
    print_rows("25 megapixels, from bytes to 224x224", results["large"])
    if arguments.data:
        results["answers"] = compare_answers(arguments.data, arguments.answers)
        print_rows("the answers of both ways", [results["answers"]])
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
