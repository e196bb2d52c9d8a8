"""A training step, used by the trainer and timed by the estimate."""

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from engine.methods.base import Batch, Context, Method
from engine.methods.updates import lean
from engine.training.own_code import check_terms
from engine.training.sharing import Sharing

SHARED = ("loss", "reconstruction", "kl")
"""Terms that all methods report, unless they lack them."""


class Stepper:
    """A method with its optimisers and its noise.

    `images` is the number of training images, `total` that of the run's steps. `names` are the terms that a step
    reports, in the order of its values: loss, reconstruction, KL, the method's own terms, then the KL of each latent,
    without those that the method lacks. `sharing` is this process's part if several take each step together.
    """

    def __init__(
        self,
        method: Method,
        device: torch.device,
        images: int,
        steps_per_epoch: int,
        total: int,
        sharing: Sharing | None = None,
    ) -> None:
        self.method, self._sharing = method, sharing
        self.optimisers = lean(method.optimisers)
        self.noise = torch.Generator(device).manual_seed(method.config.seed)
        self._scalars = (*(name for name in SHARED if method.has(name)), *own_terms(method))
        self.kl_columns = method.kl_columns(method.config)
        self.names = (*self._scalars, *(f"kl_{i}" for i in range(self.kl_columns)))
        # Apple's GPUs have no float64. On a CUDA GPU, values stay there until they are read, so that steps do not wait.
        self.at = device if device.type == "cuda" else torch.device("cpu")
        self._images, self._steps_per_epoch, self._total = images, steps_per_epoch, total
        self._checked = False

    def __call__(self, batch: Batch, step: int) -> Tensor:
        """Take step `step`, counted from 1, and return the values of `names`, float64, which may not be finite.

        The first step raises PluginError if a plug-in's method returns anything but the required terms.
        """
        own, length = self.method.config.method, (self._steps_per_epoch, self._total)
        self.method.settings = own.at(step, *length)
        jumped = own.jumped(step, *length)
        context = Context(step, self._steps_per_epoch, self._images, self.noise, self.optimisers, jumped)
        with nullcontext() if self._sharing is None else self._sharing.of(self.method.networks):
            terms = self.method.step(batch, context)
        if not self._checked:
            check_terms(self.method, terms, self._scalars, self.kl_columns)
            self._checked = True
        values = [torch.stack([terms[name] for name in self._scalars])]
        values += [terms["kl_per_latent"]] if self.kl_columns else []
        return torch.cat(values).to(self.at).double()


def own_terms(method: Method | type[Method]) -> tuple[str, ...]:
    """Return the names of a method's own terms."""
    return tuple(term.name for term in method.terms)


def seed_of_new_noise(seed: int, step: int) -> int:
    """Return the seed of the noise after a change of device, since generator states cannot be transferred."""
    return int(np.random.default_rng((seed, 2**31 + 2, step)).integers(2**62))
