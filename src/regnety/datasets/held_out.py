"""Which photographs are scored of those at hand: what a model was trained on says little about what it can do."""

from collections.abc import Sequence
from dataclasses import dataclass

from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import fingerprints
from regnety.datasets.folders import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSamples:
    """The photographs to score, and what is known of them."""

    samples: tuple[Sample, ...]
    trained_on: tuple[bool | None, ...]
    """Of each, whether the model was trained on that very file; None where nobody knows."""
    left_out: int = 0
    """Those that are not scored, because the model was or may have been trained on them."""


def scored_samples(
    bundle: Bundle, samples: Sequence[Sample], *, held_out_only: bool, quiet: bool = False
) -> ScoredSamples:
    """Compare photographs with what a model was trained on, by the content of their files.

    Args:
        bundle: the model. One that does not say what it was trained on leaves nothing out.
        samples: labelled photographs.
        held_out_only: leave out those that it was trained on, unless it was trained on all of them.
        quiet: no progress.

    Raises:
        WeightsError: what the bundle says of it is damaged.
    """
    if bundle.training_files is None:
        return ScoredSamples(samples=tuple(samples), trained_on=(None,) * len(samples))
    has = bundle.training_files.has
    known = [has(value) for value in fingerprints([sample.path for sample in samples], quiet=quiet)]
    if held_out_only and True in known and False in known:
        kept = tuple(sample for sample, trained in zip(samples, known, strict=True) if trained is False)
        return ScoredSamples(samples=kept, trained_on=(False,) * len(kept), left_out=len(samples) - len(kept))
    return ScoredSamples(samples=tuple(samples), trained_on=tuple(known))
