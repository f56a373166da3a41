"""The lowest versions that pyproject.toml allows of what the core needs, as constraints for pip: `make lowest`."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """`numpy>=1.26` -> `numpy==1.26`; what stands behind a semicolon stays."""
    bound, semicolon, marker = requirement.partition(";")
    name, _, version = bound.partition(">=")
    if not version or "," in version:
        raise SystemExit(f"pyproject.toml: {requirement!r} must have one lower bound: name>=version")
    return f"{name.strip()}=={version.strip()}{semicolon}{marker}"


if __name__ == "__main__":
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    print("\n".join(map(lowest, project["dependencies"])))
