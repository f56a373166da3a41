"""The paper is cited alike in CITATION.cff, in the README, on every card and, but for a name, on the model page."""

import re
from pathlib import Path
from typing import Any

import yaml

from regnety import model_card
from regnety.catalog.model_page import CITATION
from regnety.version import __version__

ROOT = Path(__file__).parent.parent
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
AUTHORS = ["Ilija Radosavovic", "Raj Prateek Kosaraju", "Ross Girshick", "Kaiming He", "Piotr Dollár"]


def bibtex(markdown: str) -> str:
    """The only block of BibTeX, without spaces at the ends of lines."""
    (block,) = re.findall(r"^```bibtex\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    return re.sub(r" +$", "", block, flags=re.MULTILINE)


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^ +(\w+)=\{(.*)\}", text, re.MULTILINE))


def test_readme_and_cards_have_the_same_bibtex() -> None:
    texts = [
        (ROOT / "README.md").read_text("utf-8"),
        *(model_card(name) for name in ("regnety_032", "regnety_cifar10")),
    ]
    for text in texts:
        assert bibtex(text) == CITATION


def test_the_model_page_has_it_too_but_for_a_name(shared: Path) -> None:
    cited = bibtex((shared / "spec" / "regnety.md").read_text("utf-8"))
    misspelt = "Dollár".encode().decode("latin-1")
    assert cited.count(misspelt) == 1
    assert cited.replace(misspelt, "Dollár") == CITATION


def test_the_authors_are_the_papers() -> None:
    paper = fields(CITATION)
    assert paper["author"].split(" and ") == AUTHORS
    (reference,) = CFF["references"]
    assert [f"{author['given-names']} {author['family-names']}" for author in reference["authors"]] == AUTHORS
    assert (reference["title"], str(reference["year"])) == (paper["title"], paper["year"])
    (identifier,) = reference["identifiers"]
    assert identifier["value"] == f"{paper['archivePrefix']}:{paper['eprint']}"
    assert reference["url"] == f"https://arxiv.org/abs/{paper['eprint']}"


def test_the_software_is_this_one() -> None:
    assert (CFF["title"], CFF["type"], CFF["version"], CFF["license"]) == (
        "regnety",
        "software",
        __version__,
        "Apache-2.0",
    )
    assert CFF["authors"] == [{"name": "The regnety authors"}]


def test_it_is_citation_file_format() -> None:
    """What the schema of 1.2.0 demands, and the keys that it allows, of those that could stand here."""

    def check(values: dict[str, Any], required: set[str], allowed: set[str]) -> None:
        assert required <= values.keys() <= required | allowed

    check(
        CFF,
        {"cff-version", "message", "title", "authors"},
        {"abstract", "date-released", "doi", "keywords", "license", "references", "type", "url", "version"},
    )
    assert CFF["cff-version"] == "1.2.0"
    assert all(isinstance(CFF[key], str) for key in ("message", "title", "abstract", "version"))
    for reference in CFF["references"]:
        check(reference, {"type", "title", "authors"}, {"doi", "identifiers", "url", "year"})
        assert reference["type"] == "article"
        assert type(reference["year"]) is int
        for author in reference["authors"]:
            check(author, {"given-names", "family-names"}, set())
        for identifier in reference["identifiers"]:
            check(identifier, {"type", "value"}, {"description"})
            assert identifier["type"] in ("doi", "url", "swh", "other")
