"""Class names from a user's own file: every form is read, and nothing is guessed."""

import csv
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import LABELS, small_bundle
from regnety import DataError, WeightsError, labels, read_labels
from regnety.bundle.label_files import with_found_labels

THREE = ("cat", "dog", "naïve 猫")
INDEXED = {str(index): name for index, name in enumerate(THREE)}
NO_HEADER = ", line 1: expected a header line with index,label, or one column of class names"
names = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff")).map(str.strip).filter(bool)
"""What may stand in a file; a byte order mark at its beginning is none of the first name's letters."""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def as_json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.txt", "cat\ndog\nnaïve 猫\n"),
        ("classes.txt", "cat\ndog\nnaïve 猫"),
        ("classes.txt", "\ufeff cat\r\ndog \r\nnaïve 猫\r\n"),
        ("classes.txt", "cat\rdog\rnaïve 猫\r"),
        ("obj.names", "cat\ndog\nnaïve 猫\n"),
        ("classes", "cat\ndog\nnaïve 猫\n"),
        ("classes.json", as_json(THREE)),
        ("classes.json", "\ufeff" + as_json(THREE)),
        ("classes.JSON", json.dumps(THREE)),
        ("classes.json", as_json(INDEXED)),
        ("classes.json", as_json(dict(reversed(INDEXED.items())))),
        ("classes.json", as_json({name: index for index, name in enumerate(THREE)})),
        ("config.json", as_json({"model_type": "regnet", "id2label": INDEXED, "label2id": {}})),
        ("config.json", as_json({"architecture": "regnety_002", "num_classes": 3, "label_names": THREE})),
        ("config.json", as_json({"pretrained_cfg": {"label_names": THREE}, "num_classes": 3})),
        ("config.json", as_json({"label_names": INDEXED, "label_descriptions": {}})),
        ("config.json", as_json({"num_classes": 3, "regnety": {"labels": THREE}, "id2label": {"0": "other"}})),
        ("classes.csv", "index,label\n0,cat\n1,dog\n2,naïve 猫\n"),
        ("classes.csv", "\ufeffIndex, Label\r\n2,naïve 猫\r\n0,cat\r\n1,dog\r\n"),
        ("classes.csv", "label,index\ndog,1\ncat,0\nnaïve 猫,2\n"),
        ("classes.csv", 'wnid,label,index\nn1,dog,1\nn2,"naïve 猫",2\nn0,cat, 0'),
        ("classes.csv", "label,wnid\ncat,n0\ndog,n1\nnaïve 猫,n2\n"),
        ("classes.csv", "label\ncat\ndog\nnaïve 猫\n"),
        ("classes.csv", 'cat\n"dog"\nnaïve 猫\n'),
    ],
)
def test_every_form_is_read(name: str, content: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, content)
    assert read_labels(path) == read_labels(str(path)) == THREE


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.csv", '"Eskimo dog, husky"\nwhite wolf', ("Eskimo dog, husky", "white wolf")),
        ("a.csv", "index,label\n0,index\n1,label", ("index", "label")),
        ("a.csv", "index,label\n0,1\n1,0", ("1", "0")),
        ("a.csv", "7up\n1984", ("7up", "1984")),
        ("a.json", '{"0": 0, "1": 1}', ("0", "1")),
        ("a.json", '{"1": "0", "0": "1"}', ("1", "0")),
        ("a.txt", "label\nindex", ("label", "index")),
        ("a.txt", "a\u2028b\x0bc".replace("\x0b", "\u2029"), ("a\u2028b\u2029c",)),
        ("a.txt", "crane\nmaillot\ncrane", ("crane", "maillot", "crane")),
        ("a.txt", "0", ("0",)),
        ("a.txt", "cre\u0300me\nbru\u0302le\u0301e", ("cr\u00e8me", "br\u00fbl\u00e9e")),
        ("a.json", '["cre\\u0300me"]', ("cr\u00e8me",)),
    ],
)
def test_what_looks_like_something_else(name: str, content: str, wanted: tuple[str, ...], tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, name, content)) == wanted


