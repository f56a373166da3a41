"""What stands among photographs and is none of them, by its name."""

KEPT_BY_OTHERS = ("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "__macosx")
"""Folders in which a NAS, Windows or macOS keeps thumbnails, waste, and copies of its own; in any case."""


def is_passed_over(name: str) -> bool:
    """Whether a file or folder found in a folder is hidden, or another program's own: no photograph of anybody's."""
    return name.startswith(".") or name.lower() in KEPT_BY_OTHERS
