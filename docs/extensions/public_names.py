"""`{public-names} ROOM ...`: every public name defined in these rooms; those listed in the block come first.

A new name appears in the reference by itself. If it is in a room that no page lists, the build fails.
"""

import inspect

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

import regnety


class PublicNames(SphinxDirective):
    """The docstrings of a group of names."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The documentation of each name, written by autodoc."""
        self.env.note_reread()  # names come and go without this page
        rooms = tuple(f"regnety.{room}" for room in self.arguments[0].split())
        names = [name for name in regnety.__all__ if f"{_home(name)}.".startswith(tuple(f"{room}." for room in rooms))]
        order = [*self.content, *names]
        names.sort(key=order.index)
        directives = "\n".join(map(_directive, names))
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{directives}\n```\n")


def _home(name: str) -> str:
    return str(getattr(getattr(regnety, name), "__module__", "regnety.version"))


def _directive(name: str) -> str:
    value = getattr(regnety, name)
    if inspect.isclass(value) and not issubclass(value, Exception):
        # what Bundle and Design have from a base class of ours belongs to them; that class is not public
        return f".. autoclass:: regnety.{name}\n   :inherited-members: object, ABC, Protocol, Generic"
    kind = "autoexception" if inspect.isclass(value) else "autofunction" if callable(value) else "autodata"
    return f".. {kind}:: regnety.{name}"


def _check(app: Sphinx, environment: BuildEnvironment) -> None:
    documented = {f"regnety.{name}" for name in regnety.__all__} & set(environment.domains["py"].data["objects"])
    if missing := [name for name in regnety.__all__ if f"regnety.{name}" not in documented]:
        homes = ", ".join(f"{name} ({_home(name)})" for name in missing)
        raise ExtensionError(f"docs/reference/python.md has no room for {homes}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("public-names", PublicNames)
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
