"""pycls's names, against its published keys and a module that is built as pycls builds its own."""

from collections import OrderedDict

import pytest
import torch
from both_ways import check_both_ways, read, shapes_of_module, stored, their_shapes
from hypothesis import given
from torch import Tensor, nn

import designs
import goldens
from bundles import SMALL_DESIGN, random_weights
from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyDesign, AnyNetDesign, Design, StageDesign
from regnety.catalog.models import list_models, model_info
from regnety.weights.dialects.pycls import PYCLS
from regnety.weights.dialects.registry import in_dialect, translate

MODELS = ("regnety_002", "regnety_004", "regnety_006", "regnety_008", "regnetx_002", "regnetx_004")
LARGE = ("regnety_032", "regnety_040", "regnetx_016")


class PyclsBlock(nn.Module):
    """The module names of pycls's ResBottleneckBlock; widths come from its own rules, not from the description."""

    def __init__(self, w_in: int, w_out: int, stride: int, bot_mul: float, group_w: int, se_r: float) -> None:
        super().__init__()
        w_b = round(w_out * bot_mul)
        if w_in != w_out or stride != 1:
            self.proj = nn.Conv2d(w_in, w_out, 1, stride=stride, bias=False)
            self.bn = nn.BatchNorm2d(w_out)
        layers: list[tuple[str, nn.Module]] = [
            ("a", nn.Conv2d(w_in, w_b, 1, bias=False)),
            ("a_bn", nn.BatchNorm2d(w_b)),
            ("a_af", nn.ReLU()),
            ("b", nn.Conv2d(w_b, w_b, 3, stride=stride, padding=1, groups=w_b // group_w, bias=False)),
            ("b_bn", nn.BatchNorm2d(w_b)),
            ("b_af", nn.ReLU()),
        ]
        if se_r:
            layers.append(("se", PyclsSE(w_b, round(w_in * se_r))))
        layers += [("c", nn.Conv2d(w_b, w_out, 1, bias=False)), ("c_bn", nn.BatchNorm2d(w_out))]
        self.f = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.bn(self.proj(x)) if hasattr(self, "proj") else x
        return torch.relu(shortcut + self.f(x))


class PyclsSE(nn.Module):
    def __init__(self, width: int, se_width: int) -> None:
        super().__init__()
        self.f_ex = nn.Sequential(nn.Conv2d(width, se_width, 1), nn.ReLU(), nn.Conv2d(se_width, width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.f_ex(x.mean((2, 3), keepdim=True))


class PyclsNet(nn.Module):
    """pycls's AnyNet: stem, s1 and so on, head."""

    def __init__(self, design: AnyDesign, num_classes: int) -> None:
        super().__init__()
        stem = nn.Conv2d(3, design.stem_width, 3, stride=design.stem_stride, padding=1, bias=False)
        norm = nn.BatchNorm2d(design.stem_width)
        self.stem = nn.Sequential(OrderedDict(conv=stem, bn=norm, af=nn.ReLU()))
        width = design.stem_width
        for number, stage in enumerate(design.fitted_stages(), start=1):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for index in range(stage.depth):
                blocks[f"b{index + 1}"] = PyclsBlock(
                    width if index == 0 else stage.width,
                    stage.width,
                    stage.stride if index == 0 else 1,
                    stage.bottleneck_multiplier,
                    stage.group_width,
                    design.se_ratio,
                )
            self.add_module(f"s{number}", nn.Sequential(blocks))
            width = stage.width
        self.head = nn.Module()
        self.head.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        *body, head = self.children()
        for stage in body:
            x = stage(x)
        return head.fc(x.mean((2, 3)))


def test_published_keys_and_order() -> None:
    wanted = goldens.models("pycls_state_dict.json")["regnety_002"]
    found = their_shapes(PYCLS, model_info("regnety_002").design.architecture())
    assert list(found.items()) == [(key, tuple(shape)) for key, shape in wanted.items()]
    with torch.device("meta"):
        assert list(shapes_of_module(PyclsNet(model_info("regnety_002").design, 1000)).items()) == list(found.items())


@pytest.mark.parametrize("name", list_models())
def test_keys_and_order_of_every_model(name: str) -> None:
    design = model_info(name).design
    with torch.device("meta"):
        wanted = shapes_of_module(PyclsNet(design, 7))
    assert PYCLS.obstacle(design.architecture(7)) is None
    assert list(their_shapes(PYCLS, design.architecture(7)).items()) == list(wanted.items())


@given(designs.designs(max_depth=6) | designs.anynet_designs(max_stages=3, max_stage_depth=3))
@designs.examples(60)
def test_whatever_has_no_obstacle_can_be_built(design: AnyDesign) -> None:
    architecture = design.architecture(5)
    assert (PYCLS.obstacle(architecture) is None) == (design.stem_stride <= 2)
    with torch.device("meta"):
        assert list(shapes_of_module(PyclsNet(design, 5)).items()) == list(their_shapes(PYCLS, architecture).items())


@pytest.mark.parametrize("name", [*MODELS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_numbers(name: str) -> None:
    design = model_info(name).design
    check_both_ways(PYCLS, design.architecture(11), PyclsNet(design, 11))


@pytest.mark.parametrize("multiplier", [1.0, 2.0, 1 / 2])
@pytest.mark.parametrize("se_ratio", [0.0, 0.5])
def test_numbers_of_an_anynet(multiplier: float, se_ratio: float) -> None:
    design = AnyNetDesign(
        stages=(
            StageDesign(width=24, depth=2, group_width=4, stride=1, bottleneck_multiplier=multiplier),
            StageDesign(width=20, depth=1, group_width=10, stride=3),
            StageDesign(width=48, depth=2, group_width=16),
        ),
        se_ratio=se_ratio,
        stem_width=12,
        stem_stride=1,
    )
    check_both_ways(PYCLS, design.architecture(5), PyclsNet(design, 5))


def test_colours_are_turned_and_nothing_else() -> None:
    architecture = SMALL_DESIGN.architecture(3)
    weights = random_weights(architecture)
    theirs = read(in_dialect(PYCLS, architecture, weights))
    stem = weights["stem.conv.weight"]
    assert (theirs["stem.conv.weight"] == stem[:, [2, 1, 0]]).all()
    assert not (theirs["stem.conv.weight"] == stem).all()
    turned = {ours for their_key, ours in PYCLS.their_keys(architecture).items() if theirs[their_key] is weights[ours]}
    assert turned == weights.keys() - {"stem.conv.weight"}


def test_older_files_lack_the_counters() -> None:
    architecture = SMALL_DESIGN.architecture(3)
    theirs = in_dialect(PYCLS, architecture, random_weights(architecture))
    older = {key: tensor for key, tensor in theirs.items() if not key.endswith("num_batches_tracked")}
    assert len(older) < len(theirs)
    translated = translate(older, source="x").tensors
    assert translated.keys() == {key for key in random_weights(architecture) if not key.endswith("tracked")}
    again = in_dialect(PYCLS, architecture, read(translated))
    assert list(again) == list(theirs)
    counter = again["s1.b1.f.a_bn.num_batches_tracked"]
    assert (counter.shape, counter.dtype, counter.read().dtype, counter.read()) == ((), "int64", "int64", 0)


def test_nested_as_its_loader_wants_it() -> None:
    tensors = stored(random_weights(SMALL_DESIGN.architecture(3)))
    assert PYCLS.nest(tensors) == {"epoch": 0, "model_state": tensors}


@pytest.mark.parametrize(
    ("architecture", "obstacle"),
    [
        (
            SMALL_DESIGN.architecture(3, in_chans=1),
            "it takes 1 input channels, pycls's networks take 3: blue, green and red",
        ),
        (
            Design(depth=2, w0=16, wa=16, wm=2, group_width=8, stem_stride=4).architecture(),
            "its stem has stride 4, pycls's stems have 1 or 2",
        ),
    ],
)
def test_obstacles(architecture: Architecture, obstacle: str) -> None:
    assert PYCLS.obstacle(architecture) == obstacle
