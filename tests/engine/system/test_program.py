"""What messages call this program, from source and in the standalone."""

import sys

import pytest

from engine.system import program


def test_from_source_it_is_a_script_of_python():
    assert (program.NAME, program.COMMAND) == ("main.py", "python main.py")


@pytest.mark.parametrize(
    ("system", "file", "name"),
    [
        ("linux", "/opt/studio/DisentangleStudio", "DisentangleStudio"),
        ("win32", "/opt/studio/DisentangleStudio-console.exe", "DisentangleStudio-console"),
        ("win32", "/opt/studio/DisentangleStudio.exe", "DisentangleStudio-console"),  # the window, which cannot print
    ],
)
def test_the_standalone_is_called_by_its_file(monkeypatch, system, file, name):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "executable", file)
    assert program.name_in_a_terminal() == name
