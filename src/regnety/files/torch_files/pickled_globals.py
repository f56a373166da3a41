"""What a pickle may ask for by name, and what it gets. Nothing is ever imported.

A pickle names functions and classes and says what to call them with. Each function that only makes data has a
counterpart here that makes the same; an object of any class becomes an `Opaque` with the class's name. Any other call
is refused by name.
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
    """The result of a call of a function or class.

    Raises:
        WeightsError: it does not only make data.
    """
    made_by = _maker(function)
    if made_by is None:
        raise WeightsError(f"would run {_name(function)}; it was not run")
    if not isinstance(arguments, tuple):
        raise WeightsError(f"would call {_name(function)} without a tuple of arguments")
    return made_by(*arguments)


def new(cls: Any, arguments: Any) -> Any:
    """An object of a class, before it is filled: ours, or an `Opaque`. Nothing of the class is run.

    Raises:
        WeightsError: it is not a class.
    """
    if not isinstance(cls, Global) or not isinstance(arguments, tuple):
        raise WeightsError(f"would make an object of {_name(cls)}")
    made_by = _maker(cls)
    return Opaque(cls.name, arguments or None) if made_by is None else made_by(*arguments)


def fill(value: Any, state: Any) -> None:
    """Give an object its attributes.

    Raises:
        WeightsError: it is a function or class, or something without attributes.
    """
    if isinstance(value, Global):
        raise WeightsError(f"would change {excerpt(value.name)}; it was not changed")
    if isinstance(value, arrays.NumberType):
        value.fill(state)
    elif isinstance(value, StoredTensor):
        arrays.fill(value, state)
    elif isinstance(value, Opaque):
        value.state = state
    elif not isinstance(value, dict):  # the attributes of a state dict are versions of modules, which are not needed
        raise WeightsError(f"would fill a {type(value).__name__} with attributes")


def _name(value: Any) -> str:
    if isinstance(value, Global):
        return excerpt(value.name)
    return f"something of type {type(value).__name__}, which is neither a function nor a class"


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
"""Other names of modules, of Python 2, NumPy 2 and Python 3.13, to those used here."""

_OPAQUE = {
    *("argparse.Namespace", "types.SimpleNamespace", "builtins.slice", "builtins.range", "decimal.Decimal"),
    *("datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone", "uuid.UUID"),
    *("numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor"),
    "numpy.random._pickle.__bit_generator_ctor",
}
"""Classes that pickles call to make an object whose content is not needed."""

_LONGEST_TUPLE = 100
"""Numbers, and characters of texts, in a tuple that is a key: it becomes a text, which should stay short."""


def checked_key(key: Any) -> Any:
    """A key of a dict or a member of a set, if it is plain.

    Raises:
        WeightsError: it is a container or a huge number.
    """
    # Hashes of numbers and tuples are predictable: a file may choose thousands with the same one, and a dict of them
    # takes quadratic time. Texts are safe, as their hashes are salted in each process; numbers of 64 bits nearly so.
    if isinstance(key, Global):
        return key.name  # Lightning keys its callbacks by their classes
    parts = key if isinstance(key, tuple) else (key,)
    lengths = [len(part) if isinstance(part, str | bytes) else 0 for part in parts]
    if (
        not all(isinstance(part, str | bytes | int | float | None) for part in parts)
        or any(isinstance(part, int) and abs(part) >= 2**64 for part in parts)
        or (isinstance(key, tuple) and len(parts) + sum(lengths) > _LONGEST_TUPLE)
    ):
        raise WeightsError(f"has a key of type {type(key).__name__}, which is neither a name nor a 64-bit number")
    return str(key) if isinstance(key, tuple) else key


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
    # Protocol 2 has no bytes: Python 3 writes them as a latin1 text and a call of _codecs.encode.
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise WeightsError("would encode a text in a way that is not latin1")
    return _text(text).encode(encoding)


def _bytes(value: Any = b"", encoding: Any = None) -> bytes:
    return value if isinstance(value, bytes) else _encode(value, encoding)


def _from_type(function: Any, cls: Any, arguments: Any, state: Any) -> Any:
    """A tensor of a subclass, or one with attributes: made by the given function, which must be torch's."""
    if not isinstance(function, Global) or not function.name.startswith("torch._utils."):
        raise WeightsError(f"would run {_name(function)}; it was not run")
    return call(function, arguments)


def _reconstruct(cls: Any, base: Any, items: Any) -> Any:
    """An object as protocols 0 and 1 write it: of a subclass of list or dict with its items."""
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
    "torch._utils._rebuild_qtensor": tensors.rebuild_tensor,  # its type has no values for us: it is unreadable
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
    # The factory of a defaultdict and the length of a deque matter only to who adds to them.
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
"""Functions and classes by name, to what makes the same data."""
