"""What a fine-tuning run ends with, in Python and as a file of its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.errors import DataError
from regnety.files.opening import read_file_text
from regnety.reports.report import REPORT_FILE
from regnety.storage.replacing import replacing
from regnety.text import reason_of

BUNDLE_FOLDER = "bundle"
MISTAKES_FILE = "mistakes.csv"
RESULT_FILE = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult:
    """The result of a finished run of `finetune`.

    Args:
        bundle: the folder of the model.
        val_top1: in percent: of `val/` or of what was held out; without both of the training photographs, each answered
            by a classifier that had not seen it (five folds).
        test_top1: in percent, of the bundle; None without a test split.
        mistakes: the table of wrong answers, one row for each photograph of test, else of those behind `val_top1`.
        num_mistakes: rows of that table.
        report: the report; None where none was asked for.
        image_size: height and width that the model is shown, in pixels.
        all_layers: whether every layer was fitted, not the classifier alone.
        epochs: over all layers; None where the classifier alone was fitted.
        seconds: of all processes that worked on the run, from the command to its end.
    """

    bundle: Path
    val_top1: float
    test_top1: float | None
    mistakes: Path
    num_mistakes: int
    report: Path | None
    image_size: int
    all_layers: bool
    epochs: int | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the fields of `--format json`."""
        return {
            "bundle": str(self.bundle),
            "val_top1": self.val_top1,
            "test_top1": self.test_top1,
            "mistakes": str(self.mistakes),
            "num_mistakes": self.num_mistakes,
            "report": None if self.report is None else str(self.report),
            "image_size": self.image_size,
            "all_layers": self.all_layers,
            "epochs": self.epochs,
            "seconds": self.seconds,
        }

    def write(self, run: Path) -> None:
        """Keep it in the run's folder, by which the run has finished."""
        # Without paths: a run may be moved.
        places = {"bundle", "mistakes"}
        values = {name: value for name, value in self.as_dict().items() if name not in places}
        with replacing(run / RESULT_FILE) as beside:
            beside.write_text(json.dumps(values | {"report": self.report is not None}, indent=1) + "\n", "utf-8")


def stored_result(run: Path) -> FinetuneResult | None:
    """The result of a finished run; None where it has not finished.

    Raises:
        DataError: its file is damaged.
    """
    path = run / RESULT_FILE
    if not path.exists():
        return None
    try:
        values = json.loads(read_file_text(path))
        values |= {
            "bundle": run / BUNDLE_FOLDER,
            "mistakes": run / MISTAKES_FILE,
            "report": run / REPORT_FILE if values["report"] else None,
        }
        return FinetuneResult(**values)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{path}: cannot be read: {reason_of(error)}; remove it, then --resume (resume=True)"
        ) from error
