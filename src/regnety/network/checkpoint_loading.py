"""`load_checkpoint`: a file's weights into an existing network."""

from pathlib import Path
from typing import Any

from regnety.bundle.resolver import resolve
from regnety.errors import WeightsError
from regnety.network.arrays import load_weights
from regnety.network.modules import RegNet
from regnety.weights.shape_check import check_fit


def load_checkpoint(
    model: RegNet, checkpoint_path: str | Path, use_ema: bool = True, strict: bool = True, **others: Any
) -> None:
    """Load a checkpoint into a network, like timm's function of this name.

    Args:
        model: a network of `create_model`.
        checkpoint_path: a file of any code base, or any other MODEL.
        use_ema: True: if the file has averaged weights beside the raw ones, the averaged ones are read.
        strict: True: every weight of the network is loaded.
        others: timm's `device`, `weights_only` and `mmap`. They have no effect: nothing in the file is run, and weights
            go to the network's device.

    Raises:
        UnknownModelError: there is no such file or folder.
        WeightsError: it is of another network, or an argument is not allowed.
    """
    if not strict:
        raise WeightsError("strict=False: a network is loaded whole; network.load_state_dict takes parts")
    if not use_ema:
        raise WeightsError("use_ema=False: of averaged and raw weights in one file the averaged ones are read")
    for name, value in others.items():
        if name not in ("device", "weights_only", "mmap") and value not in (None, False):
            raise WeightsError(f"{name}={value!r}: load_checkpoint has no such argument")
    found = resolve(checkpoint_path)
    check_fit(model.architecture, found.weights, source=found.name)
    load_weights(model, found.weights)
    model.labels, model.provenance = found.labels, found.provenance  # the old ones described the old weights
