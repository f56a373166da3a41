"""Plain values into dataclasses: what is accepted, and what each refusal says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from regnety.errors import RecipeError, WeightsError
from regnety.plain_values import check_fields, field_names, from_plain


@dataclass(frozen=True, kw_only=True)
class Lens:
    focal_length: float


@dataclass(frozen=True, kw_only=True)
class Camera:
    name: str
    lens: Lens
    shutter: Literal["leaf", "plane"] = "leaf"
    pixels: tuple[int, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    digital: bool = True


VALUES = {"name": "F3", "lens": {"focal_length": 50}}


def test_tables_in_tables_become_dataclasses() -> None:
    camera = from_plain(Camera, {**VALUES, "pixels": [3, 4], "facts": {"a": 1}})
    assert camera == Camera(name="F3", lens=Lens(focal_length=50.0), pixels=(3, 4), facts={"a": 1})
    assert type(camera.lens.focal_length) is float
    assert from_plain(Camera, {**VALUES, "pixels": None}).pixels is None


def test_a_number_that_yaml_reads_as_a_text_is_one() -> None:
    assert from_plain(Lens, {"focal_length": "5e-5"}) == Lens(focal_length=5e-5)


def test_a_type_may_have_a_decoder_of_its_own() -> None:
    values = {**VALUES, "lens": 35.0}
    assert from_plain(Camera, values, decoders={Lens: lambda value: Lens(focal_length=value)}).lens.focal_length == 35


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "a camera must be a table of fields, got None"),
        ({}, "a camera lacks name, lens"),
        ({**VALUES, "colour": 1}, "a camera has no field 'colour'; it has name, lens.focal_length, shutter, "),
        ({**VALUES, "lens": {}}, "lens lacks focal_length"),
        ({**VALUES, "lens": {"focal_length": "50"}}, "lens.focal_length must be a number, got '50'"),
        ({**VALUES, "lens": {"focal_length": "one"}}, "lens.focal_length must be a number, got 'one'"),
        ({**VALUES, "lens": {"focal_length": 10**400}}, "lens.focal_length must be a number, got 1000"),
        ({**VALUES, "lens": {"focal_length": "1e999"}}, "lens.focal_length must be a number, got '1e999'"),
        ({**VALUES, "name": 3}, "name must be a text, got 3"),
        ({**VALUES, "name": None}, "name must be a text, got None"),
        ({**VALUES, "shutter": []}, "shutter must be one of leaf, plane, got []"),
        ({**VALUES, "pixels": "34"}, "pixels must be a list, got '34'"),
        ({**VALUES, "pixels": [3, True]}, "each of pixels must be a whole number, got True"),
        ({**VALUES, "facts": [1]}, "facts must be a table, got [1]"),
        ({**VALUES, "digital": 1}, "digital must be true or false, got 1"),
    ],
)
def test_what_is_refused_is_named(values: Any, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        from_plain(Camera, values, name="a camera", error=RecipeError)
    assert str(caught.value).startswith(message)


def test_fields_alone() -> None:
    check_fields(Lens, {"focal_length": "wide"}, name="a lens")
    with pytest.raises(WeightsError, match=r"^a lens lacks focal_length$"):
        check_fields(Lens, {}, name="a lens")
    assert field_names(Camera)[:3] == ["name", "lens.focal_length", "shutter"]
