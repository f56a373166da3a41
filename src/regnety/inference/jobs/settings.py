"""What the answers of one model have in common, for a job that is gone on with."""

import hashlib
import json
from typing import Any

from regnety.bundle.bundle import Bundle
from regnety.bundle.fingerprint import fingerprint


def model_settings(bundle: Bundle) -> dict[str, Any]:
    """Weights, preprocessing and class names as JSON values; engine, precision and threads are not in them."""
    preprocessing = bundle.preprocessing.as_dict()
    labels = None if bundle.labels is None else json.dumps(bundle.labels).encode("ascii")
    return {
        "weights": fingerprint(bundle),
        **{name: preprocessing[name] for name in ("image_size", "crop_pct", "interpolation", "mean", "std")},
        "labels": None if labels is None else hashlib.sha256(labels).hexdigest(),
    }
