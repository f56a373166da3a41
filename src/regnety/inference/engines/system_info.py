"""`system_info`: the versions, the engines, the processor and the cache, as plain values."""

import platform
from importlib import metadata
from typing import Any

from regnety.inference.engines.processor import available_cores, has_bf16, processor
from regnety.inference.engines.selection import choose_engine, installed_engines
from regnety.storage.cache import NO_CACHE, cache_directory, cache_sizes
from regnety.version import __version__

LIBRARIES = ("numpy", "onnx", "pillow", "simplejpeg", "cykooz-resizer", "huggingface_hub")
EXTRAS = {
    "finetune": "scipy",
    "heif": "pillow-heif",
    "plot": "matplotlib",
    "quantize": "nncf",
    "ray": "ray",
    "remote": "s3fs",
    "table": "pyarrow",
}
"""Besides the engines: extra to the package that it brings."""


def system_info() -> dict[str, Any]:
    """What regnety finds on this machine; no engine is imported for it.

    Returns:
        Plain JSON values, in the fields of `regnety info --format json`: `engines`, `libraries` and `extras` are
        versions by name, None if it is not installed; `auto` is what answers a few images by default; `bf16` is
        None if the system does not say; `cache` is None if there is no place for one.
    """
    here, (engine, precision) = processor(), choose_engine()
    cache = cache_directory()
    return {
        "regnety": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": here.name,
        "cores": available_cores(),
        "flags": list(here.noted_flags),
        "bf16": has_bf16(),
        "engines": installed_engines(),
        "auto": f"{engine}, {precision}",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "extras": {extra: _version(package) for extra, package in EXTRAS.items()},
        "cache": None if cache == NO_CACHE else str(cache),
        "cache_bytes": cache_sizes(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
