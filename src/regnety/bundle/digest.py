"""Which model it is, as one short text: the same for the same design and weights, wherever they stand."""

import hashlib
import json

import numpy as np

from regnety.bundle.bundle import Bundle


def weights_digest(bundle: Bundle) -> str:
    """SHA-256 of design and weights in hexadecimal; weights are read one tensor at a time.

    A folder that was moved or fetched anew is the same model; its preprocessing and class names are not in it. A graph
    that was read is in it as a file, since it may compute otherwise than its weights say.
    """
    design = {"design": bundle.metadata.design.as_dict(), "num_classes": bundle.metadata.num_classes}
    digest = hashlib.sha256(json.dumps(design, sort_keys=True).encode("ascii"))
    for key in sorted(bundle.architecture.state_dict_shapes()):
        if key in bundle.weights:
            value = np.ascontiguousarray(bundle.weights[key])
            digest.update(f"{key} {value.dtype} {value.shape}\n".encode("ascii"))
            digest.update(value.data)
    if bundle.graph is not None:
        with bundle.graph.path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
