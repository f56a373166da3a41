"""TensorBoard's files and MLflow's runs have every row once, whatever became of the run."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands import one_line, regnety
from pictures import write_colours
from regnety import RecipeError
from regnety.training.recipes.recipe import Recipe
from regnety.training.watching import MlflowRun, TensorBoardFiles, flat
from runs import command, metrics_of, run

HISTORY = [
    {"epoch": epoch, "lr": 0.1, "train_loss": 1 / epoch, "val_top1": 50.0 + epoch, "seconds": 2.0, "weights": "last"}
    for epoch in (1, 2, 3)
]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard would show, read from the records of all files: 8 bytes of length, 4, the event, 4."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="needs tensorboardX: make test installs it")
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        data = file.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            event = event_pb2.Event.FromString(data[12 : 12 + length])
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
            data = data[16 + length :]
    return found


def test_tensorboard_shows_every_epoch_once_after_a_resume(tmp_path: Path) -> None:
    package = pytest.importorskip("tensorboardX", reason="needs tensorboardX: make test installs it")
    first = TensorBoardFiles(tmp_path / "tensorboard", package)
    first.update(HISTORY[:1])
    first.update(HISTORY[:2])  # killed after it
    again = TensorBoardFiles(tmp_path / "tensorboard", package)
    again.update(HISTORY)
    again.finish()
    found = scalars(tmp_path / "tensorboard")
    assert set(found) == {"lr", "train_loss", "val_top1", "seconds"}
    assert found["train_loss"] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert found["val_top1"] == [(1, 51.0), (2, 52.0), (3, 53.0)]


def test_a_run_writes_tensorboards_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs tensorboardX: make test installs it")
    data, output = write_colours(tmp_path / "data", count=6), tmp_path / "run"
    run(data, output, "epochs=2", tensorboard=True)
    run(data, output, "epochs=3", tensorboard=True, resume=True)
    found = scalars(output / "tensorboard")
    rows = metrics_of(output)
    assert [step for step, _ in found["train_loss"]] == [1, 2, 3]
    assert [value for _, value in found["train_loss"]] == pytest.approx([row["train_loss"] for row in rows])


class Server:
    """MLflow's client, with the runs in memory."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.is_down = False
        entities = SimpleNamespace(
            Metric=lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step),
            Param=lambda key, value: SimpleNamespace(key=key, value=value),
        )
        self.package = SimpleNamespace(MlflowClient=lambda tracking_uri: self, entities=entities)

    def get_experiment_by_name(self, name: str) -> Any:
        self._answer()
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, "7")

    def create_run(self, experiment: str, run_name: str) -> Any:
        self._answer()
        number = str(len(self.runs))
        self.runs[number] = {
            "experiment": experiment,
            "name": run_name,
            "params": {},
            "metrics": [],
            "status": "RUNNING",
        }
        return SimpleNamespace(info=SimpleNamespace(run_id=number))

    def log_batch(self, number: str, metrics: Any = (), params: Any = ()) -> None:
        self._answer()
        self.runs[number]["metrics"] += [(metric.key, metric.step, metric.value) for metric in metrics]
        self.runs[number]["params"] |= {param.key: param.value for param in params}

    def get_run(self, number: str) -> Any:
        self._answer()
        return SimpleNamespace(data=SimpleNamespace(params=dict(self.runs[number]["params"])))

    def get_metric_history(self, number: str, key: str) -> Any:
        self._answer()
        return [SimpleNamespace(step=step) for name, step, _ in self.runs[number]["metrics"] if name == key]

    def update_run(self, number: str, status: str) -> None:
        self.runs[number]["status"] = status

    def set_terminated(self, number: str) -> None:
        self.runs[number]["status"] = "FINISHED"

    def _answer(self) -> None:
        if self.is_down:
            raise ConnectionError("no answer\nfrom the server")


def test_mlflow_has_every_epoch_once_after_a_resume_and_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, recipe = Server(), Recipe(name="x", seed=3)
    MlflowRun(tmp_path, recipe, "http://here", server.package).update(HISTORY[:1])  # killed after it
    again = MlflowRun(tmp_path, recipe, "http://here", server.package)
    server.is_down = True
    again.update(HISTORY[:2])
    assert capsys.readouterr().err == "regnety: mlflow http://here: no answer from the server\n"
    server.is_down = False
    again.update(HISTORY)
    again.finish()
    (found,) = server.runs.values()
    assert (found["experiment"], found["name"], found["status"]) == ("7", tmp_path.name, "FINISHED")
    assert [entry for entry in found["metrics"] if entry[0] == "val_top1"] == [
        ("val_top1", 1, 51.0),
        ("val_top1", 2, 52.0),
        ("val_top1", 3, 53.0),
    ]
    assert (found["params"]["seed"], found["params"]["optimizer.lr"]) == ("3", "0.1")
    assert json.loads((tmp_path / "mlflow.json").read_text())["run_id"] == "0"
    MlflowRun(tmp_path, recipe, "http://there", server.package).update(HISTORY)
    assert len(server.runs) == 2  # another server knows nothing of the first


def test_an_address_that_does_not_answer_is_refused_before_the_run(tmp_path: Path) -> None:
    server = Server()
    server.is_down = True
    with pytest.raises(RecipeError, match=r"^mlflow http://here: no answer"):
        MlflowRun(tmp_path, Recipe(name="x"), "http://here", server.package)


@pytest.mark.parametrize(
    ("option", "package", "extra"), [("--tensorboard", "tensorboardX", "torch"), ("--mlflow=x", "mlflow", "mlflow")]
)
def test_a_missing_package_is_named_before_anything_is_written(
    option: str, package: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / f"{package}.py").write_text(f"raise ModuleNotFoundError('none', name={package!r})")
    data, output = write_colours(tmp_path / "data", count=6), tmp_path / "run"
    line = one_line(regnety(*command(data, output), option, PYTHONPATH=str(tmp_path / "absent")))
    assert f"needs an extra: pip install '.[{extra}]'" in line
    assert not output.exists()


def test_flat_names_are_those_of_set() -> None:
    assert flat({"a": 1, "b": {"c": None, "d": {"e": 2}}}) == [("a", 1), ("b.c", None), ("b.d.e", 2)]


@pytest.mark.parametrize("failing", ["get_run", "get_metric_history", "update_run", "log_batch"])
def test_mlflow_has_all_of_a_run_whenever_the_server_fails(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, recipe = Server(), Recipe(name="x", seed=3)

    def down(*_: Any, **__: Any) -> Any:
        raise ConnectionError("no answer")

    for history in (HISTORY[:1], HISTORY):  # begun, and resumed
        watcher = MlflowRun(tmp_path, recipe, "http://here", server.package)
        with monkeypatch.context() as patch:
            patch.setattr(server, failing, down)
            watcher.update(history[:-1])
        watcher.update(history)
    (found,) = server.runs.values()
    assert [step for key, step, _ in found["metrics"] if key == "val_top1"] == [1, 2, 3]
    assert (found["params"]["seed"], found["params"]["epochs"]) == ("3", "100")
