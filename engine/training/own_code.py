"""Checks of what a plug-in's method and network return, before and at the first step; errors name the line.

Only code of plug-ins is checked; the application's own is tested.
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

CHECKED_IMAGES = 3
"""Number of images that `check_codes` encodes, which is unlikely to be a tensor's size by accident."""


def origin_of(method: Method) -> Origin | None:
    """Return the plug-in of a method, or of the network that it trains; None if both are the application's own."""
    config = method.config
    own_networks = "network" in method.ignores
    return METHODS.origin(config.objective) or (None if own_networks else NETWORKS.origin(config.network))


def place_of_step(config: RunConfig) -> str:
    """Return where a plug-in defines the step or the network of a run, e.g. "sparse.py, line 12"; empty if it is ours.

    The step of a method derived from `PenaltyMethod` is its `penalty`.
    """
    functions = _functions(METHODS[config.objective], config, "step")
    places = (definition_words(function) for origin, function in functions if origin is not None)
    return next((place for place in places if place), "")


def _functions(method: type[Method], config: RunConfig, name: str) -> list[tuple[Origin | None, Callable[..., Any]]]:
    """Functions that may be to blame for what the function `name` of a method returned, with their plug-ins."""
    own, network = METHODS.origin(config.objective), type(NETWORKS[config.network])
    networks = None if "network" in method.ignores else NETWORKS.origin(config.network)
    names = ["penalty", "step", "build"] if name == "step" else [name, "build"]
    return [
        *((own, getattr(method, each)) for each in names if hasattr(method, each)),
        (networks, network.encoder if name == "encode" else network.decoder),
    ]


@torch.no_grad()
def check_codes(method: Method, batch: Batch) -> None:
    """Check that a plug-in's method, or one with a plug-in's network, encodes and decodes. Raises PluginError.

    The batch has at most `CHECKED_IMAGES` images. The networks are called in evaluation mode and remain unchanged.
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
    posterior = posterior if isinstance(posterior, Posterior) else Posterior(*posterior)
    z = posterior.mean
    if method.has("kl"):
        wanted = f"the KL divergence of each latent, of shape {shape} (images, latents)"
        _require(method, "kl", wanted, _called(method, "kl", wanted, posterior), shape)
    if method.has("reconstruction"):
        wanted = f"z of shape {shape} (images, latents)"
        z = _require(method, "sample", wanted, _called(method, "sample", wanted, posterior, noise), shape)
    wanted = f"logits of shape {tuple(images.shape)} (images, channels, height, width)"
    _require(method, "logits", wanted, _called(method, "logits", wanted, z, batch.labels), tuple(images.shape))
    method.networks.train(training)


def check_terms(method: Method, terms: Any, scalars: Sequence[str], latents: int) -> None:
    """Check that a step of a plug-in's method returned the values of its curves. Raises PluginError.

    `scalars` are the names of the numbers that it must return, of which the method's own terms may be NaN; with
    `latents`, also "kl_per_latent", one for each.
    """
    if METHODS.origin(method.config.objective) is None:
        return
    names = [*scalars, *(["kl_per_latent"] if latents else [])]
    wanted = f"a dict with {', '.join(names)}"
    if not isinstance(terms, dict):
        raise _wrong(method, "step", wanted, terms)
    if lacking := [name for name in names if name not in terms]:
        raise _wrong(method, "step", wanted, f"none for {', '.join(lacking)}")
    own = {term.name for term in method.terms}
    if more := sorted(terms.keys() - own - set(names) - {"reconstruction", "kl", "kl_per_latent"}):
        raise _wrong(method, "step", wanted, f"{', '.join(map(str, more))} too, which its terms do not name")
    for name in scalars:
        value = terms[name]
        if name in own and isinstance(value, Tensor) and value.is_floating_point():
            value = value.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)
        _require(method, "step", f"{name}, a tensor with a single number", value, ())
    if latents:
        wanted = f"kl_per_latent of shape {(latents,)} (latents)"
        _require(method, "step", wanted, terms["kl_per_latent"], (latents,))
    for name in names:
        if terms[name].requires_grad:
            raise _wrong(method, "step", f"{name} without its gradient: {name}.detach()", "it with its gradient")


def _called(method: Method, name: str, wanted: str, *arguments: Any) -> Any:
    """Call a method's function. Errors in a plug-in's code are raised as they are, others that it causes explained."""
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
    """Return an error that says what a function must return, what it returned, and where it is defined."""
    origin, where = _at_fault(method, name)
    returned = found if isinstance(found, str) else _words(found)
    return PluginError(
        f"{origin.words[:1].upper()}{origin.words[1:]}: {name} must return {wanted}, and returned {returned}"
        f"{f' ({where})' if where else ''}."
    )


def _at_fault(method: Method, name: str) -> tuple[Origin, str]:
    """The plug-in whose code returned a value, and where: the method's function, or the one that returns a network."""
    for origin, function in _functions(type(method), method.config, name):
        if origin is not None and (where := definition_words(function)):
            return origin, where
    origin = origin_of(method)
    assert origin is not None
    return origin, ""


def _words(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"
