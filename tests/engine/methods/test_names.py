"""Nothing outside engine/methods knows a method by its name."""

import ast
from pathlib import Path

from engine.methods.registry import METHODS

ROOT = Path(__file__).resolve().parents[3]
REPORT = {"engine/evaluation/paper_tables.py", "engine/figures/report_figures.py"}
"""The report's own tables and figures."""


def named(source: str) -> set[str]:
    """The names of methods that a program's strings are, but for its docstrings' words."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in METHODS
    }


def test_the_check_finds_a_name():
    assert named("def f(config):\n    return config.objective == 'beta-tcvae'") == {"beta-tcvae"}


def test_no_file_outside_the_methods_names_one():
    found = {}
    for folder in ("engine", "gui"):
        for path in (ROOT / folder).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            names = named(path.read_text("utf-8"))
            if names and not place.startswith("engine/methods/"):
                found[place] = names
    assert found.pop("engine/settings/run_config.py") == {"annealed-relu"}  # the default
    assert found.pop("gui/help/illustrations.py") == {"vae"}  # a help topic's picture of the network
    assert set(found) == REPORT
