"""The optimiser of a recipe, and which parameters it treats alike."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regnety.training.optimisation.lamb import Lamb
from regnety.training.optimisation.muon import Muon
from regnety.training.recipes.optimizer import Optimizer


def make_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.Optimizer:
    """The optimiser that a recipe names; a group of parameters has its `lr_share` of the rate."""
    groups = _groups(model, recipe)
    betas = (recipe.momentum, recipe.beta2)
    match recipe.name:
        case "sgd":
            # Torch refuses Nesterov without momentum. Fused: one pass over the weights instead of several.
            return torch.optim.SGD(
                groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
            )
        case "adamw":
            return torch.optim.AdamW(groups, lr=recipe.lr, betas=betas, fused=True)
        case "lamb":
            return Lamb(groups, lr=recipe.lr, betas=betas)
        case "muon":
            return Muon(_for_muon(model, groups), lr=recipe.lr, momentum=recipe.momentum, beta2=recipe.beta2)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group its share of this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_share", 1.0)  # checkpoints of earlier releases lack it


def _groups(model: nn.Module, recipe: Optimizer) -> list[dict[str, Any]]:
    groups = []
    for share, parameters in _by_lr_share(model, recipe.layer_decay):
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]  # norms and biases
        vector_decay = recipe.weight_decay if recipe.decay_norms_and_biases else 0.0
        groups.append({"params": matrices, "weight_decay": recipe.weight_decay, "lr_share": share})
        groups.append({"params": vectors, "weight_decay": vector_decay, "lr_share": share})
    return groups


def _by_lr_share(model: nn.Module, layer_decay: float) -> list[tuple[float, list[nn.Parameter]]]:
    """The parameters by their share of the learning rate: 1 in the classifier, less by `layer_decay` a block below."""
    if layer_decay == 1:
        return [(1.0, list(model.parameters()))]
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():  # in the order in which the layers run
        stage, block, *_ = name.split(".")
        layers.setdefault(f"{stage}.{block}" if stage not in ("stem", "head") else stage, []).append(parameter)
    return [(layer_decay**depth, layer) for depth, layer in enumerate(reversed(layers.values()))]


def _for_muon(model: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same groups, split into convolutions, which Muon changes, and the rest, which AdamW does.

    The classifier's rows are one for each class and no map between features: it is AdamW's too.
    """
    convolutions: Mapping[Tensor, int] = {
        module.weight: module.groups for module in model.modules() if isinstance(module, nn.Conv2d)
    }
    split = []
    for group in groups:
        taken = [parameter for parameter in group["params"] if parameter in convolutions]
        rest = [parameter for parameter in group["params"] if parameter not in convolutions]
        numbers = [convolutions[parameter] for parameter in taken]
        split.append({**group, "params": taken, "muon": True, "convolution_groups": numbers})
        split.append({**group, "params": rest, "muon": False, "convolution_groups": []})
    return [group for group in split if group["params"]]
