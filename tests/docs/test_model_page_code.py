"""The Python of the RegNetY model page runs line by line, with `regnety` in place of `timm` and no other change.

A server on this machine plays the Hub and GitHub. It serves files of the published names and sizes with random content,
so the answers mean nothing, but timm must give the same.
"""

import hashlib
import json
import re
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from PIL import Image

import goldens
from bundles import REGNETY_002, random_weights
from code_blocks import ROOT
from commands import python
from old_torch_files import write_of_size
from regnety import labels
from regnety.catalog import published as catalogue
from regnety.files.safetensors_files import write_safetensors
from web_server import WebFile, WebServer

BLOCK = re.compile(r"^```python *\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((goldens.FOLDER / "model_page_code.txt").read_text("utf-8"))
PAGE = goldens.models("model_page.json")["regnety_002"]
FINETUNE_CLASSES = 37
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens on this port."""

GITHUB_IS_HERE = """
import http.client, os, urllib.request

class Loopback(urllib.request.HTTPSHandler):
    def https_open(self, request):
        request.selector = f"/{request.host}{request.selector}"
        request.host = os.environ["LOOPBACK"]
        return self.do_open(http.client.HTTPConnection, request)

urllib.request.HTTPSHandler = Loopback
"""
ONE_ADDRESS_HAS_ANOTHER_HASH = """
import pathlib, regnety.catalog.published
regnety.catalog.published._FILE = pathlib.Path(os.environ["CATALOGUE"])
"""


def with_regnety(blocks: list[str]) -> str:
    """The page's code, with the one word replaced."""
    code = "".join(blocks)
    assert (
        "from timm.data import resolve_data_config\nfrom timm.data.transforms_factory import create_transform\n" in code
    )
    assert code.count("timm") == 5
    return code.replace("timm", "regnety")


CARD = """
from urllib.request import urlopen
from PIL import Image
import timm
import torch

img = Image.open('examples.jpg')

model = timm.create_model('regnety_002.pycls_in1k', pretrained=True)
model = model.eval()

# get model specific transforms (normalization, resize)
data_config = timm.data.resolve_model_data_config(model)
transforms = timm.data.create_transform(**data_config, is_training=False)

output = model(transforms(img).unsqueeze(0))  # unsqueeze single image into batch of 1

top5_probabilities, top5_class_indices = torch.topk(output.softmax(dim=1) * 100, k=5)
print(top5_class_indices.tolist(), [round(p, 3) for p in top5_probabilities[0].tolist()])

model = timm.create_model('regnety_002.pycls_in1k', pretrained=True, features_only=True)
model = model.eval()
output = model(transforms(img).unsqueeze(0))
for o in output:
    print(o.shape)

model = timm.create_model('regnety_002.pycls_in1k', pretrained=True, num_classes=0)  # remove classifier nn.Linear
model = model.eval()
output = model(transforms(img).unsqueeze(0))
print(output.shape)
output = model.forward_features(transforms(img).unsqueeze(0))
output = model.forward_head(output, pre_logits=True)
print(output.shape)
"""
"""The code on timm's model cards of RegNetY, with a picture from this disk."""


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """The server, with GitHub's files; the page runs in an empty folder, with empty caches."""
    with Image.open(ROOT / "examples" / "cat.png") as picture:
        picture.convert("RGB").save(tmp_path / "photo.jpg")
    monkeypatch.delenv("REGNETY_OFFLINE")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with WebServer() as server:
        monkeypatch.setenv("LOOPBACK", server.url.removeprefix("http://"))
        server.files["/github.com/pytorch/hub/raw/master/images/dog.jpg"] = WebFile(
            (tmp_path / "photo.jpg").read_bytes()
        )
        server.files["/raw.githubusercontent.com/pytorch/hub/master/imagenet_classes.txt"] = WebFile(
            "".join(f"{label}\n" for label in labels("imagenet-1k")).encode()
        )
        yield server


@pytest.fixture
def hub(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """The same server, with the Hub's weights too: safetensors with timm's keys."""
    path = tmp_path / "model.safetensors"
    write_safetensors(path, random_weights(REGNETY_002.architecture()))
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    web.add_hub_file("timm/regnety_002.pycls_in1k", path.name, path.read_bytes())
    return web


@pytest.fixture
def page_file(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the page's own address, put into the cache by hand, and no Hub.

    No random weights have the hash that its name carries, so the catalogue has the address with theirs.
    """
    path = tmp_path / "cache" / "weights" / "regnety_002.pth"
    path.parent.mkdir(parents=True)
    write_of_size(path, random_weights(REGNETY_002.architecture()), PAGE["Metadata"]["File Size"])
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    url = PAGE["Weights"].replace("e68ca334", digits)
    text = catalogue._FILE.read_text("utf-8")
    assert text.count(PAGE["Weights"]) == 1
    (tmp_path / "catalogue.json").write_text(text.replace(PAGE["Weights"], url), "utf-8")
    monkeypatch.setenv("CATALOGUE", str(tmp_path / "catalogue.json"))
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    return path.rename(path.with_name(url.rpartition("/")[2]))


def run_page(code: str, *prelude: str) -> tuple[list[str], str]:
    """What the page prints on stdout, line by line, and on stderr."""
    facts = "import json; print(json.dumps([model.num_classes, type(model).__module__.partition('.')[0], filename]))"
    classes = f"NUM_FINETUNE_CLASSES = {FINETUNE_CLASSES}\n"
    result = python("\n".join((*prelude, classes, code, facts)))
    assert result.returncode == 0, result.stderr
    *printed, last = result.stdout.splitlines()
    assert json.loads(last) == [FINETUNE_CLASSES, "regnety", "imagenet_classes.txt"]
    return printed, result.stderr


def assert_answers(printed: list[str]) -> None:
    """The shape, and five class names with their probabilities, best first, as on the page."""
    shape, *answers = printed
    assert shape == "torch.Size([1000])"
    named = [answer.rpartition(" ") for answer in answers]
    assert len(named) == len({name for name, _, _ in named}) == 5
    assert {name for name, _, _ in named} <= set(labels("imagenet-1k"))
    probabilities = [float(probability) for _, _, probability in named]
    assert probabilities == sorted(set(probabilities), reverse=True)
    assert 0 < probabilities[-1] < sum(probabilities) < 1


def test_the_copy_of_the_code_is_the_pages(shared: Path) -> None:
    assert BLOCK.findall((shared / "spec" / "regnety.md").read_text("utf-8")) == BLOCKS
    assert len(BLOCKS) == 5


def test_the_names_of_classes_are_those_of_the_pages_file(shared: Path) -> None:
    """The page downloads them from GitHub; our server writes them from `labels`."""
    names = (shared / "data" / "imagenet_classes.txt").read_text("utf-8").splitlines()
    assert tuple(name.strip() for name in names) == labels("imagenet-1k")


def test_the_tests_that_the_documentation_names_are_there() -> None:
    text = (ROOT / "docs" / "reference" / "model-page.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_the_page_runs_line_by_line(hub: WebServer, tmp_path: Path) -> None:
    printed, said = run_page(with_regnety(BLOCKS), GITHUB_IS_HERE)
    assert_answers(printed)
    assert said.splitlines()[-1] == (
        f"regnety_002.pycls_in1k: the classifier head.fc is ({FINETUNE_CLASSES}, 368) and stays random: "
        "the weights' is (1000, 368)"
    )
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["dog.jpg", "imagenet_classes.txt"]
    fetched = [request.path for request in hub.requests if request.method == "GET"]
    assert fetched.count("/timm/regnety_002.pycls_in1k/resolve/main/model.safetensors") == 1


def test_the_page_runs_with_its_own_file_without_the_hub(page_file: Path) -> None:
    printed, _ = run_page(with_regnety(BLOCKS), GITHUB_IS_HERE, ONE_ADDRESS_HAS_ANOTHER_HASH)
    assert_answers(printed)
    assert page_file.stat().st_size == 12_782_926
    assert page_file.with_name(f".{page_file.name}.checked").exists(), "it was held to the hash in its name"


def test_the_modules_that_the_page_does_not_import_are_there() -> None:
    """It imports only `urllib`, and then uses `urllib.request.urlretrieve`."""
    code = (
        "import regnety\nregnety.create_model('regnety_002')\nimport urllib\nprint(urllib.request.urlretrieve.__name__)"
    )
    assert python(code).stdout == "urlretrieve\n"


def test_the_code_of_a_card_on_the_hub_runs_too(hub: WebServer, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").rename(tmp_path / "empty" / "examples.jpg")
    result = python(CARD.replace("timm", "regnety"))
    assert (result.returncode, result.stderr) == (0, "")
    best, *shapes = result.stdout.splitlines()
    assert len(json.loads(best.partition("]]")[0] + "]]")[0]) == 5
    sizes = [(32, 112), (24, 56), (56, 28), (152, 14), (368, 7)]
    maps = [f"torch.Size([1, {channels}, {side}, {side}])" for channels, side in sizes]
    assert shapes == [*maps, *["torch.Size([1, 368])"] * 2]


@pytest.mark.slow
def test_timm_prints_the_same(
    timm: Any,
    hub: WebServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The unchanged page, with the same weights and picture."""
    printed, _ = run_page(with_regnety(BLOCKS), GITHUB_IS_HERE)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "timms"))
    monkeypatch.setattr(urllib.request, "HTTPSHandler", urllib.request.HTTPSHandler)  # what it was comes back
    monkeypatch.setattr(urllib.request, "_opener", None)
    exec(GITHUB_IS_HERE, {})
    capsys.readouterr()
    with warnings.catch_warnings(action="ignore"):
        exec("".join(BLOCKS), {"NUM_FINETUNE_CLASSES": FINETUNE_CLASSES})
    theirs = capsys.readouterr().out.splitlines()
    assert (tmp_path / "timms" / "models--timm--regnety_002.pycls_in1k").is_dir()
    assert printed[0] == theirs[0]
    for ours, wanted in zip(printed[1:], theirs[1:], strict=True):
        name, _, probability = ours.rpartition(" ")
        wanted_name, _, wanted_probability = wanted.rpartition(" ")
        assert name == wanted_name
        assert float(probability) == pytest.approx(float(wanted_probability), rel=1e-4)
