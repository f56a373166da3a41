"""The reference has every public name, once: a name that is missing in it, or unknown, fails the build."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

import regnety


def _check(app: Sphinx, environment: BuildEnvironment) -> None:
    documented = {
        name.removeprefix("regnety.")
        for name in environment.domains["py"].data["objects"]  # type: ignore[index]
        if name.count(".") == 1
    }
    public = set(regnety.__all__)
    if missing := public - documented:
        raise ExtensionError(f"docs/reference/python.md lacks {', '.join(sorted(missing))}")
    if unknown := documented - public:
        raise ExtensionError(f"docs/reference/python.md has {', '.join(sorted(unknown))}, which __all__ has not")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
