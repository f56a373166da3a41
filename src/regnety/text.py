"""Words for messages: numbers with their nouns, what an error said in one line, and text that is safe to show."""

from collections.abc import Collection
from itertools import islice

LONGEST_EXCERPT = 200
"""Characters of a stranger's text that a message repeats."""
LISTED = 3
"""Names that a list shows before `and 12 more`."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; the plural where it is not the noun and an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def there_is(number: int, noun: str) -> str:
    """`is 1 label`, `are 2 labels`."""
    return f"{'is' if number == 1 else 'are'} {counted(number, noun)}"


def kept(images: int) -> str:
    """Of a job that stops before its end: `1 image is kept`."""
    return f"{counted(images, 'image')} {'is' if images == 1 else 'are'} kept"


def one_line(said: object) -> str:
    """A text or an error as one line; the error's type where it has no text."""
    return " ".join(str(said).split()) or ("" if isinstance(said, str) else type(said).__name__)


def reason_of(error: BaseException) -> str:
    """One line without the file's name: an OSError's own reason (`Permission denied`), else what the error said."""
    # UnicodeDecodeError and the like have no strerror; an OSError made from a text alone has None
    return getattr(error, "strerror", None) or one_line(error)


def error_line(error: BaseException) -> str:
    """One line with the file's name: str() of an OSError would begin with `[Errno 13]`."""
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.filename or 'standard output'}: {error.strerror}"  # a full disk behind `>` has no name
    return one_line(error)


def printable(text: str) -> str:
    """Text that has no power over a terminal: control characters, and what UTF-8 cannot encode, as escapes."""
    if text.isprintable():
        return text
    import unicodedata  # rarely needed, and start-up should not pay for it

    # not every unprintable character: macOS puts U+202F into the names of screenshots
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs")
        else character
        for character in text
    )


def excerpt(content: object, *, longest: int = LONGEST_EXCERPT) -> str:
    """A key or a message from a file that nobody has checked: printable ASCII if need be, and not too long."""
    text = str(content)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def listed(names: Collection[object], *, most: int = LISTED) -> str:
    """`conv1.weight, bn1.weight, bn1.bias and 264 more`; what is not a name is shown by its type."""
    shown = ", ".join(
        excerpt(name, longest=100) if isinstance(name, str) else f"<{type(name).__name__}>"
        for name in islice(names, most)
    )
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
