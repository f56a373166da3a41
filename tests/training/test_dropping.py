"""What is dropped: the chosen share, by seed and step, and the mean of what is left stays."""

import pytest
import torch

from regnety import Design, create_model
from regnety.network.drop_path import drop_path_rates
from regnety.training.distribution.batch_parts import BatchPart, part_of_batch, whole_batch
from regnety.training.dropping import Dropping

CPU = torch.device("cpu")
DESIGN = Design(depth=5, w0=16, wa=8, wm=2, group_width=8)


def test_residuals_and_features_are_dropped_as_often_as_asked() -> None:
    network = create_model(DESIGN, num_classes=3, drop_path_rate=0.8, drop_rate=0.25).train()
    dropping = Dropping(network, seed=3)
    dropping.draw(whole_batch(4000), 7, CPU)
    blocks = [block for _, stage in network.stages() for name, block in stage.named_children() if name.startswith("b")]
    blocks = [block for block in blocks if hasattr(block, "drop_path")]
    ones = torch.ones(4000, 2, 1, 1)
    for block, rate in zip(blocks, drop_path_rates(0.8, len(blocks)), strict=True):
        left = block.drop_path(ones)
        assert torch.equal(left[:, 0], left[:, 1])  # a picture's residual is dropped as a whole
        assert (left == 0).float().mean().item() == pytest.approx(rate, abs=0.03)
        assert left.mean().item() == pytest.approx(1, abs=0.1)
    features = network.head.drop(torch.ones(4000, network.num_features))
    assert (features == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert features.mean().item() == pytest.approx(1, abs=0.01)
    network.eval()
    assert torch.equal(network.head.drop(ones), ones)
    assert torch.equal(blocks[-1].drop_path(ones), ones)


def test_a_step_drops_the_same_whatever_was_drawn_before() -> None:
    outputs = []
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for steps in ((4,), (0, 1, 4), (5,)):
        network = create_model(DESIGN, num_classes=3, drop_path_rate=0.5, generator=torch.Generator().manual_seed(1))
        for block in network.modules():
            if hasattr(block, "conv3"):
                torch.nn.init.ones_(block.conv3.bn.weight)  # zeros add nothing that could be dropped
        dropping = Dropping(network.train(), seed=3)
        for step in steps:
            dropping.draw(whole_batch(6), step, CPU)
        with torch.no_grad():
            outputs.append(network(images))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    assert not [key for key in network.state_dict() if "kept" in key]


def test_a_network_that_drops_nothing_stays_as_it_is() -> None:
    network = create_model(DESIGN, num_classes=3)
    before = [type(module) for module in network.modules()]
    Dropping(network, seed=0).draw(whole_batch(8), 0, CPU)
    assert [type(module) for module in network.modules()] == before


def test_parts_of_a_batch_drop_what_the_whole_batch_drops() -> None:
    network = create_model(DESIGN, num_classes=3, drop_path_rate=0.5, drop_rate=0.5)
    dropping = Dropping(network, seed=3)
    layers = [module for module in network.modules() if hasattr(module, "kept")]

    def kept(part: BatchPart) -> list[torch.Tensor]:
        dropping.draw(part, 2, CPU)
        return [layer.kept for layer in layers]

    whole = kept(whole_batch(7))
    for rank in range(2):
        part = part_of_batch(7, rank=rank, workers=2)
        assert all(torch.equal(found, every[list(part.places)]) for found, every in zip(kept(part), whole, strict=True))


def test_a_batch_in_parts_drops_what_the_whole_batch_drops() -> None:
    network = create_model(DESIGN, num_classes=3, drop_path_rate=0.5, drop_rate=0.5).train()
    dropping = Dropping(network, seed=3)
    dropping.narrow_to(slice(0, 2))  # nothing is drawn yet
    dropping.draw(whole_batch(7), 2, CPU)
    features = torch.ones(7, network.num_features)
    whole = network.head.drop(features)
    parts = []
    for some in (slice(0, 3), slice(3, 7)):
        dropping.narrow_to(some)
        parts.append(network.head.drop(features[some]))
    assert torch.equal(torch.cat(parts), whole)
