"""Muon: momentum whose update of a matrix has singular values of about 1.

Keller Jordan et al., https://kellerjordan.github.io/posts/muon/; the length of a step after arXiv 2502.16982, so that a
learning rate and a weight decay that suit AdamW suit it too. `torch.optim.Muon` takes weights of two dimensions only.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial of a Newton-Schulz step: singular values end between about 0.7 and 1.2."""
STEPS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with the singular vectors of the given ones, and singular values of about 1.

    Args:
        matrices: [count, rows, columns]; each is changed on its own.
    """
    a, b, c = COEFFICIENTS
    # Tensor cores do it in half the time; a processor without bf16 would emulate it.
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    wide = x.shape[-1] >= x.shape[-2]
    x = x if wide else x.mT  # the products below have the smaller side
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        product = x @ x.mT
        x = a * x + (b * product + c * product @ product) @ x
    result: Tensor = (x if wide else x.mT).to(matrices.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Muon for linear layers and convolutions, and AdamW for everything in groups with `muon` false.

    The weight of a convolution is one matrix for each of its groups, [outputs of a group, inputs of a group · kernel],
    and each is orthogonalised by itself: as one matrix the groups, which have no weight in common, would be made
    orthogonal to each other.

    Args:
        params: groups of parameters, each with `muon`, and with `convolution_groups`, a number for each of its
            parameters, where it is true.
        lr: learning rate.
        momentum: decay of the average of the gradients; of AdamW's first moment too.
        beta2: decay of AdamW's second moment.
        weight_decay: decoupled from the gradients, as AdamW's.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        beta2: float = 0.999,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "beta2": beta2, "weight_decay": weight_decay, "muon": True}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Change the weights by their gradients."""
        assert closure is None
        for group in self.param_groups:
            counts = group["convolution_groups"] if group["muon"] else [1] * len(group["params"])
            for parameter, count in zip(group["params"], counts, strict=True):
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                change = self._muon(parameter, count, group) if group["muon"] else self._adam(parameter, group)
                parameter.sub_(change * group["lr"])

    def _muon(self, parameter: Tensor, count: int, group: dict[str, Any]) -> Tensor:
        gradient, state, momentum = parameter.grad, self.state[parameter], group["momentum"]
        assert gradient is not None
        if not state:
            state["average"] = torch.zeros_like(parameter)
        state["average"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(state["average"], momentum)  # Nesterov's
        # reshape and not view: weights are in channels-last memory
        matrices = ahead.reshape(count, parameter.shape[0] // count, -1)
        # Of a matrix with singular values of 1 this is the length, per weight, that AdamW's updates usually have.
        length = 0.2 * math.sqrt(max(matrices.shape[-2:]))
        return orthogonalised(matrices).reshape(parameter.shape) * length

    def _adam(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2, first, second = group["momentum"], group["beta2"], state["exp_avg"], state["exp_avg_sq"]
        first.lerp_(gradient, 1 - beta1)
        second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (second / (1 - beta2 ** state["step"])).sqrt_().add_(1e-8)
        change: Tensor = first / (1 - beta1 ** state["step"]) / root
        return change
