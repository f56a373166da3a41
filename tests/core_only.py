"""`pytest --core`: the tests that need the core alone, where no extra is installed (`make lowest`).

A module of tests is out where it, or a helper that it imports, imports what is not installed. A test that gets as far
as the line that names an extra is passed over.
"""

import ast
import functools
import importlib.util
import sys
from pathlib import Path

TESTS = Path(__file__).parent
NEEDS_TORCH = ("regnety.create_model", "regnety.create_transform", "regnety.training", "regnety.network")
NAMES_AN_EXTRA = "pip install '.["


@functools.cache
def needs_the_core_alone(path: Path) -> bool:
    """Whether all that a module imports, anywhere in it, is here; of a folder, what its conftest.py does."""
    module = path / "conftest.py" if path.is_dir() else path
    return path == TESTS or not module.exists() or all(map(_is_here, _imported(module)))


def _imported(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _is_here(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):  # a helper, or a package of them
        helper = TESTS.joinpath(*parts[:length]).with_suffix(".py")
        if helper.exists():
            return needs_the_core_alone(helper)
    if parts[0] == "regnety":
        return not name.startswith(NEEDS_TORCH)
    return parts[0] in sys.stdlib_module_names or importlib.util.find_spec(parts[0]) is not None