def test_the_config_of_a_bundle_and_the_names_of_imagenet(tmp_path: Path) -> None:
    assert read_labels(small_bundle().save(tmp_path / "bundle") / "config.json") == LABELS
    path = write(tmp_path, "imagenet.txt", "\n".join(labels("imagenet-12k")))
    assert read_labels(path) == labels("imagenet-12k")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", ": has no class names"),
        ("a.txt", "\n", ", line 1: has no name; give one to every class"),
        ("a.txt", "cat\n\ndog\n", ", line 2: has no name; give one to every class"),
        ("a.txt", "cat\n \t\n", ", line 2: has no name"),
        ("a.txt", "cat\ndog\n\n", ", line 3: has no name"),
        ("a.txt", "cat\nn02084071\tdog", ", line 2: 'n02084071\\tdog' has control characters"),
        ("a.txt", b"cat\nna\xefve\n", ", line 2: is not UTF-8; save it as UTF-8 text"),
        ("a.txt", "cat\ndog".encode("utf-16"), ", line 1: is not UTF-8"),
        ("a.txt", b"\x80\x02}q\x00", ", line 1: is not UTF-8"),
        ("a.txt", b"PK\x03\x04" + bytes(99), ", line 1: 'PK\\x03\\x04\\x00"),
        ("a.json", "", ", line 1: is not JSON: Expecting value"),
        ("a.json", '["cat",\n"dog"\n', ", line 3: is not JSON: Expecting ',' delimiter"),
        ("a.json", '["cat", "dog"] x', ", line 1: is not JSON: Extra data"),
        ("a.json", "[" * 200_000, ": is not JSON of class names: "),
        ("a.json", '{"a":' * 200_000, ": is not JSON of class names: "),
        ("a.json", '{"cat": ' + "9" * 5000 + "}", ": is not JSON of class names: "),
        ("a.json", "[]", ": has no class names"),
        ("a.json", "{}", ": has no class names"),
        ("a.json", '"cat"', ": has no class names; expected a list of names, "),
        ("a.json", "[1, 2]", ": has no class names; expected "),
        ("a.json", '["cat", null]', ": has no class names; expected "),
        ("a.json", '["cat", " "]', ", index 1: has no name; give one to every class"),
        ("a.json", '["cat", "a\\nb"]', ", index 1: 'a\\nb' has control characters"),
        ("a.json", '["\\ud83d"]', ", index 0: '\\ud83d' has control characters"),
        ("a.json", '{"0": ["n02084071", "dog"]}', ": has no class names; expected "),
        ("a.json", '{"0": "cat", "1": 1}', ": has no class names; expected "),
        ("a.json", '{"cat": true}', ": has no class names; expected "),
        ("a.json", '{"cat": 0.0}', ": has no class names; expected "),
        ("a.json", '{"cat": -1}', ", key 'cat': '-1' is not an index; indices are whole numbers from 0"),
        ("a.json", '{"cat": 0, "dog": 0}', ", key 'dog': index 0 is already 'cat'; give each index once"),
        ("a.json", '{"0": "cat", "0": "dog"}', ": has the key '0' twice"),
        ("a.json", '{"0": "cat", "00": "dog"}', ", key '00': index 0 is already 'cat'"),
        ("a.json", '{"0": "cat", "2": "dog"}', ": has no name for index 1; give one to every index from 0 to 2"),
        ("a.json", '{"1": "cat", "2": "dog"}', ": has no name for index 0; give one to every index from 0 to 2"),
        (
            "a.json",
            '{"0": "cat", "999999999": "dog"}',
            ": has no name for index 1; give one to every index from 0 to 999999999",
        ),
        ("a.json", '{"0": "cat", "9999999999": "dog"}', ", key '9999999999': '9999999999' is not an index"),
        ("a.json", '{"\u0660": "cat"}', ", key '\u0660': '\u0660' is not an index"),
        ("config.json", '{"model_type": "regnet", "num_labels": 2}', ": has no class names; expected "),
        ("config.json", '{"regnety": {"labels": null}}', ": has no class names; expected "),
        ("config.json", '{"id2label": {"0": "a", "2": "b"}}', ": has no name for index 1"),
        ("a.csv", "", ": has no class names"),
        ("a.csv", "label\n", ": has no class names"),
        ("a.csv", "index,label\n", ": has no class names"),
        ("a.csv", "1,2,3\n", NO_HEADER),
        ("a.csv", "0,cat\n1,dog\n", NO_HEADER),
        ("a.csv", "id,name\n0,cat\n", NO_HEADER),
        ("a.csv", "index,label\n1,dog,hound\n", ", line 2: expected 2 columns as in the first line, got 3"),
        ("a.csv", "cat\n\ndog\n", ", line 2: expected 1 column as in the first line, got 0"),
        ("a.csv", "index,label\n1.0,dog\n", ", line 2: '1.0' is not an index; indices are whole numbers from 0"),
        ("a.csv", "index,label\n0,cat\n0,dog\n", ", line 3: index 0 is already 'cat'; give each index once"),
        ("a.csv", "index,label\n0,cat\n3,dog\n", ": has no name for index 1; give one to every index from 0 to 3"),
        ("a.csv", "index,label\n0,\n", ", line 2: has no name; give one to every class"),
        ("a.csv", '0,"cat\n1,dog\n', ", line 2: is not CSV: unexpected end of data"),
        ("a.csv", "cat\n" + "x" * 200_000, ", line 2: is not CSV: field larger than field limit"),
        ("a.csv", '"cat\n"\n"black\ndog"\n', ", line 4: 'black\\ndog' has control characters"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError) as error:
        read_labels(path)
    text = str(error.value)
    assert text.startswith(f"{path}{message}")
    assert "\n" not in text
    assert len(text) < len(str(path)) + 250


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room
    with pytest.raises(DataError, match=r"huge.txt: is over 4 MiB, too large for class names$"):
        read_labels(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero, a file without an end")
def test_a_file_without_an_end_has_one_for_us(tmp_path: Path) -> None:
    with (tmp_path / "long.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match=r"long\.txt: is over 4 MiB"):
        read_labels(tmp_path / "long.txt")
    with pytest.raises(DataError, match=r"^/dev/zero: is a device or a pipe, not a file; expected "):
        read_labels("/dev/zero")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing.txt: No such file or directory; expected a file of class names$"):
        read_labels(tmp_path / "nothing.txt")
    with pytest.raises(DataError, match=r"expected a file of class names$"):
        read_labels(tmp_path)


@given(st.lists(names, min_size=1))
def test_names_come_back_from_every_form(written: list[str]) -> None:
    rows = io.StringIO()
    csv.writer(rows).writerows([("label", "index"), *((name, index) for index, name in enumerate(written))])
    contents = {
        "a.txt": "\n".join(written),
        "a.json": json.dumps({str(index): name for index, name in enumerate(written)}),
        "a.csv": rows.getvalue(),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            assert read_labels(write(Path(folder), name, content)) == tuple(normalize("NFC", one) for one in written)


@given(st.sampled_from([".txt", ".json", ".csv"]), st.binary() | st.text().map(str.encode))
def test_any_bytes_are_names_or_one_line(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), f"a{suffix}", content)
        try:
            found, message = read_labels(path), ""
        except DataError as error:
            found, message = (), str(error)
        assert found or message.startswith(str(path))
        assert "\n" not in message
        assert all(name == name.strip() != "" and name.encode("utf-8") for name in found)


def test_names_for_another_number_of_classes_are_said_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a\nb\n")
    bundle = small_bundle()
    for named, advice in (
        (tmp_path / "two.txt", "; write one name per line, in the model's order"),
        ("imagenet-1k", ""),
    ):
        has = f"has {2 if advice else 1000} class names, {bundle.name} has {len(LABELS)} classes"
        with pytest.raises(WeightsError) as error:
            with_found_labels(bundle, named)
        assert str(error.value) == f"{named}: {has}{advice}"
