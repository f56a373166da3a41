"""Measurements that are kept: found again by all that they depend on, with the day on which they were made."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regnety.inference.engines.processor import available_cores, processor
from regnety.storage import cache_directory, replacing, say_not_kept
from regnety.version import __version__

FORMAT_VERSION = 1
FIELDS = ("latency_p50_ms", "latency_p99_ms", "memory_mib", "runs", "engine_version", "date")


def machine() -> dict[str, Any]:
    """What this machine is, as far as it decides how long something takes."""
    here = processor()
    return {"processor": here.name, "flags": sorted(here.flags or ()), "cores": available_cores()}


def measurement_path(facts: Mapping[str, Any]) -> Path:
    """Where a measurement stands, whether there is one or not; another one as soon as a fact or this machine changes.

    Args:
        facts: what was measured: graph, engine and its version, precision, batch, threads. Plain JSON values.
    """
    key = json.dumps([FORMAT_VERSION, __version__, machine(), dict(facts)], sort_keys=True)
    return cache_directory() / "latency" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def read_measurement(facts: Mapping[str, Any], fields: Sequence[str] = FIELDS) -> dict[str, Any] | None:
    """What `keep_measurement` wrote; None where there is nothing, or nothing whole."""
    try:
        measured = json.loads(measurement_path(facts).read_text("utf-8"))["measured"]
        return {field: measured[field] for field in fields}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep_measurement(facts: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    """Write a measurement; a folder that cannot be written is only noted."""
    path = measurement_path(facts)
    content = {"measured": dict(measured), "of": dict(facts), "machine": machine()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    except OSError as error:
        say_not_kept(path, error)
