"""Packed weights: how far rounding moves them, what is left alone, and what damaged ones say."""

import json
import tracemalloc
import zlib

import numpy as np
import pytest
import torch

from engine.runs.packed_weights import FINE, LEFT_OUT, PACKED, STEPS, pack, unpack


@pytest.fixture
def tensors():
    draw = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(5, 7, 4, 4, generator=draw) * torch.logspace(-4, 1, 5)[:, None, None, None],
        "a.bias": torch.randn(5, generator=draw),
        "far.weight": torch.cat([torch.full((2, 399), 1e-3), torch.full((2, 1), 50.0)], dim=1),
        "count": torch.tensor(12),
        "critic.weight": torch.randn(3, 3, generator=draw),
    }


def test_each_weight_moves_by_half_a_step_at_most(tensors):
    """The step is the root mean square of its row over FINE, computed here by numpy in double precision."""
    stored, about = pack(tensors, [])
    found, left_out = unpack(stored, about)
    assert left_out == ()
    assert found.keys() == tensors.keys()
    for name in ("a.weight", "far.weight", "critic.weight"):
        rows = tensors[name].double().numpy().reshape(len(tensors[name]), -1)
        step = np.sqrt((rows**2).mean(axis=1)) / FINE
        moved = np.abs(found[name].double().numpy().reshape(rows.shape) - rows).max(axis=1)
        assert (moved <= 0.501 * np.maximum(step, 2**-14)).all()
        assert found[name].shape == tensors[name].shape
    assert torch.equal(found["a.bias"], tensors["a.bias"])
    assert torch.equal(found["count"], tensors["count"])


def test_a_weight_takes_less_than_a_byte():
    weights = torch.randn(64, 1000, generator=torch.Generator().manual_seed(1))
    stored, _ = pack({"w": weights}, [])
    assert sum(t.numel() * t.element_size() for t in stored.values()) < weights.numel()


def test_what_is_left_out_is_named_and_not_stored(tensors):
    stored, about = pack(tensors, ["critic.weight"])
    found, left_out = unpack(stored, about)
    assert left_out == ("critic.weight",)
    assert "critic.weight" not in found.keys() | stored.keys()


def test_a_file_that_is_not_packed_stays_as_it_is(tensors):
    assert unpack(tensors, {"step": "3"}) == (tensors, ())
    assert unpack(tensors, {LEFT_OUT: '["x"]'}) == (tensors, ("x",))


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored, about: stored.pop("a.weight"),
        lambda stored, about: stored.pop("a.weight" + STEPS),
        lambda stored, about: stored.update({"a.weight": stored["a.weight"][:-40]}),
        lambda stored, about: stored.update({"a.weight": torch.zeros(30, dtype=torch.uint8)}),
        lambda stored, about: about.update({PACKED: json.dumps({"a.weight": [5, 7]})}),
        lambda stored, about: about.update({PACKED: json.dumps({"a.weight": [5, 10**9]})}),
        lambda stored, about: about.update({PACKED: json.dumps({"a.weight": "many"})}),
        lambda stored, about: about.update({PACKED: "[", LEFT_OUT: "[]"}),
    ],
)
def test_damaged_weights_are_reported(tensors, damage):
    stored, about = pack(tensors, [])
    damage(stored, about)
    with pytest.raises(ValueError, match=r"."):
        unpack(stored, about)


def test_a_small_file_cannot_claim_much_memory(tensors):
    """What a bomb would unpack to beyond its shape is never decompressed."""
    stored, about = pack(tensors, [])
    stored["a.weight"] = torch.frombuffer(bytearray(zlib.compress(bytes(10**8), 9)), dtype=torch.uint8)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="incomplete"):
            unpack(stored, about)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
