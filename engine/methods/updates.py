"""One step of an optimiser; a method may have several optimisers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def update(optimiser: "torch.optim.Optimizer", loss: "Tensor", *, keep_graph: bool = False) -> None:
    """Take a gradient step on the weights of one optimiser, and no others.

    With `keep_graph`, the graph of the loss is kept for another backward pass.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=weights, retain_graph=keep_graph)
    optimiser.step()
