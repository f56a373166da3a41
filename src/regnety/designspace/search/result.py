"""What a search has found, as a value."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.designspace.populations import Population, TrialResult
from regnety.designspace.published_neighbours import PublishedNeighbour
from regnety.designspace.search.budget import Budget, Measured
from regnety.designspace.search.candidates import Candidate
from regnety.designspace.search.record import SearchRecord

if TYPE_CHECKING:
    from regnety.training.run_bundle import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """One of the best, trained in full."""

    result: TrialResult
    """Of its low-epoch training."""
    candidate: Candidate
    run: "RunResult"
    """Its bundle, and its accuracies in percent."""
    place: str
    """The name of its folder."""
    neighbour: PublishedNeighbour
    """The published model nearest to it."""
    neighbour_measured: Measured | None
    """What that network takes at the same size, with the same classes, on the same engine; None if it cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search has found."""

    folder: Path
    budget: Budget
    record: SearchRecord
    population: Population
    """The low-epoch trainings of all candidates."""
    front: tuple[TrialResult, ...]
    """Those trained to the end of it that no other beats in error, latency and memory, the best first."""
    winners: tuple[Winner, ...]
    """The best of the front, trained in full."""
    failures: tuple[str, ...] = ()
    """Why others of them could not be."""

    def candidate(self, result: TrialResult) -> Candidate:
        """What was trained, and what it takes."""
        return self.record.candidates.found[result.trial.design_number]
