"""Shortened names."""

import pytest

from gui.widgets.words import shortened


@pytest.mark.parametrize(
    ("name", "most", "shown"),
    [
        ("table-1-conditional-beta-vae-seed-0", 17, "table-1-…e-seed-0"),
        ("table-1-conditional-vae-seed-1", 16, "table-1-…-seed-1"),
        ("short", 5, "short"),
        ("an entirely new run", 12, "an ent…w run"),
    ],
)
def test_a_long_name_keeps_both_ends(name, most, shown):
    assert shortened(name, most) == shown
    assert len(shown) <= most
