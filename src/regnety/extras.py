"""Packages that only some need, imported where they are needed; whatever keeps one away is one clear line."""

import importlib
from typing import Any

from regnety.errors import EngineError, MissingExtraError, RegNetYError
from regnety.text import one_line


def import_extra(
    module: str,
    *,
    feature: str,
    extra: str,
    parts: tuple[str, ...] = (),
    broken: type[RegNetYError] | None = None,
) -> Any:
    """A module of an optional package. Once it is here, an `import` of it anywhere works too.

    Args:
        module: its full name.
        feature: what it is needed for, as the subject of a sentence ("training").
        extra: the extra of this package that brings it ("torch").
        parts: other packages that this extra brings, without which the first is of no use.
        broken: what is raised where the package is there and cannot be imported; a MissingExtraError unless said.

    Raises:
        MissingExtraError: it is not installed; or it is, and the message has its own reason why it does not work.
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(module)
    except Exception as error:  # a package that is broken raises what its parts do
        if isinstance(error, ModuleNotFoundError) and error.name in (package, *parts):
            raise MissingExtraError(feature, extra) from None
        reason = does_not_work(package, error)
        raise (broken(reason) if broken else MissingExtraError(feature, extra, reason)) from error


def require_onnx() -> None:
    """Import the package onnx before a graph is built: the protobuf that something else installed may not fit it.

    Raises:
        EngineError: it cannot be imported; each version of protobuf raises another error.
    """
    try:
        importlib.import_module("onnx")
    except Exception as error:
        raise EngineError(
            f"the package onnx cannot be imported: {one_line(error)}; pip install --force-reinstall onnx protobuf"
        ) from error


def does_not_work(package: str, error: BaseException) -> str:
    """`pyarrow is installed but cannot be imported: ...`, in one line."""
    return f"{package} is installed but cannot be imported: {one_line(error)}; install it anew"
