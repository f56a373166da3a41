"""Which model it is, as one short text: the same for the same design and weights, wherever they stand."""

import hashlib
import json

import numpy as np

from regnety.bundle.bundle import Bundle

ENDS = 4096
"""Bytes of each tensor's beginning and end. Training changes every tensor everywhere, and reading all of a large model
would take longer than to answer an image with it."""


def fingerprint(bundle: Bundle) -> str:
    """SHA-256 in hexadecimal, of the design and of both ends of every tensor.

    A folder that was moved or fetched anew is the same model; its preprocessing and class names are not in it. A graph
    that was read is in it as a file, since it may compute otherwise than its weights say.
    """
    metadata = bundle.metadata.as_dict()
    facts = {name: metadata[name] for name in ("design", "num_classes", "in_chans", "calibration")}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii"))
    is_quantized = bundle.metadata.calibration is not None  # then the graph is all that there is
    for key in () if is_quantized else sorted(bundle.architecture.state_dict_shapes()):
        if key in bundle.weights:
            value = np.asarray(bundle.weights[key])
            data = value.reshape(-1)
            length = ENDS // value.itemsize
            digest.update(f"{key} {value.dtype} {value.shape}\n".encode("ascii"))
            digest.update(data[:length].tobytes() + data[-length:].tobytes())
    if bundle.graph is not None:
        digest.update(hashlib.sha256(bundle.graph.mapped[0].data).digest())
    return digest.hexdigest()
