"""What there is by name: what plug-ins bring comes and goes, and what is absent has a stand-in."""

import pytest

from engine.system.registry import Origin, Registry, needed

SPARSE = Origin("sparse", "1.0", "f" * 64, "/plugins/sparse.py")


def test_what_is_added_comes_last_and_knows_where_it_is_from():
    registry = Registry({"b": 1, "a": 2})
    registry.add("c", 3, SPARSE)
    assert (list(registry), list(registry.values()), len(registry)) == (["b", "a", "c"], [1, 2, 3], 3)
    assert (registry.origin("c"), registry.origin("a")) == (SPARSE, None)
    with pytest.raises(ValueError, match="a is taken"):
        registry.add("a", 4, SPARSE)
    del registry["c"]
    assert (list(registry.items()), registry.origin("c")) == ([("b", 1), ("a", 2)], None)
    with pytest.raises(KeyError):
        del registry["c"]


def test_a_stand_in_is_found_by_its_name_and_nowhere_listed():
    registry = Registry({"a": 1})
    registry.stand_in("z", 26, SPARSE)
    assert registry["z"] == registry.get("z") == 26
    assert ("z" in registry, list(registry), len(registry)) == (False, ["a"], 1)
    assert (registry.missing("z"), registry.missing("a"), registry.missing("y")) == (SPARSE, None, None)
    assert registry.every() == [1, 26]
    registry.add("z", 2, SPARSE)
    assert (registry["z"], registry.missing("z"), registry.every()) == (2, None, [1, 2])
    with pytest.raises(KeyError):
        registry["y"]


def test_the_plugin_in_a_sentence():
    assert SPARSE.needed_by("The method Sparse VAE") == (
        "The method Sparse VAE needs the plug-in sparse 1.0, which is not loaded. Add or allow its file under "
        "Plug-ins in the settings or with main.py plugins, or install its package."
    )
    other = Origin("blobs", "2.0", "e" * 64)
    assert needed({SPARSE: ["the method Sparse VAE"], other: ["the data set Blobs"]}) == (
        "The method Sparse VAE needs the plug-in sparse 1.0; the data set Blobs needs the plug-in blobs 2.0; none of "
        "these is loaded. Add or allow their files under Plug-ins in the settings or with main.py plugins, or install "
        "their packages."
    )
    assert needed({}) == ""
