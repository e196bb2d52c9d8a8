"""The trainer state in `trainer-<step>.pt`, validated completely before any of it is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MAX_SECONDS = 1e12
"""More seconds than any run trains."""

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Adam's running means of a parameter's gradient and of its square."""


@dataclass(frozen=True, slots=True)
class TrainerState:
    """The state of a trainer at a step.

    `moments` holds Adam's state for each optimiser, by parameter number; nothing for one that has not taken a step yet,
    while another has. `noise` is the state of a random generator of `device`; states differ between devices. `sums`,
    (terms,), are over the `summed` steps since the last row of the curves. `device` is empty in files of version 1.0.0.
    `processes` is the number of those that took each step together.
    """

    moments: dict[str, dict[int, dict[str, Tensor]]]
    noise: Tensor
    sums: Tensor
    summed: int
    seconds: float
    device: str
    processes: int

    @classmethod
    def parse(
        cls, values: Any, step: int, optimisers: Mapping[str, torch.optim.Optimizer], terms: Sequence[str]
    ) -> "TrainerState":
        """Validate a file's content, which must be of this step and fit these optimisers and terms.

        Version 1.0.0 wrote one "optimiser", and sums without the method's own terms; these are NaN until their row is
        written. Raises ValueError whose message can end a sentence.
        """
        if not isinstance(values, dict):
            raise ValueError("it holds no trainer state")
        if "optimiser" in values and len(optimisers) == 1:
            values = values | {"optimisers": {next(iter(optimisers)): values["optimiser"]}}
        for name in ("step", "optimisers", "noise", "sums", "summed", "seconds"):
            if name not in values:
                raise ValueError(f"it lacks {name!r}")
        if values["step"] != step or not _is_count(values["step"]):
            raise ValueError("it belongs to another step than the weights")
        if not (_is_tensor(values["noise"], None, torch.uint8) and values["noise"].ndim == 1):
            raise ValueError("'noise' is not a state of a random generator")
        sums = _sums(values, terms)
        if not (_is_count(values["summed"]) and values["summed"] <= step):
            raise ValueError("'summed' must be a number of steps, at most the number taken")
        seconds = values["seconds"]
        if not (isinstance(seconds, float | int) and 0 <= seconds <= MAX_SECONDS):
            raise ValueError("'seconds' is not a length of time")
        found = values["optimisers"]
        if not isinstance(found, dict) or found.keys() != optimisers.keys():
            raise ValueError(f"'optimisers' must be {', '.join(optimisers)}")
        idle = {name for name, each in found.items() if isinstance(each, dict) and each.get("state") == {}}
        idle = idle if idle < found.keys() else set()
        moments = {
            name: {} if name in idle else _moments(found[name], _parameters(each)) for name, each in optimisers.items()
        }
        device = values.get("device", "")
        if not isinstance(device, str):
            raise ValueError("'device' is not a name")
        processes = values.get("processes", 1)
        if not _is_count(processes) or processes < 1:
            raise ValueError("'processes' must be a number of processes")
        return cls(moments, values["noise"], sums, values["summed"], float(seconds), device, processes)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _sums(values: dict[str, Any], terms: Sequence[str]) -> Tensor:
    """The sums of these terms; NaN for a method's own terms in a file of version 1.0.0."""
    sums, every = values["sums"], list(terms)
    shared = [i for i, name in enumerate(every) if name in ("loss", "reconstruction", "kl") or name.startswith("kl_")]
    known = values.get("terms", [every[i] for i in shared])
    if not (isinstance(known, list) and _is_tensor(sums, (len(known),), torch.float64)):
        raise ValueError(f"'sums' must be {len(every)} numbers")
    if known not in (every, [every[i] for i in shared]):
        raise ValueError("'terms' are not those of the method")
    found = torch.full((len(every),), torch.nan, dtype=torch.float64)
    found[torch.arange(len(every)) if known == every else torch.tensor(shared)] = sums
    if not found[shared].isfinite().all() or found.isinf().any():
        raise ValueError(f"'sums' must be {len(every)} finite numbers")
    return found


def _moments(optimiser: Any, parameters: Sequence[Tensor]) -> dict[int, dict[str, Tensor]]:
    """Adam's state by parameter number; its settings in the file are ignored in favour of the run's."""
    found = optimiser.get("state") if isinstance(optimiser, dict) else None
    if not isinstance(found, dict) or found.keys() != set(range(len(parameters))):
        raise ValueError(f"'optimiser' is not a state of Adam for {len(parameters)} parameters")
    for number, parameter in enumerate(parameters):
        state = found[number]
        if not isinstance(state, dict) or state.keys() != {"step", *MOMENTS}:
            raise ValueError(f"'optimiser' is not a state of Adam at parameter {number}")
        shapes = {"step": (), **dict.fromkeys(MOMENTS, tuple(parameter.shape))}
        for name, shape in shapes.items():
            if not _is_tensor(state[name], shape, torch.float32):
                raise ValueError(f"'optimiser' does not fit: {name} of parameter {number}")
        # The square of a very large gradient may be infinite.
        if not (state["step"] >= 1 and state["exp_avg"].isfinite().all() and (state["exp_avg_sq"] >= 0).all()):
            raise ValueError(f"'optimiser' holds numbers that Adam cannot have at parameter {number}")
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_tensor(value: object, shape: tuple[int, ...] | None, dtype: torch.dtype) -> bool:
    """Whether a value is an ordinary tensor of this shape (None: any) and type."""
    return (
        isinstance(value, Tensor)
        and value.device.type == "cpu"
        and value.layout is torch.strided
        and value.dtype is dtype
        and (shape is None or tuple(value.shape) == shape)
    )
