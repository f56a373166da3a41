"""How the documentation is built. It needs no network: no intersphinx, and furo contains its own assets."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from regnety.version import __version__

project = "regnety"
author = "the regnety developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "catalog_tables", "command_line", "docstrings", "public_names"]
exclude_patterns = ["_build", "extensions"]
smartquotes = False  # they would turn the two dashes of an option into one
html_theme = "furo"
html_title = f"regnety {release}"
html_show_sphinx = False
html_copy_source = False

default_role = "code"  # docstrings write names in single backticks, as Markdown does
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"

nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"(collections|numpy|onnx|pathlib|PIL|pyarrow|Image|torch)\..*"),  # documented on another server
    ("py:class", r"(np|npt)\.\w+|Path"),  # the same, in modules that import them only for the type checker
    ("py:class", r"regnety\.[a-z_.]+\.[A-Z]\w*"),  # returned by public functions, never imported by users
]
