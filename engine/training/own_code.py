"""What a plug-in's method and network must give, seen before the first step and at it: else a sentence names the line.

Only code of plug-ins is looked at; the application's own is tested.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.errors import PluginError
from engine.methods.base import Batch, Method, Posterior
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from engine.system.user_code import definition_words, error_words, place_of_error

OWN_STEP = ("penalty", "step")
"""Functions of a method in which its step is written, the more specific first."""

LOOKED_AT = 3
"""Images that `check_codes` encodes: a number that no tensor is likely to have by accident."""


def origin_of(method: Method) -> Origin | None:
    """The plug-in that a method, or the network it trains, comes from; None where both are the application's own."""
    config = method.config
    own_networks = "network" in method.ignores
    return METHODS.origin(config.objective) or (None if own_networks else NETWORKS.origin(config.network))


def place_of_step(config: RunConfig) -> str:
    """Return where a plug-in defines the step or the network of a run, e.g. "sparse.py, line 12"; empty if it is ours.

    The step of a method derived from `PenaltyMethod` is its `penalty`.
    """
    function = _function_of_step(config)
    return "" if function is None else definition_words(function)


def _function_of_step(config: RunConfig) -> Callable[..., Any] | None:
    method = METHODS[config.objective]
    if METHODS.origin(config.objective) is not None:
        functions = [getattr(method, name) for name in OWN_STEP if hasattr(method, name)]
        return next((each for each in functions if not each.__module__.startswith("engine.")), None)
    if "network" not in method.ignores and NETWORKS.origin(config.network) is not None:
        return type(NETWORKS[config.network]).decoder
    return None


@torch.no_grad()
def check_codes(method: Method, batch: Batch) -> None:
    """See that a method of a plug-in, or with its network, encodes and decodes. Raises PluginError.

    The batch has `LOOKED_AT` images or fewer. The networks are asked in evaluation mode, and stay as they are.
    """
    if origin_of(method) is None:
        return
    training = method.networks.training
    method.eval()
    images, latents = batch.images, method.latents
    shape, noise = (len(images), latents), torch.Generator(images.device).manual_seed(0)
    kind = f"float32 tensors of shape {shape} (images, latents)"
    posterior = _called(method, "encode", f"a Posterior of mean and log-variance, {kind}", images)
    if not isinstance(posterior, tuple) or len(posterior) != 2:
        raise _wrong(method, "encode", f"a Posterior of mean and log-variance, {kind}", posterior)
    for name, value in zip(("mean", "log-variance"), posterior, strict=True):
        _require(method, "encode", f"a {name} of shape {shape} (images, latents)", value, shape)
    z = posterior[0]
    if method.has("kl"):
        wanted = f"the KL divergence of each latent, of shape {shape} (images, latents)"
        _require(method, "kl", wanted, _called(method, "kl", wanted, Posterior(*posterior)), shape)
    if method.has("reconstruction"):
        wanted = f"z of shape {shape} (images, latents)"
        z = _require(method, "sample", wanted, _called(method, "sample", wanted, Posterior(*posterior), noise), shape)
    wanted = f"logits of shape {tuple(images.shape)} (images, channels, height, width)"
    _require(method, "logits", wanted, _called(method, "logits", wanted, z, batch.labels), tuple(images.shape))
    method.networks.train(training)


def check_terms(method: Method, terms: Any, scalars: Sequence[str], latents: int) -> None:
    """See that a step of a plug-in's method returned what its curves are made of. Raises PluginError.

    `scalars` are the names of the numbers it is to return; with `latents` also "kl_per_latent", of so many.
    """
    if METHODS.origin(method.config.objective) is None:
        return
    names = [*scalars, *(["kl_per_latent"] if latents else [])]
    wanted = f"a dict with {', '.join(names)}"
    if not isinstance(terms, dict):
        raise _wrong(method, "step", wanted, terms)
    if lacking := [name for name in names if name not in terms]:
        raise _wrong(method, "step", wanted, f"none for {', '.join(lacking)}")
    if more := sorted(terms.keys() - names - {"reconstruction", "kl", "kl_per_latent"}):
        raise _wrong(method, "step", wanted, f"{', '.join(map(str, more))} too, which its terms do not name")
    for name in scalars:
        _require(method, "step", f"{name}, a tensor with a single number", terms[name], ())
    if latents:
        wanted = f"kl_per_latent of shape {(latents,)} (latents)"
        _require(method, "step", wanted, terms["kl_per_latent"], (latents,))
    for name in names:
        if terms[name].requires_grad:
            raise _wrong(method, "step", f"{name} without its gradient: {name}.detach()", "it with its gradient")


def _called(method: Method, name: str, wanted: str, *arguments: Any) -> Any:
    """Call a method's function. What its own code raises is raised; an error of ours that it led to is named."""
    try:
        return getattr(method, name)(*arguments)
    except Exception as error:
        if place_of_error(error) is not None:
            raise
        raise _wrong(method, name, wanted, f"what led to {error_words(error)}") from error


def _require(method: Method, name: str, wanted: str, value: Any, shape: tuple[int, ...]) -> Tensor:
    """Return a value that is a tensor of finite floating-point numbers of this shape."""
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or not value.is_floating_point():
        raise _wrong(method, name, wanted, value)
    if not value.isfinite().all():
        found = "NaN" if value.isnan().any() else "an infinite number"
        raise _wrong(method, name, wanted, f"{found} in it" if shape else found)
    if name != "step" and value.dtype is not torch.float32:
        raise _wrong(method, name, f"{wanted}, float32", value)
    return value


def _wrong(method: Method, name: str, wanted: str, found: Any) -> PluginError:
    """Return the sentence that says what a function was to return, what it did return, and where it is."""
    origin = origin_of(method)
    assert origin is not None
    returned = found if isinstance(found, str) else _words(found)
    where = definition_words(_at_fault(method, name))
    return PluginError(
        f"{origin.words[:1].upper()}{origin.words[1:]}: {name} must return {wanted}, and returned {returned}"
        f"{f' ({where})' if where else ''}."
    )


def _at_fault(method: Method, name: str) -> Callable[..., Any]:
    """The function of the plug-in: the method's, or that which makes the network's encoder or decoder."""
    if METHODS.origin(method.config.objective) is not None:
        function: Callable[..., Any] = getattr(type(method), name)
        return (_function_of_step(method.config) or function) if name == "step" else function
    network = type(NETWORKS[method.config.network])
    return network.encoder if name == "encode" else network.decoder


def _words(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"
