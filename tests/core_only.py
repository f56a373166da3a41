"""Which tests need the core alone: those of `make lowest`, where no extra is installed."""

import functools
import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent
PROJECT = TESTS.parent / "pyproject.toml"
TOOLS = {"pytest", "hypothesis", "safetensors"}
"""Of the extra `test`, what is there all the same."""
OTHERS = {"create_model", "create_transform", "regnety.training", "regnety.network", "pandas", "parquet", "s3_server", "scipy"}
"""What needs an extra under another name."""


@functools.cache
def names_of_extras() -> "re.Pattern[str]":
    """The packages that the extras bring, as they are imported."""
    extras = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    packages = {re.split(r"[\[><=;, ]", requirement)[0] for requirements in extras.values() for requirement in requirements}
    names = {package.replace("-", "_").removesuffix("_cpu") for package in packages - {"regnety"} - TOOLS} | OTHERS
    return re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")


@functools.cache
def needs_the_core_alone(module: Path) -> bool:
    """Whether a module of tests, with the helpers that it imports, names nothing of an extra."""
    text = module.read_text("utf-8")
    if names_of_extras().search(text):
        return False
    helpers = re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)
    return all(needs_the_core_alone(path) for helper in helpers if (path := TESTS / f"{helper}.py").exists())
