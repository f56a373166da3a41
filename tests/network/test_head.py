"""The head: new classifiers, poolings that are refused. `test_timm_network` compares the poolings."""

import pytest
import torch

from bundles import LABELS, small_bundle
from numerics import lively_network, random_images
from regnety.architecture.design import Design
from regnety.errors import InvalidDesignError
from regnety.network.creation import create_model

DESIGN = Design(depth=2, w0=16, wa=16, wm=2, group_width=8)
IMAGES = torch.from_numpy(random_images(2, 3, 32, 32))


def test_reset_makes_a_new_classifier_and_keeps_the_rest() -> None:
    network = create_model(small_bundle(), drop_rate=0.5)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert (network.labels, network.pretrained_cfg["num_classes"]) == (LABELS, 4)
    network.reset_classifier(500)
    classifier = network.get_classifier()
    assert classifier is network.head.fc
    assert classifier.weight.shape == (500, 32)
    assert classifier.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert not classifier.bias.any()
    assert network.num_classes == network.architecture.num_classes == network.pretrained_cfg["num_classes"] == 500
    assert network.labels is None
    assert network.drop_rate == 0.5
    after = network.state_dict()
    assert list(after) == list(network.architecture.state_dict_shapes())
    assert all(torch.equal(after[key], before[key]) for key in before if not key.startswith("head."))
    assert network.eval()(IMAGES).shape == (2, 500)


def test_reset_to_no_classifier_and_back() -> None:
    network = lively_network(DESIGN)
    pooled = network.forward_head(network.forward_features(IMAGES), pre_logits=True)
    network.reset_classifier(0)
    assert isinstance(network.get_classifier(), torch.nn.Identity)
    assert torch.equal(network(IMAGES), pooled)
    network.reset_classifier(3, "catavgmax")
    assert (network.head_hidden_size, network.num_features) == (64, 32)
    assert network(IMAGES).shape == (2, 3)


def test_a_new_classifier_is_where_the_network_is() -> None:
    network = lively_network(DESIGN).to(torch.bfloat16)
    network.reset_classifier(3)
    assert network(IMAGES.to(torch.bfloat16)).dtype == torch.bfloat16
    network = network.to("meta")
    network.reset_classifier(5)
    assert network.head.fc.weight.is_meta


@pytest.mark.parametrize(
    ("num_classes", "global_pool", "message"),
    [
        (3, "median", "^global_pool must be one of 'avg', 'max', 'avgmax', 'catavgmax', '', got 'median'$"),
        (3, "", "^global_pool='' keeps maps, which a classifier of 3 classes cannot take; give num_classes=0$"),
        (-1, None, "^num_classes must be a whole number from 0 to "),
        (2.5, None, "^num_classes must be a whole number from 0 to .* got 2.5$"),
    ],
)
def test_what_it_refuses(num_classes: int, global_pool: str | None, message: str) -> None:
    network = lively_network(DESIGN)
    before = network(IMAGES)
    with pytest.raises(InvalidDesignError, match=message):
        network.reset_classifier(num_classes, global_pool)
    assert torch.equal(network(IMAGES), before)
    assert network.num_classes == 1000
    if global_pool is not None:
        with pytest.raises(InvalidDesignError, match=message):
            create_model(DESIGN, num_classes=num_classes, global_pool=global_pool)
