"""What a pickle may ask for by name, and what it gets: nothing is ever imported.

A pickle names functions and classes, and says what to call them with. A function that makes data has one of ours here
that makes the same; an object of any class becomes an `Opaque` with the class's name. Whatever else a pickle would
call is refused by name.
"""

from collections.abc import Callable
from typing import Any

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import Opaque
from regnety.files.torch_files import pickled_arrays as arrays
from regnety.files.torch_files import tensors as tensors
from regnety.text import excerpt


class Global(Opaque):
    """A function or class that a pickle named."""

    __slots__ = ()


def call(function: Any, arguments: Any) -> Any:
    """What a function or class makes of arguments.

    Raises:
        WeightsError: it is not one that only makes data.
    """
    made_by = _maker(function)
    if made_by is None:
        raise WeightsError(f"would run {_name(function)}; nothing of it was run")
    if not isinstance(arguments, tuple):
        raise WeightsError(f"would call {_name(function)} without a row of arguments")
    return made_by(*arguments)


def new(cls: Any, arguments: Any) -> Any:
    """An object of a class, before it is filled: made by us, or an `Opaque`. Making one runs nothing of the class.

    Raises:
        WeightsError: it is no class.
    """
    if not isinstance(cls, Global) or not isinstance(arguments, tuple):
        raise WeightsError(f"would make an object of {_name(cls)}")
    made_by = _maker(cls)
    return Opaque(cls.name, arguments or None) if made_by is None else made_by(*arguments)


def fill(value: Any, state: Any) -> None:
    """Give an object its attributes, and nothing that has none of its own.

    Raises:
        WeightsError: it is a function or class, or nothing that has attributes.
    """
    if isinstance(value, Global):
        raise WeightsError(f"would change {excerpt(value.name)}; nothing of it was changed")
    if isinstance(value, arrays.NumberType):
        value.fill(state)
    elif isinstance(value, StoredTensor):
        arrays.fill(value, state)
    elif isinstance(value, Opaque):
        value.state = state
    elif not isinstance(value, dict):  # an OrderedDict's attributes are a network's versions, which nobody needs
        raise WeightsError(f"would fill a {type(value).__name__} with attributes")


def _name(value: Any) -> str:
    if isinstance(value, Global):
        return excerpt(value.name)
    return f"something of type {type(value).__name__}, which is no function and no class"


def _maker(function: Any) -> Callable[..., Any] | None:
    if not isinstance(function, Global):
        return None
    module, _, name = function.name.rpartition(".")
    known = f"{_RENAMED.get(module, module)}.{name}"
    if known in _OPAQUE:
        return lambda *arguments: Opaque(function.name, arguments or None)
    return _MAKERS.get(known)


_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    "pathlib._local": "pathlib",
}
"""Modules that had or have another name, to the one used here."""

_OPAQUE = {
    *("argparse.Namespace", "types.SimpleNamespace", "builtins.slice", "builtins.range", "decimal.Decimal"),
    *("datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone", "uuid.UUID"),
    *("numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor"),
    "numpy.random._pickle.__bit_generator_ctor",
}
"""Classes that are called to make an object of theirs, which is of no interest here."""

_LONGEST_TUPLE = 100
"""Numbers, and characters of texts, in a tuple that is a key."""


def checked_key(key: Any) -> Any:
    """A key of a dict or a member of a set: plain, so that finding its place costs nothing that the file decides.

    Raises:
        WeightsError: it is a container or a huge number.
    """
    if isinstance(key, Global):
        return key.name  # Lightning's files have callbacks by their classes
    parts = key if isinstance(key, tuple) else (key,)
    lengths = [len(part) if isinstance(part, str | bytes) else 0 for part in parts]
    if (
        not all(isinstance(part, str | bytes | int | float | None) for part in parts)
        or any(isinstance(part, int) and abs(part) >= 2**64 for part in parts)
        or (isinstance(key, tuple) and len(parts) + sum(lengths) > _LONGEST_TUPLE)
    ):
        raise WeightsError(f"has a key of type {type(key).__name__}, which is no name and no number of 64 bits")
    return str(key) if isinstance(key, tuple) else key  # a tuple can be chosen to be found where another one is


def _row(values: Any = ()) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise WeightsError(f"would make a list of a {type(values).__name__}")
    return list(values)


def _set(values: Any = ()) -> set[Any]:
    return {checked_key(value) for value in _row(values)}


def _dict(pairs: Any = ()) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return dict(pairs)
    return {checked_key(key): value for key, value in map(_row, _row(pairs))}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WeightsError(f"has a {type(value).__name__} where a name belongs")
    return value


def _device(kind: Any, index: Any = None) -> str:
    return _text(kind) if index is None else f"{_text(kind)}:{tensors.whole_number(index)}"


def _path(*parts: Any) -> str:
    return "/".join(map(_text, parts)).replace("//", "/")


def _encode(text: Any, encoding: Any) -> bytes:
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise WeightsError("would encode a text in a way that is not latin1")
    return _text(text).encode(encoding)


def _bytes(value: Any = b"", encoding: Any = None) -> bytes:
    return value if isinstance(value, bytes) else _encode(value, encoding)


def _from_type(function: Any, cls: Any, arguments: Any, state: Any) -> Any:
    """A tensor of a subclass, or one with attributes: made by the function that is given, which must be torch's."""
    if not isinstance(function, Global) or not function.name.startswith("torch._utils."):
        raise WeightsError(f"would run {_name(function)}; nothing of it was run")
    return call(function, arguments)


def _reconstruct(cls: Any, base: Any, items: Any) -> Any:
    """An object as protocols 0 and 1 have it: of a subclass of list or dict with its items."""
    made = new(cls, ())
    if isinstance(made, Opaque):
        made.items = items
    return made


_MAKERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": tensors.rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": tensors.rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": tensors.rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": tensors.rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": tensors.rebuild_parameter,
    "torch._utils._rebuild_qtensor": tensors.rebuild_tensor,
    "torch._utils._rebuild_sparse_tensor": tensors.rebuild_sparse_tensor,
    "torch._utils._rebuild_meta_tensor_no_storage": tensors.rebuild_meta_tensor,
    "torch._utils._rebuild_device_tensor_from_numpy": tensors.rebuild_parameter,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": tensors.rebuild_parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.serialization._get_layout": _text,
    "torch.Size": lambda sizes=(): tuple(_row(sizes)),
    "torch.device": _device,
    "numpy.dtype": arrays.NumberType,
    "numpy.core.multiarray.scalar": arrays.scalar,
    "numpy.core.multiarray._reconstruct": arrays.reconstruct,
    "numpy.core.numeric._frombuffer": arrays.from_buffer,
    "collections.OrderedDict": _dict,
    "collections.Counter": _dict,
    "collections.defaultdict": lambda factory=None, pairs=(): _dict(pairs),
    "collections.deque": lambda values=(), maxlen=None: _row(values),
    "builtins.dict": _dict,
    "builtins.list": _row,
    "builtins.tuple": lambda values=(): tuple(_row(values)),
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.complex": complex,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "_codecs.encode": _encode,
    "copyreg._reconstructor": _reconstruct,
    **{f"pathlib.{name}": _path for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")},
}
"""What makes the same data as the function or class of that name."""
