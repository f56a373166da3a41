"""What `regnety` shows to the world, what it costs to import, and what happens without torch."""

import inspect
import json
from pathlib import Path

import pytest

import regnety as package
from commands import one_line, python, regnety
from pictures import write_colours
from regnety.export.conversion import convert_model
from regnety.version import __version__

HEAVY = ("torch", "onnxruntime", "openvino", "onnx", "PIL", "numpy", "click", "pydantic", "huggingface_hub")
AFTER_EVERY_IMPORT = """
import importlib, pkgutil, regnety
for module in pkgutil.walk_packages(regnety.__path__, "regnety."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in regnety.__all__:
    value = getattr(regnety, name)
    assert name == "__version__" or value.__name__ == name, f"{name} is {value}"
    print(name)
"""
RUN_MAIN = """
import sys
from regnety.cli.main import run
print("status", run(), file=sys.stderr)
print("torch" in sys.modules, file=sys.stderr)
"""
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None\n"
"""What Python then says to `import torch` is what it says where torch is not installed."""


def test_no_module_bears_the_name_of_a_public_function() -> None:
    """A lazy name is shadowed by a submodule of that name once that is imported."""
    result = python(AFTER_EVERY_IMPORT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == package.__all__


@pytest.mark.parametrize("name", package.__all__)
def test_public_names_are_documented_and_listed(name: str) -> None:
    value = getattr(package, name)
    assert name in dir(package)
    assert name == "__version__" or inspect.getdoc(value)


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'regnety' has no attribute 'regnetz'"):
        _ = package.regnetz


def test_neighbours_are_spelled_either_way() -> None:
    assert package.find_neighbors is package.find_neighbours
    assert "find_neighbors" not in package.__all__


def test_importing_costs_nothing() -> None:
    result = python(f"import sys, regnety; print(*({set(HEAVY)} & sys.modules.keys()))")
    assert result.stdout.split() == [], result.stderr


@pytest.mark.parametrize(
    "command", ["predict", "describe", "eval", "models", "export", "convert", "inspect", "card", "fetch"]
)
def test_the_runtime_half_never_imports_torch(command: str, tmp_path: Path) -> None:
    data = write_colours(tmp_path / "data", "red", count=2)
    (data / "red").rename(data / "cat")
    checkpoint = convert_model("regnety_cifar10", tmp_path / "model.pth", to="vissl").path
    arguments = {
        "predict": [data / "cat" / "000.png"],
        "describe": ["regnety_002"],
        "eval": ["--data", data, "--model", "regnety_cifar10"],
        "models": [],
        "export": [checkpoint, "-o", tmp_path / "model.onnx"],
        "convert": [checkpoint, tmp_path / "model.pyth", "--to", "pycls"],
        "inspect": [checkpoint],
        "card": [checkpoint],
        "fetch": ["regnety_cifar10"],
    }
    result = python(RUN_MAIN, command, *arguments[command])
    assert result.stderr.splitlines()[-2:] == ["status 0", "False"]


def test_quantizing_loads_no_torch_either(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="needs NNCF: make test installs it")
    data = write_colours(tmp_path / "data", count=3)
    result = python(RUN_MAIN, "quantize", "regnety_cifar10", "--calibrate", data, "--samples", 8, "-o", tmp_path / "q")
    assert result.stderr.splitlines()[-2:] == ["status 0", "False"]


def test_the_version_is_printed() -> None:
    as_module = regnety("--version")
    as_command = python("from regnety.cli.main import main; main()", "--version")
    for result in (as_module, as_command):
        assert (result.returncode, result.stdout, result.stderr) == (0, f"{__version__}\n", "")


def test_create_model_without_torch_names_the_extra() -> None:
    code = "import regnety\ntry: regnety.create_model\nexcept regnety.MissingExtraError as error: print(error)"
    result = python(WITHOUT_TORCH + code)
    assert result.stdout == "create_model needs an extra: pip install '.[torch]' in a clone of regnety\n", result.stderr


def test_training_without_torch_is_one_line(tmp_path: Path) -> None:
    write_colours(tmp_path / "data")
    code = WITHOUT_TORCH + "from regnety.cli.main import main\nmain()"
    result = python(code, "train", "--data", tmp_path / "data", "--output", tmp_path / "run")
    assert one_line(result) == "training needs an extra: pip install '.[torch]' in a clone of regnety"
    assert not (tmp_path / "run").exists()


def test_what_needs_no_torch_works_without_it(tmp_path: Path) -> None:
    picture = write_colours(tmp_path, "red", count=1) / "red" / "000.png"
    code = WITHOUT_TORCH + "from regnety.cli.main import main\nmain()"
    result = python(code, "predict", picture, "--format", "json")
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)[0]["predictions"]) == 5


def test_help_lists_the_commands() -> None:
    result = regnety("--help")
    assert result.returncode == 0
    assert {"Use:", "Train:", "Models:", "Deploy:", "predict", "describe", "eval"} <= set(result.stdout.split())


@pytest.mark.parametrize("columns", [80, 120])
def test_help_says_what_each_command_does_in_one_whole_line(columns: int) -> None:
    result = regnety("--help", COLUMNS=str(columns))
    _, *commands = result.stdout.split("Use:\n")[1].rstrip().splitlines()
    assert all(line.startswith("  ") or not line or line.endswith(":") for line in commands)
    assert not [line for line in commands if "..." in line or line.startswith("   ")]
    assert max(map(len, commands)) <= 80
