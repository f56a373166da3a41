"""An image at an address of a store or of the web, and folders of them."""

from collections import defaultdict
from dataclasses import dataclass

from regnety.datasets.places import stamp_of
from regnety.datasets.samples import Sample
from regnety.datasets.split_names import SPLIT_NAMES, UNSPLIT
from regnety.errors import DataError
from regnety.images.sources import StoredImage, read_image_file
from regnety.remote import is_remote


@dataclass(frozen=True, slots=True)
class ImageAtAddress(StoredImage):
    """An image that is fetched whenever it is needed."""

    name: str
    """Its address."""

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ImageError: it cannot be fetched, or is no image.
        """
        return read_image_file(self.name)

    def stamp(self) -> str:
        """What the store says of its version; nothing for an image of the web, which would have to be asked for."""
        return stamp_of(self.name) if is_remote(self.name) else ""


def class_folders_at(root: str, images: list[str]) -> dict[str, tuple[Sample, ...]]:
    """The samples of a folder in a store by split, as those of a folder here: `train/cat/1.jpg`, or `cat/1.jpg`.

    Args:
        root: the folder's address.
        images: the addresses of all images in it, sorted.

    Raises:
        DataError: an image is in no class folder.
    """
    parts = {image: image[len(root.rstrip("/")) + 1 :].split("/") for image in images}
    names = {name: split for split, usual in SPLIT_NAMES.items() for name in usual}
    has_splits = any(len(inner) > 2 and inner[0].lower() in names for inner in parts.values())
    splits: dict[str, list[Sample]] = defaultdict(list)
    for image, inner in parts.items():
        split = names.get(inner[0].lower(), inner[0]) if has_splits else UNSPLIT
        folders = inner[1:-1] if has_splits else inner[:-1]
        if not folders:
            raise DataError(f"{image}: is in no class folder; an image's folder is named after its class")
        splits[split].append(Sample(ImageAtAddress(image), folders[0]))
    return {
        split: tuple(sorted(splits[split], key=lambda sample: (sample.label, sample.name)))
        for split in (*SPLIT_NAMES, *splits)
        if split in splits
    }
