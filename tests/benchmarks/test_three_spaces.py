"""The study of three spaces, in small: pictures, the rule of the sweep, what the page says, and all of it together."""

import importlib.util
import json
import math
import runpy
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import colour, encoded
from populations import write_results
from regnety import DesignSpace, Population

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SPACES = ("anynetx_a", "regnetx", "regnety")
PAGE = "three-spaces.md"
FACTS = {
    "processor": "a processor, 2 cores, AVX2",
    "at_a_time": 2,
    "macs": [7.6e6, 8.4e6],
    "settings": ["image_size=32"],
    "varied": ["optimizer.lr=log:0.01:1"],
    "chosen": {"optimizer.lr": 0.12, "optimizer.weight_decay": 0.0003},
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a file of `benchmarks/` up to its functions, which are the answer."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return lambda name: runpy.run_path(str(BENCHMARKS / name))


def needs(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: make test-all installs it")


def write_archive(path: Path, count: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for label in ("blue", "green", "red"):
            for number in range(count):
                picture = encoded(colour(label, seed=number, width=32, height=32), "JPEG")
                archive.writestr(f"train/{label}/{number:04}.jpg", picture)
            archive.writestr(f"test/{label}/0000.jpg", b"never looked at")
    return path


def test_pictures_are_a_part_of_each_class(script: Any, tmp_path: Path) -> None:
    write_part = script("three_spaces_pictures.py")["write_part"]
    archive = write_archive(tmp_path / "cifar10.zip", 12)
    one, other, another = (
        write_part(archive, tmp_path / str(number), train=6, val=3, seed=seed) for number, seed in enumerate((0, 0, 1))
    )
    names = [sorted(path.relative_to(place).as_posix() for path in place.rglob("*.jpg")) for place in (one, other)]
    assert names[0] == names[1] != sorted(path.relative_to(another).as_posix() for path in another.rglob("*.jpg"))
    for label in ("blue", "green", "red"):
        train, val = ({path.name for path in (one / split / label).iterdir()} for split in ("train", "val"))
        assert (len(train), len(val), len(train & val)) == (6, 3, 0)
    picture = next((one / "val" / "red").iterdir())
    with zipfile.ZipFile(archive) as pictures:
        assert picture.read_bytes() == pictures.read(f"train/red/{picture.name}")
    picture.unlink()
    assert write_part(archive, tmp_path / "0", train=6, val=3) == one  # left as it is
    assert not picture.exists()
    with pytest.raises(SystemExit, match="has 12 training pictures of blue, 13 are needed"):
        write_part(archive, tmp_path / "3", train=10, val=3)
    assert not (tmp_path / "3" / "cifar10-10-3").exists()


def test_values_come_from_the_best_quarter_of_each_space(script: Any, tmp_path: Path) -> None:
    needs("pyarrow")
    sweep = [Population.load(write_results(tmp_path / name, count=16, seed=seed)) for seed, name in enumerate(SPACES)]
    best = [each for population in sweep for each in sorted(population, key=lambda each: each.error)[:4]]
    product = math.prod(each.trial.varied["optimizer.lr"] for each in best)
    functions = script("three_spaces.py")
    assert functions["best_values"](sweep) == {"optimizer.lr": pytest.approx(product ** (1 / 12), rel=0.05)}
    assert functions["plain"](0.00005) == "0.00005"
    assert functions["plain"](0.12) == "0.12"


def test_every_network_is_in_the_band(script: Any) -> None:
    needs("pyarrow")
    space_of = script("three_spaces.py")["space_of"]
    for name in SPACES:
        designs = space_of(name, 10).sample(48, seed=0)
        assert len(designs) == 48
        assert designs.columns["macs"].min() >= 7.6e6
        assert designs.columns["macs"].max() <= 8.4e6
        assert set(designs.columns["num_stages"].tolist()) == {2, 3}
        assert designs[0].stem_stride == 1


def write_study(folder: Path, shifts: dict[str, float]) -> None:
    """Populations of a finished study, with drawn errors: as far apart as `shifts` says."""
    made: dict[str, Any] = {"num_stages": (2, 3), "stem_stride": 1, "image_size": 32, "num_classes": 10}
    made["macs"] = (7.6e6, 8.4e6)
    for name in SPACES:
        write_results(folder / f"{name}_sweep", count=8)
        space: DesignSpace = getattr(DesignSpace, name)(**made)
        for place, how in ((name, {"count": 24}), (f"{name}_seeds", {"count": 4, "repeat": 2, "seed": 0})):
            journal = write_results(folder / place, space=space, **how) / "journal.jsonl"
            records = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
            for record in records:
                for row in record["rows"]:
                    row["val_top1"] = round(row["val_top1"] - shifts[name], 2)
            journal.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


@pytest.mark.parametrize(
    ("shifts", "first", "pairs"),
    [
        ((30, 15, 0), "All of the paper's order shows here", ["is better than"] * 3),
        ((0, 15, 30), "The paper's order does not show here.", ["is worse than"] * 3),
        ((0, 0, 0), "The paper's order does not show here.", ["is not settled"] * 2),
        ((20, 0, 0), "A part of the paper's order shows here: 2 of 3", ["is better than"] * 2 + ["is not settled"]),
    ],
)
def test_the_page_says_what_the_results_say(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shifts: Any, first: str, pairs: list[str]
) -> None:
    needs("pyarrow", "scipy", "matplotlib", "torch")
    write_study(tmp_path, dict(zip(SPACES, shifts, strict=True)))
    results, page = tmp_path / "three_spaces.parquet", tmp_path / "page.md"
    functions = script("three_spaces_results.py")
    rows = functions["collected"](tmp_path, SPACES)
    for number, row in enumerate(rows):
        row["weight_decay"] = 10.0 ** -(2 + number % 4)  # which these populations do not vary
    functions["write_results"](results, rows, FACTS)
    assert functions["read_results"](results)[0] == rows
    monkeypatch.setattr(sys, "argv", ["three_spaces_page.py", str(results), str(page)])
    script("three_spaces_page.py")["main"]()
    text = page.read_text("utf-8")
    assert first in text
    verdict = text.partition("## What shows here")[2].partition("\n## ")[0]
    shown = [line for line in verdict.splitlines() if line.startswith("- ")]
    assert len(shown) == 3
    assert all(words in line for words, line in zip(pairs, shown, strict=False))
    means = {
        name: np.mean([row["error"] for row in rows if (row["part"], row["space"]) == ("designs", name)])
        for name in SPACES
    }
    found = means["regnetx"] - means["anynetx_a"]
    assert f"| RegNetX less AnyNetX_A | {found:+.1f} (" in text
    assert "nan" not in text
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("|"))
    for picture in ("edf", "lr"):
        assert f"](page-{picture}.png)" in text
        assert (tmp_path / f"page-{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_of_the_documentation_is_that_of_the_results(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("pyarrow", "scipy", "matplotlib")
    results, page = BENCHMARKS / "results" / "three_spaces.parquet", BENCHMARKS.parent / "docs" / "explanation" / PAGE
    if not results.exists() and not page.exists():
        pytest.skip("the study has neither results nor a page yet: there is nothing to compare")
    monkeypatch.setattr(sys, "argv", ["three_spaces_page.py", str(results), str(tmp_path / PAGE)])
    script("three_spaces_page.py")["main"]()
    assert (tmp_path / PAGE).read_text("utf-8") == page.read_text("utf-8")


def test_noise_and_shared_designs_by_hand(script: Any) -> None:
    needs("scipy")
    functions = script("three_spaces_figures.py")

    def row(part: str, space: str, design: int, error: float, **fields: Any) -> dict[str, Any]:
        text = json.dumps({"depth": design, **fields})
        return {"part": part, "space": space, "design": design, "error": error, "status": "done", "fields": text}

    rows = [row("designs", "regnetx", 1, 40.0), row("seeds", "regnetx", 1, 42.0), row("designs", "regnetx", 2, 50.0)]
    rows += [row("seeds", "regnetx", 2, error) for error in (53.0, 56.0)]
    noise = functions["noise_of"](rows)
    assert noise.designs == 2
    assert noise.deviation == pytest.approx(math.sqrt((2 + 18) / 3))
    assert functions["noise_of"](rows[:1]) is None
    rows += [row("designs", "regnety", number, 39.0, se_ratio=0.25) for number in (1, 2, 3)]
    paired = functions["with_and_without"](rows)
    assert (paired.count, paired.lower, paired.difference.value) == (2, 2, -6.0)
    sample, compared = functions["Sample"], functions["compared"]
    found = compared(sample("a", np.array([3.0, 4.0])), sample("b", np.array([2.0, 3.0])))
    assert found.wins == 0.875
    assert found.difference.value == -1


@pytest.mark.slow
def test_the_study_goes_on_where_it_was(tmp_path: Path) -> None:
    needs("torch", "pyarrow", "scipy", "matplotlib")
    archive, folder = write_archive(tmp_path / "cifar10.zip", 12), tmp_path / "study"
    command = [sys.executable, BENCHMARKS / "three_spaces.py", archive, folder, "--at-a-time", "2"]
    command += ["--train", "8", "--val", "4", "--batch-size", "8", "--epochs", "1", "--sweep-epochs", "1"]
    command += ["--swept", "2", "--designs", "3", "--repeated", "1"]

    def sitting(*options: str) -> str:
        result = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "stopped; the same command goes on" in sitting("--minutes", "0.00001")
    assert not list(folder.glob("*/journal.jsonl"))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not any(path.stat().st_size for path in folder.glob("*/journal.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        assert "stopped; the same command goes on" in process.communicate()[1]
    begun = {path: path.read_bytes() for path in folder.glob("*/journal.jsonl")}
    assert not (folder / "results.parquet").exists()
    assert "report.html" in sitting()  # nobody trains there any more
    assert all(path.read_bytes().startswith(lines) for path, lines in begun.items())
    rows, facts = runpy.run_path(str(BENCHMARKS / "three_spaces_results.py"))["read_results"](
        folder / "results.parquet"
    )
    assert [sum(row["part"] == part for row in rows) for part in ("sweep", "designs", "seeds")] == [12, 9, 6]
    assert {row["status"] for row in rows} == {"done"}
    assert {row["lr"] for row in rows if row["part"] != "sweep"} == {facts["chosen"]["optimizer.lr"]}
    assert {(row["seed"], row["design"]) for row in rows if row["part"] == "seeds"} == {(1, 0), (2, 0)}
    journals = {path: path.read_bytes() for path in folder.glob("*/journal.jsonl")}
    assert len(journals) == 9
    sitting()  # there is nothing to do
    assert journals == {path: path.read_bytes() for path in folder.glob("*/journal.jsonl")}
