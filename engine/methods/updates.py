"""One step of an optimiser; a method may have several optimisers."""

import inspect
from types import MethodType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

DISABLED = "__dynamo_disable"
"""Where torch keeps what a function is when torch's compiler leaves it alone."""


def lean(make: "Callable[[], dict[str, torch.optim.Optimizer]]") -> "dict[str, torch.optim.Optimizer]":
    """Return the optimisers that `make` makes, which do the same without loading torch's compiler.

    Nothing here is compiled, but torch's own optimisers load it: 1.5 s of processor time, a third of the start of a
    training. Optimisers of plug-ins, and those that differentiate through their steps, are left as they are.
    """
    import torch

    for name in ("state_dict", "load_state_dict", "zero_grad", "add_param_group"):
        method = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        if not hasattr(method, DISABLED):
            setattr(method, DISABLED, method)
    made = make()
    for optimiser in made.values():
        plain = inspect.unwrap(type(optimiser).step)
        if plain.__module__.startswith("torch.optim.") and not optimiser.defaults.get("differentiable"):
            optimiser.step = MethodType(torch.no_grad()(plain), optimiser)  # type: ignore[method-assign]
    return made


def update(
    optimiser: "torch.optim.Optimizer", loss: "Tensor", *, keep_graph: bool = False, largest: float | None = None
) -> None:
    """Take a gradient step on the weights of one optimiser, and no others.

    With `keep_graph`, the graph of the loss is kept for another backward pass. A gradient whose norm is larger than
    `largest` is scaled down to it; elements larger than the "limit" of a parameter group, if it has one, are clipped.
    The gradient is kept until the next update.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.zero_grad(set_to_none=True)
    loss.backward(inputs=weights, retain_graph=keep_graph)
    for group in optimiser.param_groups:
        if "limit" in group:
            for weight in group["params"]:
                weight.grad.clamp_(-group["limit"], group["limit"])
    if largest is not None:
        from torch.nn.utils import clip_grad_norm_

        clip_grad_norm_(weights, largest)
    optimiser.step()
