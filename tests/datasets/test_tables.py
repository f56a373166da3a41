"""Tables of path and label. The images stay empty, as none of them is opened."""

from pathlib import Path

import pytest

from regnety import check_data
from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cat/1.jpg", 'cat/2 "grey", old.jpg', "dog/Ä 1.jpg", "out.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def read(folder: Path, text: str | bytes, name: str = "labels.csv") -> DataSet:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_data_set(folder / name)


def rows(data: DataSet, split: str = ".") -> list[tuple[str, str, str | None]]:
    splits = data.training()
    return [(splits.name_of(sample), sample.label, sample.group) for sample in data.splits[split]]


TABLE = 'path,label\ncat/1.jpg,cat\n"cat/2 ""grey"", old.jpg",cat\ndog/Ä 1.jpg,dog\n'
ROWS = [("cat/1.jpg", "cat", None), ('cat/2 "grey", old.jpg', "cat", None), ("dog/Ä 1.jpg", "dog", None)]


@pytest.mark.parametrize(
    "text",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        TABLE.replace("\n", "\r\n").encode(),
        b"sep=,\r\n" + TABLE.encode(),
        ('number;File Name;Class\n1;cat/1.jpg;cat\n2;"cat/2 ""grey"", old.jpg";cat\n\n;dog\\Ä 1.jpg;dog').encode(),
        'image\tcategory\ncat/1.jpg\tcat\n"cat/2 ""grey"", old.jpg"\t cat \ndog/A\u0308 1.jpg\tdog\n'.replace(
            "A\u0308", "Ä"
        ).encode(),
    ],
)
def test_tables_as_programs_write_them(text: bytes, photos: Path) -> None:
    data = read(photos, text)
    assert rows(data) == ROWS
    assert not data.notices
    assert data.training().classes == ("cat", "dog")
    assert data.evaluation() == data.evaluation(".") == data.splits["."]


def test_splits_and_groups(photos: Path) -> None:
    text = (
        "path,label,split,group\ncat/1.jpg,1,train,anna\ndog/Ä 1.jpg,01,Train,\n"
        f"{photos}/out.jpg,1,Validation,bo\ncat/1.jpg,1,train,anna\n"
    )
    data = read(photos, text)
    assert [*data.splits] == ["train", "val"]
    assert rows(data, "train") == [("cat/1.jpg", "1", "anna"), ("dog/Ä 1.jpg", "01", None)]
    assert rows(data, "val") == [("out.jpg", "1", "bo")]
    assert data.training().classes == ("01", "1")
    assert data.evaluation() == data.evaluation("validation") == data.splits["val"]
    table = photos / "labels.csv"
    assert data.notices == [
        f"{table}: 1 row repeats an image and its label: cat/1.jpg (line 2 and line 5); each image counts once"
    ]
    with pytest.raises(DataError, match=r"has no split 'night'; it has train, val$"):
        data.evaluation("night")


def test_paths_may_lead_out_of_the_folder_and_a_notice_says_so(photos: Path) -> None:
    (photos / "tables").mkdir()
    data = read(photos / "tables", "path,label\n../cat/1.jpg,cat\n../dog/Ä 1.jpg,dog\n")
    assert [sample.image.exists() for sample in data.evaluation()] == [True, True]
    assert data.notices == [f"{photos}/tables/labels.csv: 2 paths lead out of its folder: ../cat/1.jpg"]


def test_the_label_of_a_table_of_answers_is_the_true_one(photos: Path) -> None:
    text = "filename,true_label,label,prob,correct,error\ncat/1.jpg,cat,dog,0.9,false,\nout.jpg,dog,dog,0.8,true,\n"
    assert [label for _, label, _ in rows(read(photos, text))] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it needs a line path,label"),
        ("path,label\n", "has no rows; each names an image and its label"),
        ("a,label\ncat/1.jpg,b\n", "has no column for the path; its first line must name it 'path'"),
        ("cat/1.jpg,cat\ndog/1.jpg,dog\n", "has no column for the path"),
        ("path,kind\ncat/1.jpg,b\n", "has no column for the label; its first line must name it 'label'"),
        ("path,class,category\ncat/1.jpg,a,b\n", "which column is the label: class, category? Name that one 'label'"),
        ("path,path,label\ncat/1.jpg,a,b\n", "has two columns named 'path'"),
        ("path,label\ncat/1.jpg,\n", "line 2 has no label"),
        ("path,label\n ,cat\n", "line 2 has no path"),
        ("path,label,split\ncat/1.jpg,cat, \n", "line 2 has no split"),
        ("path,label\n\ncat/1.jpg\n", "line 3 has 1 of 2 columns: cat/1.jpg"),
        (
            "path,label\n1.jpg,red, ripe\n",
            "line 2 has 3 of 2 columns: 1.jpg,red, ripe; put a value with a ',' in it into quotes",
        ),
        ('path,label\n"cat/1.jpg,cat\n', "line 2 is no row of a table: unexpected end of data"),
        (
            "path,label\ncat/1.jpg,cat\n./cat/1.jpg,dog\n",
            "cat/1.jpg has two labels, 'cat' (line 2) and 'dog' (line 3)",
        ),
        (
            "path,label,split\ncat/1.jpg,cat,train\ncat/1.jpg,cat,test\n",
            "cat/1.jpg has two splits, 'train' (line 2) and 'test' (line 3)",
        ),
        ("path,label\n1.jpg,cat\n2.jpg,dog\n", "none of its 2 images is there, the first would be "),
        ("path,label\ncat/1.jpg,café\n".encode("latin-1"), "line 2 is not UTF-8; save the table as CSV (UTF-8)"),
        (b"PK\x03\x04", "is a spreadsheet's or another zip file, not text; save it as CSV (UTF-8)"),
    ],
)
def test_a_bad_table_is_one_line(text: str | bytes, message: str, photos: Path) -> None:
    with pytest.raises(DataError) as error:
        read(photos, text)
    said = str(error.value).replace(": ./cat", ": cat")
    assert said.startswith(f"{photos}/labels.csv: {message}")
    assert "\n" not in said


def test_groups_in_two_splits_are_found(photos: Path) -> None:
    (photos / "labels.csv").write_text(
        "path,label,split,group\ncat/1.jpg,cat,train,anna\ndog/Ä 1.jpg,dog,test,anna\nout.jpg,dog,train,bo\n", "utf-8"
    )
    found = {finding.title: finding for finding in check_data(photos / "labels.csv", quiet=True).findings}
    assert found["groups in two splits"].examples == (("anna",),)
    assert found["groups in two splits"].text.startswith("1 group in more than one split, so that accuracy is")
