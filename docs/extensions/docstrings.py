"""Google-style docstrings to reST, except those of fields: Napoleon takes a word before a colon for a type."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

CONFIG = Config(napoleon_use_rtype=False)
FIELDS = ("attribute", "property", "data")


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    if what not in FIELDS:
        lines[:] = GoogleDocstring(lines, CONFIG, app, what, name, value, options).lines()


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
