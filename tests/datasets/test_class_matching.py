"""Which class a folder's name means."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from regnety.catalog.class_names import label_set_of, labels, wnids
from regnety.datasets.class_matching import ClassMatcher
from regnety.errors import DataError

NFC, NFD = "crème", "cre\u0300me"


def matcher(*names: str) -> ClassMatcher:
    return ClassMatcher(names, len(names), model="m")


def refusal(of: ClassMatcher, name: str) -> str:
    with pytest.raises(DataError) as error:
        of.index(name)
    return str(error.value)


@pytest.mark.parametrize(("known", "ambiguous"), [("imagenet-1k", 4), ("imagenet-12k", 1601)])
def test_every_wnid_every_index_and_every_name_that_one_class_has_means_its_class(known: str, ambiguous: int) -> None:
    names, count = labels(known), Counter(labels(known))
    of = matcher(*names)
    places = list(range(len(names)))
    assert [of.index(wnid) for wnid in wnids(known)] == places
    assert [of.index(str(number)) for number in places] == places
    alone = [number for number in places if count[names[number]] == 1]
    assert [of.index(names[number]) for number in alone] == alone
    shared = [number for number in places if count[names[number]] > 1]
    assert len(shared) == ambiguous
    for number in shared:
        assert wnids(known)[number] in refusal(of, names[number])
    assert len(set(of.names())) == len(names)


def test_two_cranes_and_how_to_name_them() -> None:
    of = matcher(*labels())
    assert refusal(of, "crane") == (
        "m has 2 classes named 'crane'; name the folder n02012849 (index 134) or n03126707 (index 517)"
    )
    assert refusal(of, "maillot").endswith("name the folder n03710637 (index 638) or n03710721 (index 639)")
    assert [of.index(name) for name in ("n02012849", "n03126707", "134", "517", "Samoyed")] == [134, 517, 134, 517, 258]
    assert (of.names()[134], of.names()[517], of.names()[0]) == ("crane (n02012849)", "crane (n03126707)", "tench")


def test_two_classes_of_one_name_in_a_model_of_ones_own() -> None:
    of = matcher("cat", "dog", "cat")
    assert refusal(of, "cat") == "m has 2 classes named 'cat'; name the folder 0 or 2"
    assert [of.index(name) for name in ("dog", "0", "2")] == [1, 0, 2]
    assert of.names() == ("cat (0)", "dog", "cat (2)")
    numbered = matcher("cat", "7", "cat")
    assert refusal(numbered, "cat") == "m has 2 classes named 'cat'; give them different names (--labels)"
    assert matcher("cat", "cat (0)", "cat").names() == ("cat (0) (0)", "cat (0)", "cat (2)")


def test_a_label_comes_before_a_wnid_and_a_wnid_before_an_index() -> None:
    assert matcher("n02012849", "n01440764").index("n02012849") == 0
    assert matcher(*labels()[:134], "n01440764", *labels()[135:]).index("n01440764") == 134
    assert matcher("b", "a").index("1") == 1


@pytest.mark.parametrize("number", ["7", "07", "1.5", "-3", "2,5", " 9 "])
def test_an_index_is_taken_only_where_no_label_is_a_number(number: str) -> None:
    of = matcher("cat", number, "dog")
    assert refusal(of, "2") == "m has no class named '2'"
    assert of.index(number) == 1


def test_an_index_is_written_in_digits_and_is_one_of_the_models() -> None:
    of = matcher("cat", "dog", "3 dogs")
    assert [of.index(name) for name in ("0", "2", "01", "002")] == [0, 2, 1, 2]
    for name in ("3", "-1", "1.0", "\u0661", "\u00b2", "1_0", "", " 1"):
        assert refusal(of, name) == f"m has no class named {name!r}"


def test_a_model_without_names_takes_indices_alone() -> None:
    of = ClassMatcher(None, 10, model="m")
    assert [of.index(name) for name in ("0", "9")] == [0, 9]
    assert (
        refusal(of, "cat")
        == "m has no class names, so only an index below 10 names a class; give the names with --labels FILE"
    )
    assert of.names()[:2] == ("0", "1")
    assert "--labels imagenet-1k" in refusal(ClassMatcher(None, 1000, model="m"), "n01440764")


def test_a_label_of_several_words_is_one_name() -> None:
    """Nothing says that what stands between commas means the class alone: Paris, France and Lyon, France."""
    of = matcher("tabby, tabby cat", "Paris, France")
    assert of.index("tabby, tabby cat") == 0
    for name in ("tabby", "tabby cat", "France", "Tabby, tabby cat"):
        assert refusal(of, name) == f"m has no class named {name!r}"


def test_transformers_and_timms_names_of_imagenet_are_known_as_such() -> None:
    words = tuple(f"{name}, {name} again" if number % 3 else name for number, name in enumerate(labels()))
    of = matcher(*words)
    assert [of.index(name) for name in ("n02012849", "Samoyed", "258")] == [134, 258, 258]
    assert of.index(words[1]) == of.index("goldfish") == of.index("n01443537") == of.index("1") == 1
    ids = matcher(*wnids("imagenet-12k"))
    assert ids.index("n01440764") == wnids("imagenet-12k").index("n01440764")
    assert ids.names() == wnids("imagenet-12k")
    assert ids.index("Samoyed") == labels("imagenet-12k").index("Samoyed")


@pytest.mark.parametrize("place", [0, 500, 999])
def test_labels_that_are_nearly_a_sets_are_not_taken_for_it(place: int) -> None:
    assert label_set_of(labels()) == "imagenet-1k"
    assert label_set_of(labels()[1:]) is None
    changed = [*labels()]
    changed[place] += "s"
    assert label_set_of(changed) is None
    assert refusal(matcher(*changed), "n01440764") == (
        "m has no class named 'n01440764'; if its classes are ImageNet's, --labels imagenet-1k makes WordNet IDs known"
    )


@pytest.mark.parametrize(("label", "name"), [(NFC, NFD), (NFD, NFC), ("가", "\u1100\u1161")])
def test_both_forms_of_unicode_are_one_name(label: str, name: str) -> None:
    assert matcher("other", label).index(name) == 1
    assert matcher("other", label).names() == matcher("other", name).names()
    assert refusal(matcher(label, name), label).startswith("m has 2 classes named ")


@pytest.mark.parametrize(
    ("known", "file"), [("imagenet-1k", "imagenet_synsets.txt"), ("imagenet-12k", "imagenet12k_synsets.txt")]
)
def test_wnids_are_timms_and_their_words_begin_with_the_names(known: str, file: str) -> None:
    timm = find_spec("timm")
    if timm is None or timm.origin is None:
        pytest.skip("needs timm: the extra peers installs it")
    folder = Path(timm.origin).parent / "data" / "_info"
    assert list(wnids(known)) == (folder / file).read_text("utf-8").split()
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text("utf-8").splitlines()
    words = dict(line.split("\t", 1) for line in lines)
    assert [words[wnid].split(", ")[0] for wnid in wnids(known)] == list(labels(known))
    assert label_set_of([words[wnid] for wnid in wnids(known)]) == known
