"""How things are said."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; the plural where it is not the noun and an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def there_is(number: int, noun: str) -> str:
    """`is 1 label`, `are 2 labels`."""
    return f"{'is' if number == 1 else 'are'} {counted(number, noun)}"


def kept(images: int) -> str:
    """Of a job that stops before its end."""
    return f"{counted(images, 'image')} {'is' if images == 1 else 'are'} kept"
