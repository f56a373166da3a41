"""The photographs of a report: which ones, how large, and upright."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictures import photograph
from regnety import Bundle
from regnety.reports.class_maps import class_maps_of
from regnety.reports.content import ScoredPhotographs, SuspectLabel
from regnety.reports.pictures import LONGEST_SIDE, encoded_pixels, with_pictures
from report_contents import content, scored


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_photograph_is_whole_small_and_upright(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"wide{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    photograph(640, 320).save(file, exif=exif)
    answers = ScoredPhotographs(split="test", names=("a", "b"), targets=np.array([0, 1]), predictions=np.array([1, 1]))
    shown = with_pictures(content(answers), {"a": file, "b": tmp_path / "none.jpg"})
    assert list(shown.pictures) == ["a"]  # b is no mistake, and is not read
    assert opened(shown.pictures["a"].photograph).size == (LONGEST_SIDE // 2, LONGEST_SIDE)
    assert shown.pictures["a"].class_map is None


def test_a_photograph_that_is_gone_is_left_out(tmp_path: Path) -> None:
    answers = ScoredPhotographs(split="test", names=("a", "b"), targets=np.array([0, 1]), predictions=np.array([1, 0]))
    photograph(40, 30).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"no image")
    shown = with_pictures(content(answers), {"a": tmp_path / "a.png", "b": tmp_path / "b.png"})
    assert {name: opened(picture.photograph).size for name, picture in shown.pictures.items()} == {"b": (40, 30)}


def test_class_maps_are_of_the_answer_and_of_the_suggestion() -> None:
    asked: list[tuple[int, int]] = []

    def maps(images: object, classes: object) -> list[np.ndarray | None]:
        asked.extend(zip((int(np.asarray(image)[0, 0, 0]) for image in images), classes, strict=True))
        return [None, *[np.full((8, 8, 3), 200, np.uint8)] * (len(asked) - 1)]

    answers = ScoredPhotographs(
        split="test",
        names=("a", "b", "c"),
        targets=np.array([0, 1, 2]),
        predictions=np.array([1, 2, 2]),
        confidences=np.array([0.5, 0.75, 1], np.float32),
    )
    suspect = SuspectLabel(name="d", label=0, suggestion=2, self_confidence=0.125, prob=0.5)
    sources = {name: np.full((9, 9, 3), number, np.uint8) for number, name in enumerate("abcd")}
    shown = with_pictures(content(answers, suspects=(suspect,)), sources, class_maps=maps)
    assert asked == [(1, 2), (0, 1), (3, 2)]  # the surest mistake first
    assert {name: picture.class_map is None for name, picture in shown.pictures.items()} == {
        "b": True,
        "a": False,
        "d": False,
    }


def test_a_models_own_class_maps_fit() -> None:
    answers = scored(12, classes=10, sure=0)
    sources = {name: np.asarray(photograph(48, 40, seed=number)) for number, name in enumerate(answers.names)}
    wrong = [name for name, right in zip(answers.names, answers.right, strict=True) if not right]
    maps = class_maps_of(Bundle.load("regnety_cifar10"))
    shown = with_pictures(content(answers, classes=10), sources, class_maps=maps)
    assert sorted(shown.pictures) == sorted(wrong)
    for picture in shown.pictures.values():
        assert picture.class_map is not None
        assert opened(picture.class_map).size == (LONGEST_SIDE, LONGEST_SIDE)


def test_pixels_of_any_shape_are_encoded() -> None:
    assert opened(encoded_pixels(np.zeros((3, 900, 3), np.uint8))).size == (LONGEST_SIDE, 1)
    turned = np.zeros((4, 7, 3), np.uint8)[::-1, ::-1]
    assert opened(encoded_pixels(turned)).size == (7, 4)
