"""The package onnx, for whoever builds a graph: it is seen to before it is wanted, as it breaks in ways of its own."""

import importlib

from regnety.errors import EngineError
from regnety.text import one_line


def require_onnx() -> None:
    """The protobuf that something else has installed may be one that onnx refuses, in one of several ways."""
    try:
        importlib.import_module("onnx")
    except Exception as error:
        reason = one_line(error)
        raise EngineError(
            f"the package onnx cannot be imported: {reason}; pip install --force-reinstall onnx protobuf"
        ) from error
