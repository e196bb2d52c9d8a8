"""A training step computed by several processes, as a method sees it: exactly the step of one process.

Every process takes the same step with the same weights, random numbers and complete batch, whose size is the one in the
settings. Only the evaluation of networks is split. Where a method calls one, each process computes it for its own rows
and the processes exchange the outputs; in the backward pass they exchange the gradients of the inputs and add up those
of the weights; batch normalisation uses the statistics of all rows. What a method computes from codes and images is
therefore that of the whole batch, also where it is no mean over images: a total correlation, a covariance, a
discrepancy, latents permuted across images, an accuracy that decides what to do next. Methods know nothing of it, and
random numbers do not depend on the number of processes. Sums are added in another order, so results agree only to
rounding.

`torch.nn.parallel.DistributedDataParallel` averages the gradients of losses that each process computes from its own
part of the batch. That is the loss of the whole batch only if this is a mean over images, and it expects a single
forward and backward pass per step, while methods here have several networks, each with an optimiser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.func import functional_call

from engine.errors import RunError


class LostError(RunError):
    """Another process of a training is gone."""


@contextmanager
def exchanging() -> Iterator[None]:
    """Raise LostError if an exchange within the block fails."""
    try:
        yield
    except RuntimeError as error:
        raise LostError("Another process of this training has ended, so that it could not continue.") from error


class Sharing:
    """The part of this process, number `rank` of `size`, in the computation of networks.

    The processes are those of the default group of `torch.distributed`.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._rows = 0
        """Rows of the call in progress, over all processes; 0 between calls."""

    @contextmanager
    def of(self, networks: nn.Module) -> Iterator[None]:
        """Within the block, share out every call of these networks. All processes must make the same calls.

        A network must treat rows independently, except for batch normalisation in training, which may not follow a
        change of the number of rows.
        """
        shared = [module for name, module in networks.named_modules() if "parametrizations" not in name.split(".")]
        for module in shared:
            module.__dict__["forward"] = partial(self._call, module)
        try:
            yield
        finally:
            for module in shared:
                del module.__dict__["forward"]
            self._rows = 0

    def slice(self, rows: int) -> slice:
        """Return which of some rows this process computes."""
        return slice(rows * self.rank // self.size, rows * (self.rank + 1) // self.size)

    def _call(self, module: nn.Module, *inputs: Any, **named: Any) -> Any:
        """Compute a network for this process's rows, and return its output for all rows."""
        if self._rows:  # a part of a network
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
                return self._normalised(module, *inputs)
            return type(module).forward(module, *inputs, **named)
        self._rows = next(len(given) for given in (*inputs, *named.values()) if isinstance(given, Tensor))
        try:
            weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
            summed = cast(tuple[Tensor, ...], _Weights.apply(*weights.values())) if weights else ()
            mine = tuple(self._taken(given) for given in inputs)
            mine_named = {name: self._taken(given) for name, given in named.items()}
            found = functional_call(module, dict(zip(weights, summed, strict=True)), mine, mine_named)
            if isinstance(found, tuple):
                return tuple(self._whole(part) for part in found)
            return self._whole(found)
        finally:
            self._rows = 0

    def _taken(self, given: Any) -> Any:
        """This process's rows of an input; what is no tensor, e.g. no labels, as it is."""
        if not isinstance(given, Tensor):
            return given
        if given.requires_grad and torch.is_grad_enabled():
            return _Taken.apply(given, self)
        return given[self.slice(len(given))]

    def _whole(self, mine: Tensor) -> Tensor:
        return cast(Tensor, _Whole.apply(mine, self, self._rows))

    def gather(self, mine: Tensor, rows: int) -> Tensor:
        """Return all rows, of which each process has its own."""
        most = -(-rows // self.size)
        padded = mine.new_zeros((most, *mine.shape[1:]))
        padded[: len(mine)] = mine
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        with exchanging():
            dist.all_gather(parts, padded)
        ends = [rows * number // self.size for number in range(self.size + 1)]
        return torch.cat([part[: ends[number + 1] - ends[number]] for number, part in enumerate(parts)])

    def _normalised(self, layer: nn.modules.batchnorm._BatchNorm, values: Tensor) -> Tensor:
        """Batch normalisation in training, with the statistics of all rows."""
        others = [0, *range(2, values.ndim)]
        count = self._rows * prod(values.shape[2:])
        shape = (1, -1, *[1] * (values.ndim - 2))
        mean = cast(Tensor, _Sum.apply(values.sum(others))) / count
        centred = values - mean.view(shape)
        variance = cast(Tensor, _Sum.apply(centred.square().sum(others))) / count
        if layer.track_running_stats and layer.running_mean is not None and layer.running_var is not None:
            with torch.no_grad():
                assert layer.num_batches_tracked is not None
                layer.num_batches_tracked.add_(1)
                share = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
                layer.running_mean.lerp_(mean, share)
                layer.running_var.lerp_(variance * (count / (count - 1)), share)
        found = centred * (variance + layer.eps).rsqrt().view(shape)
        return torch.addcmul(layer.bias.view(shape), found, layer.weight.view(shape)) if layer.affine else found


def _sum(values: Tensor) -> Tensor:
    """Add up values over all processes, in place."""
    with exchanging():
        dist.all_reduce(values)
    return values


class _Weights(torch.autograd.Function):
    """Weights as a network computes with them; their gradients are added up over all processes, in one exchange."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> tuple[Tensor, ...]:
        return tuple(weight.view_as(weight) for weight in weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        together = _sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = together.split([gradient.numel() for gradient in gradients])
        return tuple(part.view(gradient.shape) for part, gradient in zip(parts, gradients, strict=True))


class _Taken(torch.autograd.Function):
    """This process's rows of what all processes have; their gradients come together from all."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sharing: Sharing) -> Tensor:
        ctx.sharing, ctx.rows = sharing, len(rows)
        return rows[sharing.slice(len(rows))].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.sharing.gather(gradients[0], ctx.rows), None


class _Whole(torch.autograd.Function):
    """All rows, of which each process has its own. All processes compute the same with them, so the gradient is there.

    It is the same in all processes: each takes that of its own rows.
    """

    @staticmethod
    def forward(ctx: Any, mine: Tensor, sharing: Sharing, rows: int) -> Tensor:
        ctx.sharing = sharing
        return sharing.gather(mine, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        [gradient] = gradients
        return gradient[ctx.sharing.slice(len(gradient))].contiguous(), None, None


class _Sum(torch.autograd.Function):
    """A sum over all processes, each of which computes with it for its own rows."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _sum(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor]:
        return (_sum(gradients[0].clone()),)
