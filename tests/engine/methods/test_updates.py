"""Optimisers that leave torch's compiler out, against torch's own."""

import sys

import pytest
import torch

from engine.methods.updates import DISABLED, lean, update


def fitted(optimisers, weights):
    """The weights after 20 steps towards a fixed image of fixed inputs."""
    inputs, wanted = torch.linspace(-1, 1, 12).reshape(4, 3), torch.linspace(0, 2, 4)
    for _ in range(20):
        update(optimisers["all"], (inputs @ weights - wanted).square().sum())
    return weights.detach()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_their_steps_are_those_of_torch(kind):
    one, other = (torch.tensor([0.3, -0.2, 0.5], requires_grad=True) for _ in range(2))
    made = lean(lambda: {"all": kind([one], lr=0.01)})
    assert torch.equal(fitted(made, one), fitted({"all": kind([other], lr=0.01)}, other))
    assert (one.detach() - torch.tensor([0.3, -0.2, 0.5])).abs().max() > 0.01


def test_they_work_without_the_compiler(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # importing it raises an error
    for name in ("state_dict", "load_state_dict", "zero_grad", "add_param_group"):
        monkeypatch.delattr(getattr(torch.optim.Optimizer, name).__wrapped__, DISABLED, raising=False)
    weights = torch.tensor([0.3, -0.2, 0.5], requires_grad=True)
    made = lean(lambda: {"all": torch.optim.Adam([weights], lr=0.01)})
    fitted(made, weights)
    made["all"].load_state_dict(made["all"].state_dict())
    assert made["all"].state_dict()["state"][0]["step"] == 20


def test_an_optimiser_of_a_plug_in_keeps_its_own_step():
    class Halving(torch.optim.SGD):
        def step(self, closure=None):
            with torch.no_grad():
                for weight in self.param_groups[0]["params"]:
                    weight.mul_(0.5)

    weights = torch.tensor([8.0], requires_grad=True)
    update(lean(lambda: {"all": Halving([weights], lr=1.0)})["all"], weights.sum())
    assert weights.item() == 4
