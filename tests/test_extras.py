"""A package that is not there, and one that is and does not work: one line each, and never the same."""

import os
from pathlib import Path

import pytest

from commands import one_line, python, regnety
from pictures import smooth, write_colours
from regnety import EngineError, MissingExtraError
from regnety.extras import import_extra

LIBRARY = "libbroken.so.1: cannot open shared object file: No such file or directory"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each package in which it fails like one whose library is missing."""
    folder = tmp_path_factory.mktemp("broken")
    for name in ("pyarrow", "s3fs", "fsspec", "torch", "openvino", "nncf", "matplotlib", "ray", "onnxruntime", "yaml"):
        (folder / name / name).mkdir(parents=True)
        (folder / name / name / "__init__.py").write_text(f"raise ImportError('lib{name}.so.1:\\n  is missing')")
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    smooth(40, 30).save(path)
    return path


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("pyarrow", "predict PHOTO -q -o OUT/rows.parquet"),
        ("pyarrow", "embed PHOTO -q -o OUT/embeddings.parquet"),
        ("pyarrow", "duplicates PHOTO"),
        ("s3fs", "predict -q s3://bucket/photo.png"),
        ("s3fs", "predict PHOTO -q -o s3://bucket/rows.csv"),
        ("fsspec", "predict -q s3://bucket/photo.png"),
        ("torch", "predict PHOTO -q --engine torch"),
        ("torch", "train --data OUT --output OUT/run"),
        ("openvino", "predict PHOTO -q --engine openvino"),
        ("openvino", "export regnety_cifar10 -o OUT/model.xml"),
        ("nncf", "quantize regnety_cifar10 --calibrate OUT -o OUT/int8"),
        ("matplotlib", "describe regnety_002 --plot OUT/widths.png"),
        ("ray", "predict PHOTO -q --ray local"),
        ("onnxruntime", "predict PHOTO -q"),
        ("yaml", "card regnety_cifar10"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else value,
)
def test_a_broken_package_gives_its_own_reason(
    package: str, arguments: str, broken: Path, photo: Path, tmp_path: Path
) -> None:
    write_colours(tmp_path)
    words = [word.replace("PHOTO", str(photo)).replace("OUT", str(tmp_path)) for word in arguments.split()]
    line = one_line(regnety(*words, PYTHONPATH=str(broken / package)))
    reason = f"{package} is installed but cannot be imported: lib{package}.so.1: is missing; reinstall it"
    assert line.endswith(reason)
    assert "pip install" not in line


def test_where_nothing_is_asked_of_a_broken_package_it_is_not_missed(broken: Path, photo: Path) -> None:
    path = os.pathsep.join(str(broken / name) for name in ("torch", "openvino", "pyarrow", "yaml", "fsspec"))
    result = regnety("predict", photo, "--top-k", 1, "--format", "csv", "-q", PYTHONPATH=path)
    assert (result.returncode, result.stderr, result.stdout.count("\n")) == (0, "", 2)


@pytest.mark.parametrize("name", ["create_model", "create_transform"])
def test_in_python_it_is_the_same_line(name: str, broken: Path) -> None:
    code = f"import regnety\ntry: regnety.{name}\nexcept regnety.MissingExtraError as error: print(error)"
    result = python(code, PYTHONPATH=str(broken / "torch"))
    assert result.stdout == (
        f"{name}: torch is installed but cannot be imported: libtorch.so.1: is missing; reinstall it\n"
    )


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> str:
    name = f"broken_{folder.name.replace('-', '_')}"
    (folder / f"{name}.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(folder)
    return name


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import numpy.no_such_part", "No module named 'numpy.no_such_part'"),
        ("import no_such_package", "No module named 'no_such_package'"),
        ("from numpy import no_such_name", "cannot import name 'no_such_name' from 'numpy'"),
        (f"raise OSError({LIBRARY!r})", LIBRARY),
        ("raise RuntimeError('module compiled against\\nABI version 1')", "module compiled against ABI version 1"),
        ("raise ValueError", "ValueError"),
        ("1 / 0", "division by zero"),
        ("this is no Python", "invalid syntax"),
    ],
)
def test_whatever_it_raises_is_its_reason(
    line: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module(tmp_path, monkeypatch, line)
    with pytest.raises(MissingExtraError) as error:
        import_extra(name, feature="a plot", extra="plot")
    assert str(error.value).startswith(f"a plot: {name} is installed but cannot be imported: {reason}")
    assert "\n" not in str(error.value)
    with pytest.raises(EngineError, match=f"^{name} is installed but"):
        import_extra(name, feature="a plot", extra="plot", broken=EngineError)


def test_what_is_not_there_names_its_extra() -> None:
    for name in ("no_such_package", "no_such_package.part"):
        with pytest.raises(MissingExtraError) as error:
            import_extra(name, feature="a plot", extra="plot")
        assert str(error.value) == "a plot needs an extra: pip install '.[plot]' in a clone of regnety"
        assert error.value.extra == "plot"


def test_what_the_same_extra_brings_is_missing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, "import no_such_part")
    with pytest.raises(MissingExtraError, match="needs an extra"):
        import_extra(name, feature="--ray", extra="ray", parts=("no_such_part",))


def test_ctrl_c_within_an_import_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_extra(module(tmp_path, monkeypatch, "raise KeyboardInterrupt"), feature="a plot", extra="plot")


def test_a_package_that_regnety_cannot_do_without_is_named_where_it_is_missing() -> None:
    code = "import sys; sys.modules['yaml'] = None; from regnety.cli.main import main; main()"
    assert one_line(python(code, "card", "regnety_cifar10")) == (
        "yaml is not installed, and regnety needs it; reinstall regnety"
    )


def test_a_mistake_of_our_own_stays_a_traceback() -> None:
    code = "import sys; sys.modules['regnety.bundle.card'] = None; from regnety.cli.main import main; main()"
    result = python(code, "card", "regnety_cifar10")
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback")
