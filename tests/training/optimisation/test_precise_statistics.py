"""Statistics of batch norm, computed anew."""

import torch
from torch import Tensor, nn

from bundles import SMALL_DESIGN
from regnety.network.creation import create_model
from regnety.training.optimisation.precise_statistics import set_precise_statistics


def test_they_are_the_mean_of_the_batches_means_and_variances() -> None:
    network = create_model(SMALL_DESIGN.architecture(3), drop_path_rate=0.5).double()
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(size, 3, 16, 16, generator=generator, dtype=torch.float64) for size in (4, 4, 6)]
    seen: dict[nn.Module, list[Tensor]] = {}
    norms = {name: module for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    hooks = [
        norm.register_forward_pre_hook(lambda module, inputs: seen.setdefault(module, []).append(inputs[0]))
        for norm in norms.values()
    ]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    set_precise_statistics(network, batches)
    for hook in hooks:
        hook.remove()
    for name, norm in norms.items():
        places = [images.movedim(1, 0).flatten(1) for images in seen[norm]]  # [channels, pictures and places]
        assert len(places) == len(batches)
        torch.testing.assert_close(norm.running_mean, torch.stack([each.mean(1) for each in places]).mean(0), msg=name)
        torch.testing.assert_close(norm.running_var, torch.stack([each.var(1) for each in places]).mean(0), msg=name)
        assert norm.momentum == 0.1
    after = network.state_dict()
    assert not torch.equal(after["stem.bn.running_mean"], before["stem.bn.running_mean"])
    assert all(torch.equal(after[key], before[key]) for key in before if "running" not in key)
    assert not any(module.training for module in network.modules())
