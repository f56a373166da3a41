"""What changes the weights: optimiser, learning-rate schedule and averaged weights; and the input of a step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from regnety.training.recipes.recipe import Optimizer, Recipe


def make_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.SGD:
    """Stochastic gradient descent with Nesterov momentum; a group of parameters has its `lr_share` of the rate."""
    groups = []
    for share, parameters in _by_lr_share(model, recipe.layer_decay):
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]  # norms and biases
        vector_decay = recipe.weight_decay if recipe.decay_norms_and_biases else 0.0
        groups.append({"params": matrices, "weight_decay": recipe.weight_decay, "lr_share": share})
        groups.append({"params": vectors, "weight_decay": vector_decay, "lr_share": share})
    return torch.optim.SGD(
        groups,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,  # torch refuses Nesterov without momentum
        fused=True,  # one pass over the weights instead of several
    )


def _by_lr_share(model: nn.Module, layer_decay: float) -> list[tuple[float, list[nn.Parameter]]]:
    """The parameters by their share of the learning rate: 1 in the classifier, less by `layer_decay` a block below."""
    if layer_decay == 1:
        return [(1.0, list(model.parameters()))]
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():  # in the order in which the layers run
        stage, block, *_ = name.split(".")
        layers.setdefault(f"{stage}.{block}" if stage not in ("stem", "head") else stage, []).append(parameter)
    return [(layer_decay**depth, layer) for depth, layer in enumerate(reversed(layers.values()))]


def make_schedule(recipe: Recipe, steps_per_epoch: int) -> Callable[[int], float]:
    """Learning rate of a step: a half-period cosine, times a warm-up that grows linearly from 0.1 to 1.

    The paper's schedule, changed at each step and not once an epoch. The warm-up takes at most a fifth of the run, so
    that a shortened run still trains.
    """
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = min(recipe.warmup_epochs * steps_per_epoch, steps / 5)

    def schedule(step: int) -> float:
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        warmup = 0.1 + 0.9 * step / warmup_steps if step < warmup_steps else 1.0
        return recipe.optimizer.lr * cosine * warmup

    return schedule


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every parameter group its share of this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_share", 1.0)  # checkpoints of earlier releases lack it


class WeightAverage:
    """An exponential moving average of a model's weights and running statistics.

    Args:
        model: whose weights are averaged, and copied to begin with.
        decay: share of the old average; early on (1 + n) / (10 + n) of n updates, where that is smaller.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the model's present weights to the average."""
        self.updates += 1
        # Without the ramp the first weights would stay in the average for 1 / (1 - decay) steps, 10,000 by default.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = model.state_dict()
        floating = [key for key, value in self.state.items() if value.is_floating_point()]
        # One call for all tensors: a loop over 300 small ones would spend its time in Python.
        torch._foreach_lerp_([self.state[key] for key in floating], [current[key] for key in floating], 1 - decay)
        for key in self.state.keys() - floating:
            self.state[key].copy_(current[key])  # counters of batches


class InputNormalization(nn.Module):
    """uint8 [N, H, W, C] -> float32 [N, C, H, W] with mean 0 and deviation 1, in channels-last memory."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        # Times 255, in place of dividing each pixel by it.
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1) * 255, persistent=False)

    def forward(self, images: Tensor, image_size: int | None = None) -> Tensor:
        """The pictures as float32, resized to `image_size` with antialiasing if it is given."""
        # uint8 up to here: a batch in float32 takes four times the memory, in the queue of decoded batches too.
        x = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        if image_size is not None and image_size != x.shape[-1]:
            size = (image_size, image_size)
            x = nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)  # the layout in which oneDNN's convolutions are fastest
