"""Addresses of MODEL: schemes, repositories and revisions."""

from contextlib import suppress

import pytest
from huggingface_hub.utils import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

import designs
from regnety.catalog.addresses import parse_hub_address
from regnety.errors import UnknownModelError


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf-hub:timm/regnety_032.tv2_in1k", ("timm/regnety_032.tv2_in1k", None)),
        ("timm/a", ("timm/a", None)),
        ("hf-hub:a/b@v1.0", ("a/b", "v1.0")),
        ("hf-hub:a/b@refs/pr/1", ("a/b", "refs/pr/1")),
    ],
)
def test_addresses(address: str, parts: tuple[str, str | None]) -> None:
    assert parse_hub_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        *("", "hf-hub:", "hf-hub:a", "hf-hub:a/b/c", "hf-hub:a/b@", "hf-hub:ä/b", "hf-hub:a/b c"),
        *("hf-hub:../b", "hf-hub:a/b.", "hf-hub:a/-b", "hf-hub:a/b--c", "hf-hub:a/b..c", "hf-hub:a/b.git"),
        *(f"hf-hub:a/{'b' * 97}", f"hf-hub:{'a' * 97}/b"),
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(
        UnknownModelError, match=r"is not a repository of the Hub; expected hf-hub:OWNER/NAME\[@REVISION\]$"
    ):
        parse_hub_address(address)


@designs.examples(300)
@given(st.text("aB0_.-/", min_size=1, max_size=12))
def test_the_library_takes_every_address_that_is_one(address: str) -> None:
    with suppress(UnknownModelError):
        validate_repo_id(parse_hub_address(address)[0])
