"""A step of an optimiser, of which a method may have several."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def update(optimiser: "torch.optim.Optimizer", loss: "Tensor", *, keep_graph: bool = False) -> None:
    """Take a step down the gradient of a loss with respect to an optimiser's weights, and no others.

    With `keep_graph` what the loss was computed from can be differentiated again. A group of weights may have a
    "limit", which no element of their gradient exceeds.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=weights, retain_graph=keep_graph)
    for group in optimiser.param_groups:
        if "limit" in group:
            for weight in group["params"]:
                weight.grad.clamp_(-group["limit"], group["limit"])
    optimiser.step()
