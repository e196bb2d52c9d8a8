"""A step of an optimiser, of which a method may have several."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def update(
    optimiser: "torch.optim.Optimizer", loss: "Tensor", *, keep_graph: bool = False, largest: float | None = None
) -> None:
    """Take a step down the gradient of a loss with respect to an optimiser's weights, and no others.

    With `keep_graph` what the loss was computed from can be differentiated again. A gradient whose norm is larger than
    `largest` is scaled down to it. The gradient is kept until the next update.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=weights, retain_graph=keep_graph)
    if largest is not None:
        from torch.nn.utils import clip_grad_norm_

        clip_grad_norm_(weights, largest)
    optimiser.step()
