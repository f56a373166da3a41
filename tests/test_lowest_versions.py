"""The lowest versions that are tried are those that are declared."""

import tomllib

import pytest

from lowest_versions import PROJECT, lowest


@pytest.mark.parametrize(
    ("requirement", "constraint"),
    [
        ("numpy>=1.26", "numpy==1.26"),
        ("click >= 8.4.2", "click==8.4.2"),
        ("a>=4; platform_system != 'Linux'", "a==4; platform_system != 'Linux'"),
    ],
)
def test_a_lower_bound_becomes_a_version(requirement: str, constraint: str) -> None:
    assert lowest(requirement) == constraint


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=1,<3"])
def test_what_has_another_bound_is_refused(requirement: str) -> None:
    with pytest.raises(SystemExit, match=r"must have one lower bound: name>=version$"):
        lowest(requirement)


def test_every_package_of_the_core_has_a_lower_bound() -> None:
    dependencies = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"]
    assert all("==" in lowest(requirement) for requirement in dependencies)
