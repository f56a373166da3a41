"""`regnety inspect`: what it prints, with which exit status, whatever the file says of itself."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import SMALL_DESIGN, random_weights, small_bundle
from commands import on_terminal, one_line, python, regnety, regnety_here
from regnety import inspect_model
from regnety.export.conversion import convert_model
from regnety.files.safetensors_files import write_safetensors

REGNETY = [sys.executable, "-m", "regnety"]


def tensors() -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(np.array(value)) for key, value in weights().items()}


def weights() -> dict[str, Any]:
    return dict(random_weights(SMALL_DESIGN.architecture(4)))


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture
def training(tmp_path: Path) -> Path:
    content = {
        "epoch": 7,
        "arch": "regnety_002",
        "state_dict": {f"module.{key}": value for key, value in tensors().items()},
        "state_dict_ema": {
            **{f"module.{key}": value for key, value in tensors().items()},
            "n_averaged": torch.ones(()),
        },
        "args": {"num_classes": 4, "crop_pct": 0.9},
    }
    return save(content, tmp_path / "last.pth.tar")


def test_the_table(training: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "inspect", training)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"file              {training}\n"
        f"kind              torch zip, {training.stat().st_size / 1e6:,.1f} MB\n"
        "weights           under state_dict_ema; there is state_dict too\n"
        "arch              regnety_002\n"
        "epoch             7\n"
        "args.num_classes  4\n"
        "args.crop_pct     0.9\n"
        "names             timm, behind module.\n"
        "tensors           64: 55 float32, 9 int64\n"
        "passed over       n_averaged\n"
        "model             a design without a name\n"
        "design            depth=2, w0=16, wa=17.9, wm=2.0, group_width=8, bottleneck_multiplier=1.0, se_ratio=0.25, "
        "stem_width=32, stem_stride=2, stage_strides=None, group_min_ratio=0.0\n"
        "parameters        8,800\n"
        "classes           4\n"
        "input             3 channels, RGB\n"
        "missing           class names, preprocessing\n"
    )


def test_json_is_what_python_gives(training: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "inspect", training, "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == json.loads(json.dumps(inspect_model(training).as_dict()))


def test_blue_green_red_and_stages_one_by_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from regnety.architecture.design import AnyNetDesign
    from regnety.architecture.stages import StageDesign

    stages = tuple(StageDesign(width=width, depth=1, group_width=8) for width in (24, 16))
    bundle = small_bundle(design=AnyNetDesign(stages=stages))
    result = regnety_here(capfd, "inspect", convert_model(bundle, tmp_path / "x.pyth", to="pycls").path)
    rows = [line.split("  ", 1)[1].strip() for line in result.stdout.splitlines() if line.startswith(("input", " "))]
    assert rows == [
        "width=24, depth=1, bottleneck_multiplier=1.0, group_width=8, stride=2",
        "width=16, depth=1, bottleneck_multiplier=1.0, group_width=8, stride=2",
        "3 channels, BGR",
    ]


def test_a_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = small_bundle(provenance={"license": "cc0-1.0"}).save(tmp_path / "birds")
    lines = regnety_here(capfd, "inspect", folder).stdout.splitlines()
    assert lines[1].startswith("kind        regnety folder, safetensors, 0.")
    assert lines[1].endswith(" MB in 2 files")
    assert lines[2] == "license     cc0-1.0"
    assert not any(line.startswith("missing") for line in lines)


def test_exit_status(training: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.pth").write_text("hello")
    unusable = regnety_here(capfd, "inspect", tmp_path / "text.pth")
    assert (unusable.returncode, unusable.stderr) == (1, "")
    assert unusable.stdout.splitlines()[-1] == "problem  is not a file of weights; it looks like text"
    as_json = regnety_here(capfd, "inspect", tmp_path / "text.pth", "--format", "json")
    assert (as_json.returncode, json.loads(as_json.stdout)["problem"]) == (1, unusable.stdout.splitlines()[-1][9:])
    nothing = regnety_here(capfd, "inspect", tmp_path / "gone.pth")
    assert one_line(nothing) == f"{tmp_path}/gone.pth: no such file or folder"


HOSTILE = "\x1b[2J\x9b31m\u202e\r\n\ud800\x7f"
"""Clears a terminal, colours it, turns the direction of writing, breaks the line, and can be written nowhere."""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A file that says of itself what it should not."""
    content = {
        "arch": HOSTILE,
        "epoch": 10**18,
        "args": {"mean": [HOSTILE] * 8, "model": "x" * 200},
        "state_dict": {
            **{f"{HOSTILE}.{key}": value for key, value in tensors().items()},
            f"{HOSTILE * 1000}.n_averaged": torch.ones(()),
        },
    }
    path = tmp_path / f"{HOSTILE.replace(chr(0xD800), '')}.pth"
    with path.open("wb") as file:
        torch.save(content, file)
    return path


def test_nothing_of_a_file_has_power_over_the_terminal(hostile: Path) -> None:
    for arguments in ([hostile], [hostile, "--format", "json"]):
        result = regnety("inspect", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.replace("\n", "").isprintable()
    table = regnety("inspect", hostile).stdout.splitlines()
    assert [line.split("  ")[0] for line in table] == [
        *("file", "kind", "weights", "arch", "epoch", "args.model", "args.mean", "names", "tensors", "passed over"),
        *("model", "design", "parameters", "classes", "input", "missing"),
    ]
    shown = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in table}
    assert shown["arch"] == r"\x1b[2J\x9b31m\u202e\r\n\ud800\x7f"
    assert shown["args.model"] == f"{'x' * 50}…{'x' * 49}"
    assert all(len(value) < 200 for value in shown.values())


def test_provenance_of_a_folder_is_shortened_and_escaped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    provenance = {HOSTILE[:-2]: "y" * 5000, "n" * 5000: {"deep": ["z"] * 5000}}
    result = regnety_here(capfd, "inspect", small_bundle(provenance=provenance).save(tmp_path / "birds"))
    assert result.returncode == 0
    assert result.stdout.replace("\n", "").isprintable()
    assert max(map(len, result.stdout.splitlines())) < 300


def test_ten_thousand_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    many = {f"layer{number:05d}.total_ops": np.zeros((), np.float32) for number in range(10_000)}
    write_safetensors(tmp_path / "w.safetensors", {**weights(), **many})
    result = regnety_here(capfd, "inspect", tmp_path / "w.safetensors")
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("passed over"))
    assert line.endswith("layer00005.total_ops and 9994 more")


def test_a_terminal_shows_the_same(training: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = on_terminal([*REGNETY, "inspect", str(training)], 80)
    assert shown == regnety_here(capfd, "inspect", training).stdout


def test_it_never_imports_torch(training: Path) -> None:
    code = (
        "import sys\nfrom regnety.cli.main import run\n"
        "sys.argv = ['regnety', 'inspect', sys.argv[1]]\nassert run() == 0\n"
        "print(*({'torch', 'onnx', 'onnxruntime'} & sys.modules.keys()), file=sys.stderr)"
    )
    assert python(code, training).stderr == "\n"


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--format", "csv"]])
def test_wrong_command_lines_are_one_line(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert one_line(regnety_here(capfd, "inspect", *arguments)).endswith("(regnety inspect --help)")
