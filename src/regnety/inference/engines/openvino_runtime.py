"""OpenVINO's library without the rest that `import openvino` loads: its converter, its frontends' tools, its telemetry.

All of the runtime is in one extension module, `openvino._pyopenvino`. Loading it alone, from where the package is
installed, saves some 140 ms. It stays in `sys.modules` under its own name, as a library can be initialised only once: a
later `import openvino` finds it there and works in full.
"""

import importlib.machinery
import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regnety.errors import EngineError, MissingExtraError
from regnety.extras import import_extra
from regnety.forks import ProcessLock

PACKAGE = "openvino"
EXTENSION = "openvino._pyopenvino"
TELEMETRY = "openvino_telemetry"
FEATURE = "the engine openvino"

_LOCK = ProcessLock()

logger = logging.getLogger("regnety")


def load_openvino() -> Any:
    """The extension module: `Core`, `Tensor`, `get_version` and the rest. Loaded once in a process.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        EngineError: it is installed and cannot be loaded.
    """
    with _LOCK:
        if sys.modules.get(PACKAGE) is not None:
            return _import_package()  # the user has imported it, or is doing so in another thread
        if EXTENSION in sys.modules:
            return sys.modules[EXTENSION]
        if importlib.util.find_spec(PACKAGE) is None:
            raise MissingExtraError(FEATURE, PACKAGE)
        try:
            return _load_extension()
        except Exception as error:  # the package loads the same library, only slower; if that fails too, it says why
            logger.info("OpenVINO's extension cannot be loaded alone, its package is: %s", error)
            return _import_package()


def load_openvino_package() -> Any:
    """The whole package, for what the extension alone cannot do: save a model. Takes 140 ms more.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        EngineError: it is installed and cannot be loaded.
    """
    load_openvino()
    with _LOCK, hidden(TELEMETRY):
        return import_extra(PACKAGE, feature=FEATURE, extra=PACKAGE, broken=EngineError)


@contextmanager
def own_signal_stack() -> Iterator[None]:
    """Keep this thread's stack for signals while OpenVINO loads its plugin for the processor.

    The plugin gives the loading thread one of its own, and takes it away from the thread that frees the plugin. If that
    is another one, the first is left with a stack that is gone, and Ctrl-C is a segmentation fault (OpenVINO 2026.4).
    """
    if sys.platform != "linux":
        yield
        return
    import ctypes  # NumPy has imported it

    class Stack(ctypes.Structure):
        _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    libc, before = ctypes.CDLL(None), Stack()
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:  # refused where the plugin needs a larger stack, for AMX: then its own stays
            libc.sigaltstack(ctypes.byref(before), None)


def openvino_version(extension: Any) -> str:
    """`2026.4.1`, without the build."""
    return str(extension.get_version()).partition("-")[0]


def _load_extension() -> Any:
    """The extension alone.

    Raises:
        ImportError: this is not known to work here.
    """
    if sys.platform != "linux":
        raise ImportError("the library's own folder is found without help on Linux only")
    package = importlib.util.find_spec(PACKAGE)
    places = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec(EXTENSION, places)
    if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
        raise ImportError(f"{EXTENSION} is no extension module")
    before = set(sys.modules)
    try:
        extension = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(extension)
    except BaseException:  # a half-made submodule must not be found by the package's own import
        for name in set(sys.modules) - before:
            if name.startswith(f"{EXTENSION}."):
                del sys.modules[name]
        raise
    sys.modules[EXTENSION] = extension
    return extension


def _import_package() -> Any:
    """All of OpenVINO but its telemetry, which its converter replaces with a stub if it is not installed."""
    with hidden(TELEMETRY):
        return import_extra(EXTENSION, feature=FEATURE, extra=PACKAGE, broken=EngineError)


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Make a module look as if it were not installed, during an import; one that is imported already stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
