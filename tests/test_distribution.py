"""The wheel and the sdist: what is in them, and that the wheel works in an environment that has nothing else.

Needs what `make` needs: a pip that can install the packages of constraints.txt.
"""

import email.message
import email.policy
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from regnety.version import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LARGEST_WHEEL = 12_000_000
"""In bytes; the two models in it take 9 million."""
NO_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is not None)"
NEED_TORCH = "RunResult create_model create_transform load_checkpoint train"
IMPORT_EVERYTHING = """
import regnety
needs_torch = []
for name in regnety.__all__:
    try:
        getattr(regnety, name)
    except regnety.MissingExtraError:
        needs_torch.append(name)
print(*needs_torch)
print(regnety.__version__, regnety.Predictor("regnety_cifar10").predict("photo.png")[0].predictions[0].label)
"""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel and its core dependencies."""

    folder: Path
    workplace: Path

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the workplace, without anything of this process's own paths."""
        own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        environment = {key: value for key, value in os.environ.items() if key not in own}
        environment["REGNETY_CACHE"] = str(self.workplace / "cache")
        return subprocess.run(
            [self.scripts / program, *map(str, arguments)],
            cwd=self.workplace,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def scripts(self) -> Path:
        return Path(sysconfig.get_path("scripts", "venv", {"base": str(self.folder)}))

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))


def build(source: Path, output: Path, target: str) -> Path:
    """Build with the backend itself, so that nothing is fetched for it."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", output], cwd=source, check=True)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    workplace = folder / "work"
    workplace.mkdir()
    (workplace / "photo.png").write_bytes((ROOT / "examples" / "cat.png").read_bytes())
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    made = Environment(folder / "venv", workplace)
    pip = ("-m", "pip", "--disable-pip-version-check")
    result = made.run("python", *pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    assert result.returncode == 0, result.stderr
    return made


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata_of(wheel: Path) -> email.message.EmailMessage:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"regnety-{__version__}.dist-info/METADATA").decode("utf-8")
    return email.message_from_string(text, policy=email.policy.default.clone(max_line_length=None))


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    files = [path for path in (source / "regnety").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    packaged = [name for name in names_in(wheel) if ".dist-info/" not in name]
    assert sorted(packaged) == sorted(path.relative_to(source).as_posix() for path in files)
    assert {
        "regnety/py.typed",
        "regnety/catalog/designs.json",
        "regnety/catalog/embedded/regnety_tiny/model.safetensors",
        "regnety/catalog/embedded/regnety_cifar10/model.safetensors",
    } <= set(packaged)
    assert wheel.stat().st_size < LARGEST_WHEEL
    assert wheel.name == f"regnety-{__version__}-py3-none-any.whl"


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert (metadata["Name"], metadata["Version"]) == ("regnety", __version__)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert f"regnety-{__version__}.dist-info/licenses/LICENSE" in names_in(wheel)
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == PROJECT["optional-dependencies"].keys()
    core = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert len(core) == len(PROJECT["dependencies"])
    assert not [line for line in core if line.startswith("torch")]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()


def test_the_sdist_is_the_repository_and_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"regnety-{__version__}"
    for name in ("README.md", "LICENSE", "Makefile", "constraints.txt", "docs/conf.py", "tests/test_distribution.py"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()
    assert not [path for path in source.rglob("*") if path.name in ("_build", "__pycache__", ".venv")]
    rebuilt = build(source, tmp_path / "wheel", "wheel")
    assert hashlib.sha256(rebuilt.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_the_environment_has_no_torch_and_all_that_is_needed(environment: Environment) -> None:
    assert environment.run("python", "-c", NO_TORCH).returncode == 0
    result = environment.run("python", "-m", "pip", "--disable-pip-version-check", "check")
    assert result.returncode == 0, result.stdout


def test_the_public_names_work_there(environment: Environment) -> None:
    result = environment.run("python", "-W", "error", "-c", IMPORT_EVERYTHING)
    assert (result.stdout, result.stderr) == (f"{NEED_TORCH}\n{__version__} cat\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "photo.png", "--format", "json"),
        ("describe", "regnety_002", "--format", "json"),
        ("models", "regnety_002*", "--format", "json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_work_there(environment: Environment, arguments: Sequence[str]) -> None:
    result = environment.run("regnety", *arguments)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)


def test_the_answer_is_right_there(environment: Environment) -> None:
    result = environment.run("regnety", "predict", "photo.png", "--format", "json", "--quiet")
    (answer,) = json.loads(result.stdout)
    assert answer["predictions"][0]["label"] == "Egyptian cat"
    assert 0.5 < answer["predictions"][0]["prob"] < 0.7


def test_an_export_answers_there(environment: Environment) -> None:
    result = environment.run("regnety", "export", "regnety_cifar10", "-o", "model.onnx")
    assert result.returncode == 0, result.stderr
    result = environment.run("regnety", "predict", "photo.png", "--model", "model.onnx", "--top-k", "1", "--quiet")
    assert result.stdout.split()[3:5] == ["photo.png", "cat"]


def test_what_needs_torch_names_its_extra_there(environment: Environment) -> None:
    (environment.workplace / "data").mkdir()
    result = environment.run("regnety", "train", "--data", "data", "--output", "run")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "regnety: training needs an extra: pip install '.[torch]' in a clone of regnety\n"


def test_uninstalling_leaves_nothing(environment: Environment) -> None:
    """The last test: what it removes is installed for all of them."""
    assert (environment.packages / "regnety").is_dir()
    result = environment.run("python", "-m", "pip", "--disable-pip-version-check", "uninstall", "--yes", "regnety")
    assert result.returncode == 0, result.stderr
    assert not list(environment.packages.glob("regnety*"))
    assert not list(environment.scripts.glob("regnety*"))
