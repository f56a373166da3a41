"""Templates to pages: every value is escaped, and a policy in the page forbids it to load or run anything else."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from regnety.extras import import_extra
from regnety.text import printable
from regnety.version import __version__

PAGE = Path(__file__).parent / "page"
"""The templates, the style sheet and the script."""


def rendered(template: str, values: dict[str, Any]) -> str:
    """A page of `page/`.

    Args:
        template: its file.
        values: what it shows.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    import_extra("jinja2", feature="a report", extra="finetune", parts=("markupsafe",))
    from markupsafe import Markup

    style, script = (PAGE / "style.css").read_text("utf-8"), (PAGE / "sorting.js").read_text("utf-8")
    # a browser hashes what stands between the tags, to the byte
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page: str = (
        _environment()
        .get_template(template)
        .render(**values, version=__version__, policy=policy, style=Markup(style), script=Markup(script))
    )
    return page


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # a name that the template has and the values have not is an error, not an empty text
    return Environment(
        loader=FileSystemLoader(PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """A value as the page has it: control characters, and what UTF-8 cannot encode, as escapes."""
    from markupsafe import Markup

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
