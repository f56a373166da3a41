"""No file of the package leads back to itself by what it imports."""

import ast
from pathlib import Path

import pytest

import import_graph
from import_graph import circles


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Imports within functions and under TYPE_CHECKING count: they are circles that wait for the wrong moment."""
    assert circles(import_graph.import_graph()) == []


def test_every_module_is_read() -> None:
    graph = import_graph.import_graph()
    assert len(graph) > 200
    assert "regnety.errors" in graph["regnety.preprocessing"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a": "import regnety.b", "b": "from regnety import a"}, [["regnety.a", "regnety.b"]]),
        ({"a": "from regnety.b import B", "b": "def f():\n    from regnety.a import A"}, [["regnety.a", "regnety.b"]]),
        (
            {"a": "from regnety.b import B", "b": "if TYPE_CHECKING:\n    from regnety.a import A"},
            [["regnety.a", "regnety.b"]],
        ),
        ({"a": "from regnety.b import B", "b": "from regnety.c import C", "c": "import numpy"}, []),
    ],
)
def test_circles_are_found(
    files: dict[str, str], found: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        ast.parse(text)
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(import_graph, "SOURCE", tmp_path)
    assert circles(import_graph.import_graph()) == found
