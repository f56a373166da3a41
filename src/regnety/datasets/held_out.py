"""Which samples are scored: accuracy on images that a model was trained on says little about its accuracy on others."""

from collections.abc import Sequence
from dataclasses import dataclass

from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import fingerprints
from regnety.datasets.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSamples:
    """The samples to score, and what is known about them."""

    samples: tuple[Sample, ...]
    trained_on: tuple[bool | None, ...]
    """For each, whether the model was trained on that file; None where that is unknown."""
    left_out: int = 0
    """How many are not scored, because the model was or may have been trained on them."""


def scored_samples(
    bundle: Bundle, samples: Sequence[Sample], *, held_out_only: bool, quiet: bool = False
) -> ScoredSamples:
    """Compare samples with what a model was trained on, by the content of their files.

    Args:
        bundle: the model. If it does not say what it was trained on, nothing is left out.
        samples: labelled images.
        held_out_only: leave out samples that it was trained on, unless it was trained on all of them.
        quiet: show no progress.

    Raises:
        WeightsError: the bundle's list of training files is damaged.
    """
    if bundle.training_files is None:
        return ScoredSamples(samples=tuple(samples), trained_on=(None,) * len(samples))
    has = bundle.training_files.has
    known = [has(value) for value in fingerprints([sample.image for sample in samples], quiet=quiet)]
    # If all were trained on, scoring them is what was asked for; the caller says what that is worth.
    if held_out_only and True in known and False in known:
        kept = tuple(sample for sample, trained in zip(samples, known, strict=True) if trained is False)
        return ScoredSamples(samples=kept, trained_on=(False,) * len(kept), left_out=len(samples) - len(kept))
    return ScoredSamples(samples=tuple(samples), trained_on=tuple(known))
