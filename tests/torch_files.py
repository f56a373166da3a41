"""Files of torch.save in all its forms, the oldest made by hand."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

FORMS = ("torch zip", "torch (before 1.6)")


def state_dict() -> OrderedDict[str, torch.Tensor]:
    """Small, with a batch norm's counter and torch's `_metadata`."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return network.state_dict()


def save(content: Any, path: Path, form: str = "torch zip") -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=form == "torch zip")
    return path
