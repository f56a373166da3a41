"""Which class of a model a name in a data set means: a label, else a WordNet ID, else an index."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from regnety.bundle.bundle import Bundle
from regnety.catalog import class_names
from regnety.datasets.samples import Sample
from regnety.errors import DataError

# Labels such as 7, -1 or 2.5: digits of MNIST, ratings, angles.
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_WNID = re.compile("n[0-9]{8}")


class ClassMatcher:
    """The classes of a model by the names that a data set may give them.

    A name is compared with the model's whole labels. If these are the labels of a data set in the catalogue
    (`label_set_of`), the catalogue's own names and the WordNet IDs match too. An index matches only if no label is a
    number: a folder `7` could mean either. Names are compared in Unicode's composed form (NFC).

    Args:
        labels: class names by index; None where they are not known.
        num_classes: of the model.
        model: its name in messages.
    """

    def __init__(self, labels: Sequence[str] | None, num_classes: int, *, model: str) -> None:
        self._model = model
        self._num_classes = num_classes
        self._labels = None if labels is None else tuple(unicodedata.normalize("NFC", label) for label in labels)
        known = None if self._labels is None else class_names.label_set_of(self._labels)
        self._wnids = None if known is None else class_names.wnids(known)
        # In the order of precedence: a model's own label wins over the same text as a WordNet ID.
        self._tables = [_places(self._labels or ())]
        if known is not None and self._wnids is not None:
            self._tables += [_places(class_names.labels(known)), _places(self._wnids)]
        self._takes_indices = not any(_NUMBER.fullmatch(label.strip()) for label in self._labels or ())

    def index(self, name: str) -> int:
        """The index of the class that a name means.

        Raises:
            DataError: no class or several; the message begins with the model, and names no file.
        """
        name = unicodedata.normalize("NFC", name)
        found = next((table[name] for table in self._tables if name in table), ())
        # isascii(): other scripts' digits are decimal too
        if not found and self._takes_indices and name.isascii() and name.isdecimal() and int(name) < self._num_classes:
            found = (int(name),)
        if len(found) == 1:
            return found[0]
        raise DataError(self._ambiguous(name, found) if found else self._unknown(name))

    def names(self) -> tuple[str, ...]:
        """A unique name for each class: its label, and what tells them apart where two classes share one."""
        if self._labels is None:
            return tuple(str(number) for number in range(self._num_classes))
        count = Counter(self._labels)  # ImageNet has two classes named crane, the bird and the machine
        names: list[str] = []
        for number, label in enumerate(self._labels):
            name = label
            if count[label] > 1:
                name = f"{label} ({number if self._wnids is None else self._wnids[number]})"
                while name in count:  # another class has that as its label
                    name = f"{name} ({number})"
            names.append(name)
        return tuple(names)

    def _ambiguous(self, name: str, found: Sequence[int]) -> str:
        if self._wnids is not None:
            ways = [f"{self._wnids[number]} (index {number})" for number in found]
        elif self._takes_indices:
            ways = [str(number) for number in found]
        else:
            return f"{self._model} has {len(found)} classes named {name!r}; give them different names (--labels)"
        return f"{self._model} has {len(found)} classes named {name!r}; name the folder {' or '.join(ways)}"

    def _unknown(self, name: str) -> str:
        hint = ""
        if _WNID.fullmatch(name) and self._wnids is None:
            hint = "; if its classes are ImageNet's, --labels imagenet-1k makes WordNet IDs known"
        if self._labels is None:
            known = f"only an index below {self._num_classes} names a class"
            return f"{self._model} has no class names, so {known}{hint or '; give the names with --labels FILE'}"
        return f"{self._model} has no class named {name!r}{hint}"


def class_indices(bundle: Bundle, samples: Sequence[Sample]) -> list[int]:
    """The index of each sample's class among those of a model.

    Raises:
        DataError: a name means no class of the model's, or several; the message begins with its folder.
    """
    matcher = matcher_of(bundle)
    indices: dict[str, int] = {}  # looked up once for each class, not for each image
    for sample in samples:
        if sample.label not in indices:
            try:
                indices[sample.label] = matcher.index(sample.label)
            except DataError as error:
                raise DataError(f"{_class_folder(sample)}: {error}") from None
    return [indices[sample.label] for sample in samples]


def matcher_of(bundle: Bundle) -> ClassMatcher:
    """The classes of a bundle."""
    return ClassMatcher(bundle.labels, bundle.metadata.num_classes, model=bundle.name)


def _places(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    places: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        places[name].append(number)
    return {name: tuple(numbers) for name, numbers in places.items()}


def _class_folder(sample: Sample) -> str:
    """The folder after which a sample's class is named, or the sample where a table names its class."""
    if not isinstance(sample.image, Path):
        return sample.name
    folders = (folder for folder in sample.image.parents if unicodedata.normalize("NFC", folder.name) == sample.label)
    return str(next(folders, sample.image))
