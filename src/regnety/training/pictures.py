"""Which pictures a run trains on: all are checked before the first step, and a resumed run keeps the same ones."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regnety.datasets.samples import DataSplits, Sample
from regnety.datasets.unreadable import UnreadablePicturesError
from regnety.errors import DataError, ImageError
from regnety.images.decoding import check_image
from regnety.images.sources import StoredImage
from regnety.inference.engines.processor import available_cores
from regnety.progress import Progress
from regnety.storage.replacing import replacing
from regnety.threads import in_threads
from regnety.training.run_folder import PICTURES_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPictures:
    """The pictures of a run, and what its folder records about them."""

    splits: DataSplits
    """Without the unreadable ones."""
    unreadable: tuple[str, ...]
    """Paths below the data folder that were left out; a resumed run leaves them out too."""
    digest: str
    """Of split, class and path of the others: their order decides what each step sees."""
    seen: str
    """Of their paths, sizes and times when all of them could be read."""
    looked_at: bool
    """Whether they were decoded now, because they are new or have changed."""

    def write(self, run: Path) -> None:
        """Keep it in the run's folder."""
        values = {
            "train": len(self.splits.train),
            "val": len(self.splits.val),
            "unreadable": list(self.unreadable),
            "labelled_sha256": self.digest,
            "seen_sha256": self.seen,
        }
        with replacing(run / PICTURES_FILE) as beside:
            beside.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def look_at_pictures(
    splits: DataSplits, run: Path, *, begun: bool, skip_unreadable: bool, quiet: bool = False
) -> RunPictures:
    """Check that every training and validation picture can be read, and that a resumed run has the same ones.

    Pictures that have not changed since the last check are not decoded again.

    Args:
        splits: of the data folder.
        run: the run's folder.
        begun: whether the run has finished an epoch; then its pictures must be the same.
        skip_unreadable: leave out pictures that cannot be read.
        quiet: no progress.

    Raises:
        UnreadablePicturesError: some cannot be read.
        DataError: the pictures have changed since the run began, or a class has none that can be read.
    """
    stored = _read(run / PICTURES_FILE) if begun else {}
    left_out = set(stored.get("unreadable", ()))
    splits = _without(splits, left_out)
    samples = (*splits.train, *splits.val)
    names = [splits.name_of(sample) for sample in samples]
    digest, seen = _labelled_digest(splits), _digest([*names, *map(_stamp, samples)])
    # Names decide the order, and so what each step sees; times may change by a copy without harm.
    if stored.get("labelled_sha256", digest) != digest:
        before = stored.get("train", 0) + stored.get("val", 0)
        found = f"{len(samples)} now, {before} then" if len(samples) != before else "or others of their classes"
        raise DataError(
            f"{splits.root}: has other pictures than when the run in {run} began ({found}); "
            f"put them back, or start another run from its weights: --model {run} (model=)"
        )
    looked_at = stored.get("seen_sha256") != seen
    if looked_at:
        errors = _errors(samples, quiet=quiet)
        it = "it" if len(errors) == 1 else "them"
        if errors and begun:
            advice = f"the run began with {it}; put {it} back, or start another run"
            raise UnreadablePicturesError(list(errors.values()), len(samples), advice)
        if errors and not skip_unreadable:
            advice = f"repair or remove {it}, or train without {it}: --skip-unreadable (skip_unreadable=True)"
            raise UnreadablePicturesError(list(errors.values()), len(samples), advice)
        if errors:
            return _skipping(splits, errors)
    return RunPictures(splits=splits, unreadable=tuple(sorted(left_out)), digest=digest, seen=seen, looked_at=looked_at)


def _skipping(splits: DataSplits, errors: dict[str, str]) -> RunPictures:
    left_out = {splits.name_of(sample) for sample in (*splits.train, *splits.val) if sample.name in errors}
    kept = _without(splits, left_out)
    if gone := sorted(set(splits.classes) - {sample.label for sample in kept.train}):
        raise DataError(
            f"{splits.root}: no picture of the class {gone[0]!r} can be read; {next(iter(errors.values()))}"
        )
    if splits.val and not kept.val:
        raise DataError(f"{splits.root}: no picture of val/ can be read; {_first(errors)}")
    samples = (*kept.train, *kept.val)
    names = [kept.name_of(sample) for sample in samples]
    seen = _digest([*names, *map(_stamp, samples)])
    return RunPictures(
        splits=kept, unreadable=tuple(sorted(left_out)), digest=_labelled_digest(kept), seen=seen, looked_at=True
    )


def _errors(samples: Sequence[Sample], *, quiet: bool) -> dict[str, str]:
    """The error of each picture that cannot be read, in the order of the pictures."""

    def error_of(sample: Sample) -> str | None:
        try:
            check_image(sample.image)
        except ImageError as error:
            return str(error)
        return None

    errors = {}
    with (
        Progress("looking at the pictures", total=len(samples), quiet=quiet) as progress,
        closing(in_threads(error_of, samples, threads=available_cores())) as found,
    ):
        for sample, error in zip(samples, found, strict=True):
            progress.advance()
            if error is not None:
                errors[sample.name] = error
    return errors


def _first(errors: dict[str, str]) -> str:
    return next(iter(errors.values()))


def _without(splits: DataSplits, names: set[str]) -> DataSplits:
    if not names:
        return splits
    train, val = (
        tuple(sample for sample in samples if splits.name_of(sample) not in names)
        for samples in (splits.train, splits.val)
    )
    return replace(splits, train=train, val=val)


def _stamp(sample: Sample) -> str:
    """Size and modification time of a file; nothing for one that is gone, which is found when it is decoded."""
    if isinstance(sample.image, StoredImage):
        return sample.image.stamp()
    try:
        status = sample.image.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _labelled_digest(splits: DataSplits) -> str:
    return _digest(
        f"{split}\0{sample.label}\0{splits.name_of(sample)}"
        for split, samples in (("train", splits.train), ("val", splits.val))
        for sample in samples
    )


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\0")  # a name may have line ends, but no NUL
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """What `write` wrote; nothing in a run of an earlier release, which had no such file."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; it says which pictures the run trains on") from error
    return values if isinstance(values, dict) else {}
