"""What a search was asked and what it has found, kept in its folder, so that it can be continued."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.architecture.counting import Complexity
from regnety.architecture.notation import design_from_dict
from regnety.designspace.search.budget import Measured
from regnety.designspace.search.candidates import Candidate, Candidates
from regnety.errors import JobError, RegNetYError
from regnety.files.opening import read_file_text
from regnety.storage.replacing import replacing
from regnety.text import one_line, reason_of

RECORD_FILE = "search.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """A search whose candidates have been found."""

    asked: dict[str, Any]
    """All that decides what is trained, as plain JSON values."""
    processor: str | None
    """That the candidates were measured on."""
    candidates: Candidates

    def write(self, folder: Path) -> None:
        """Keep it in the folder of the search."""
        found = dataclasses.asdict(self.candidates)
        found["macs"] = list(self.candidates.macs)
        found["found"] = [
            {
                "draw": candidate.draw,
                "design": candidate.design.as_dict(),
                **dataclasses.asdict(candidate.complexity),
                **dataclasses.asdict(candidate.measured),
            }
            for candidate in self.candidates.found
        ]
        values = {"format_version": FORMAT_VERSION, "asked": self.asked, "processor": self.processor, **found}
        with replacing(folder / RECORD_FILE) as beside:
            beside.write_text(json.dumps(values, indent=1) + "\n", "utf-8")

    def check_same(self, asked: dict[str, Any], folder: Path) -> None:
        """Check that a search that is continued was asked the same.

        Raises:
            JobError: it was not.
        """
        for key in [*self.asked, *asked]:
            was, now = self.asked.get(key), asked.get(key)
            if was != now:
                raise JobError(
                    f"{folder}: the search has {key} {_short(was)}, resuming cannot change it to {_short(now)}"
                )


def read_record(folder: Path) -> SearchRecord:
    """The record in the folder of a search.

    Raises:
        JobError: there is none, or it is damaged.
    """
    path = folder / RECORD_FILE
    try:
        values = json.loads(read_file_text(path))
        if values["format_version"] > FORMAT_VERSION:
            raise ValueError(f"its format_version is {values['format_version']}, this release knows {FORMAT_VERSION}")
        return SearchRecord(asked=dict(values["asked"]), processor=values["processor"], candidates=_candidates(values))
    except FileNotFoundError:
        raise JobError(f"{folder}: holds no search, which `regnety design search` writes") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RegNetYError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else one_line(error)
        raise JobError(f"{path}: cannot be read: {reason}") from error


def _candidates(values: dict[str, Any]) -> Candidates:
    counts, costs = (tuple(field.name for field in dataclasses.fields(kind)) for kind in (Complexity, Measured))
    found = tuple(
        Candidate(
            draw=row["draw"],
            design=design_from_dict(row["design"]),
            complexity=Complexity(**{name: row[name] for name in counts}),
            measured=Measured(**{name: row[name] for name in costs}),
        )
        for row in values["found"]
    )
    others = {name: values[name] for name in ("measured", "too_slow", "too_fast", "not_run")}
    low, high = values["macs"]
    return Candidates(found=found, macs=(low, high), **others)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
