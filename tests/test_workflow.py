"""The workflow of continuous integration calls the targets that everybody else calls, on every Python we name."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_every_command_is_a_target_of_the_makefile() -> None:
    commands = [step["run"] for step in STEPS if "run" in step]
    targets = set()
    for command in commands:
        match = re.fullmatch(r"make ([\w-]+) PYTHON=python", command)
        assert match, command
        assert f"\n{match[1]}:" in MAKEFILE, command
        targets.add(match[1])
    assert {"lint", "test", "test-all"} <= targets
    for target in re.findall(r"make ([\w-]+)", (ROOT / ".ci" / "run").read_text("utf-8")):
        assert target in targets


def test_the_pythons_are_those_that_the_package_names() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    named = [line.rpartition(" ")[2] for line in classifiers if re.search(r"Python :: 3\.\d", line)]
    matrix = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == named
    assert [system.partition("-")[0] for system in matrix["os"]] == ["ubuntu", "macos", "windows"]


def test_it_may_only_read_and_its_actions_are_pinned() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True
    for job in WORKFLOW["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 120
    for step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


@pytest.mark.parametrize(("system", "folder"), [("Linux", ".venv/bin"), ("Windows_NT", ".venv/Scripts")])
def test_the_makefile_finds_the_environment_on_every_system(system: str, folder: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", "--always-make", "test", f"OS={system}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{folder}/python -m pytest" in result.stdout
