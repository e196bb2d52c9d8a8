"""One step of an optimiser; a method may have several optimisers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def update(
    optimiser: "torch.optim.Optimizer", loss: "Tensor", *, keep_graph: bool = False, largest: float | None = None
) -> None:
    """Take a gradient step on the weights of one optimiser, and no others.

    With `keep_graph`, the graph of the loss is kept for another backward pass. A gradient whose norm is larger than
    `largest` is scaled down to it. The gradient is kept until the next update.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=weights, retain_graph=keep_graph)
    if largest is not None:
        from torch.nn.utils import clip_grad_norm_

        clip_grad_norm_(weights, largest)
    optimiser.step()
