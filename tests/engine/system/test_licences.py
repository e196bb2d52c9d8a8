"""Licence notices of all installed requirements, with their texts."""

import json
import sys
from pathlib import Path

import numpy
import pytest

from engine.system import licences
from engine.system.licences import notices, write_notices


@pytest.fixture(scope="module")
def by_name():
    return {notice.name: notice for notice in notices()}


def test_every_requirement_of_the_project_has_a_notice(by_name):
    import tomllib

    project = tomllib.loads((Path(licences.__file__).parents[2] / "pyproject.toml").read_text())["project"]
    names = {licences._normal(name) for name in by_name}
    for requirement in project["dependencies"]:
        assert licences._normal(licences.Requirement(requirement).name) in names
    assert "pytest" not in names
    assert "scipy" in names  # required by scikit-learn


def test_notices_agree_with_the_packages(by_name):
    assert by_name["Python"].text.startswith("A. HISTORY OF THE SOFTWARE")
    assert by_name["numpy"].version == numpy.__version__
    assert "BSD-3-Clause" in by_name["numpy"].licence
    assert "NumPy Developers" in by_name["numpy"].text
    for name in ("PySide6_Essentials", "shiboken6"):
        assert "GNU LESSER GENERAL PUBLIC LICENSE" in by_name[name].text
    without = [n.name for n in by_name.values() if not n.text and n.licence != "not stated"]
    assert not without


def test_a_build_has_the_notices_of_its_files_only(tmp_path, monkeypatch):
    own = tmp_path / "libown.so.1"
    own.write_bytes(b"")
    write_notices([Path(numpy.__file__), own, Path(sys.executable)], tmp_path / "licences.json")
    assert [values["name"] for values in json.loads((tmp_path / "licences.json").read_text())] == [
        "libown.so.1",
        "numpy",
        "Python",
    ]
    monkeypatch.setattr(licences, "BUILT", tmp_path / "licences.json")
    assert [notice.name for notice in notices()] == ["libown.so.1", "numpy", "Python"]
