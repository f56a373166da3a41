"""The cache of measurements: each is found by all that it depends on, and has its date."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regnety.inference.engines.processor import available_cores, processor
from regnety.storage.cache import cache_folder, say_not_kept
from regnety.storage.replacing import replacing
from regnety.version import __version__

# Part of the name of each file: with another number the old files are not found, and none is misread.
FORMAT_VERSION = 1
FIELDS = ("latency_p50_ms", "latency_p99_ms", "memory_mib", "runs", "engine_version", "date")


def machine() -> dict[str, Any]:
    """The machine, as far as it decides how long something takes."""
    here = processor()
    # flags too: a virtual machine may hide instructions that a processor of the same name has
    return {"processor": here.name, "flags": sorted(here.flags or ()), "cores": available_cores()}


def measurement_path(facts: Mapping[str, Any]) -> Path:
    """The file of a measurement, whether it exists or not; it changes with any fact and with this machine.

    Args:
        facts: graph, engine and its version, precision, batch, threads, as plain JSON values.
    """
    # with our version, as another release may build another graph; sorted, as the order of the facts means nothing
    key = json.dumps([FORMAT_VERSION, __version__, machine(), dict(facts)], sort_keys=True)
    return cache_folder("latency") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def read_measurement(facts: Mapping[str, Any], fields: Sequence[str] = FIELDS) -> dict[str, Any] | None:
    """What `keep_measurement` wrote; None if there is nothing, or it is damaged."""
    try:
        measured = json.loads(measurement_path(facts).read_text("utf-8"))["measured"]
        return {field: measured[field] for field in fields}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep_measurement(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    """Write a measurement. If the cache cannot be written, that is logged and nothing else happens."""
    path = measurement_path(facts)
    # `of` and `machine` are for people: the name of the file stands for both
    content = {"measured": dict(measured), "of": dict(facts), "machine": machine()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    except OSError as error:
        say_not_kept(path, error)
