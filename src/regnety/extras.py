"""Optional packages, imported where they are needed; a missing or broken one is reported in one line."""

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
    """Import a module of an optional package. After it, a plain `import` of the module works too.

    Args:
        module: full name of the module.
        feature: what it is needed for, as the subject of a sentence ("training").
        extra: the extra of this package that installs it ("torch").
        parts: other packages of the same extra that the module needs.
        broken: error for a package that is installed but cannot be imported; None is MissingExtraError.

    Raises:
        MissingExtraError: the package is not installed, or cannot be imported; the message has its reason.
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)  # first, as a missing package and a missing module in it differ
        return importlib.import_module(module)
    except Exception as error:  # a shared library that does not load raises OSError, a version check anything
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
    except Exception as error:  # protobuf's errors differ from version to version: TypeError, VersionError, ImportError
        raise EngineError(
            f"the package onnx cannot be imported: {one_line(error)}; pip install --force-reinstall onnx protobuf"
        ) from error


def does_not_work(package: str, error: BaseException) -> str:
    """`pyarrow is installed but cannot be imported: ...`, in one line."""
    return f"{package} is installed but cannot be imported: {one_line(error)}; reinstall it"
