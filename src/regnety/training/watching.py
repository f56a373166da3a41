"""What watches a run while it trains: TensorBoard's files, and an MLflow server.

Both get the rows of metrics.jsonl, and are brought up to date after each epoch: a run that was killed and resumed has
no row twice and none missing.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from regnety.errors import RecipeError
from regnety.extras import import_extra
from regnety.storage.replacing import replacing
from regnety.text import one_line
from regnety.training.recipes.recipe import Recipe

TENSORBOARD_FOLDER = "tensorboard"
MLFLOW_FILE = "mlflow.json"
EXPERIMENT = "regnety"
"""The experiment that runs are under, in MLflow."""

Row = Mapping[str, Any]
"""Of metrics.jsonl."""


class Watcher(Protocol):
    """Is told how a run goes."""

    def update(self, history: Sequence[Row]) -> None:
        """Take over the rows that it does not have yet; `history` has all of them."""

    def finish(self) -> None:
        """The run has ended."""


def watchers_of(run: Path, recipe: Recipe, *, tensorboard: bool, mlflow: str | None) -> tuple[Watcher, ...]:
    """Those that were asked for. Nothing is written before the first row.

    Args:
        run: the run's folder.
        recipe: its values become MLflow's parameters.
        tensorboard: write `tensorboard/` in the run's folder.
        mlflow: address of a server, or of a folder, as MLflow takes it.

    Raises:
        MissingExtraError: the package that one needs is not installed.
        RecipeError: the MLflow server cannot be reached.
    """
    found: list[Watcher] = []
    if tensorboard:
        package = import_extra("tensorboardX", feature="--tensorboard (tensorboard=)", extra="torch")
        found.append(TensorBoardFiles(run / TENSORBOARD_FOLDER, package))
    if mlflow is not None:
        package = import_extra("mlflow", feature="--mlflow (mlflow=)", extra="mlflow")
        found.append(MlflowRun(run, recipe, mlflow, package))
    return tuple(found)


class TensorBoardFiles:
    """One scalar for each column of metrics.jsonl, by epoch.

    Args:
        folder: of the files. Those of an earlier part of the run are replaced by one file with all rows.
        package: tensorboardX.
    """

    def __init__(self, folder: Path, package: Any) -> None:
        self._folder = folder
        self._package = package
        self._writer: Any = None
        self._written = 0

    def update(self, history: Sequence[Row]) -> None:
        """Write the rows that are not in the file yet."""
        if self._writer is None:
            for earlier in self._folder.glob("events.out.tfevents.*"):
                earlier.unlink()
            self._writer = self._package.SummaryWriter(str(self._folder))
        for row in history[self._written :]:
            for name, value in figures_of(row):
                self._writer.add_scalar(name, value, row["epoch"])
        self._written = len(history)
        self._writer.flush()  # readable while the run goes on, and after a kill

    def finish(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


class MlflowRun:
    """A run of MLflow's, whose number is kept in the run's folder.

    Args:
        run: the run's folder; its name is the run's name.
        recipe: its values are the run's parameters.
        address: of the server.
        package: mlflow.

    Raises:
        RecipeError: the server cannot be reached.
    """

    def __init__(self, run: Path, recipe: Recipe, address: str, package: Any) -> None:
        self._file = run / MLFLOW_FILE
        self._name = run.resolve().name
        self._recipe = recipe
        self._address = address
        self._package = package
        self._client = package.MlflowClient(tracking_uri=address)
        try:
            self._experiment = self._experiment_id()  # now: a mistyped address must not show after an hour
        except Exception as error:  # each kind of store has its own
            raise RecipeError(f"mlflow {address}: {one_line(error)}") from error
        self._number: str | None = None
        self._done = 0

    def update(self, history: Sequence[Row]) -> None:
        """Send the rows that the server does not have yet. One that does not answer gets them after the next epoch."""
        with self._reported():
            if self._number is None:
                self._open()
            metric = self._package.entities.Metric
            now = int(1000 * time.time())
            for row in history:
                if row["epoch"] > self._done:
                    metrics = [metric(name, value, now, row["epoch"]) for name, value in figures_of(row)]
                    self._client.log_batch(self._number, metrics=metrics)
                    self._done = row["epoch"]

    def finish(self) -> None:
        """Mark the run as finished."""
        if self._number is not None:
            with self._reported():
                self._client.set_terminated(self._number)

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        return str(self._client.create_experiment(EXPERIMENT) if found is None else found.experiment_id)

    def _open(self) -> None:
        """The run that an earlier part of this one has opened on the same server, or a new one."""
        stored = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        if stored.get("address") == self._address:
            number = str(stored["run_id"])
            sent = self._client.get_metric_history(number, "train_loss")
            self._done = max((metric.step for metric in sent), default=0)
            self._client.update_run(number, status="RUNNING")
        else:
            number = str(self._client.create_run(self._experiment, run_name=self._name).info.run_id)
            with replacing(self._file) as beside:
                beside.write_text(json.dumps({"address": self._address, "run_id": number}) + "\n", "utf-8")
        if not self._client.get_run(number).data.params:  # new, or the server failed between the two
            parameter = self._package.entities.Param
            values = [parameter(name, str(value)) for name, value in flat(self._recipe.as_dict())]
            self._client.log_batch(number, params=values)
        self._number = number  # last: a server that fails before is asked all of it again

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """A server that fails for a while must not end a night's training: a line says so."""
        try:
            yield
        except Exception as error:
            print(f"regnety: mlflow {self._address}: {one_line(error)}", file=sys.stderr, flush=True)


def figures_of(row: Row) -> list[tuple[str, float]]:
    """The columns of a row that are numbers, without the epoch itself."""
    return [(name, value) for name, value in row.items() if isinstance(value, int | float) and name != "epoch"]


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The values of nested tables by dotted names, as `--set` has them."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return found
