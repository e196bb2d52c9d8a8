"""Only the settings card accesses its form."""

import ast
from pathlib import Path

import gui

CARD = Path("training/settings_card.py")


def test_no_other_module_reaches_into_the_form_of_the_card():
    root = Path(gui.__file__).parent
    users = {
        path.relative_to(root)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "form"
    }
    assert users == {CARD}


def test_using_a_data_set_keeps_the_other_settings(window, tmp_path):
    card = window.training_page.settings
    card.form.set_values(seed=41, latents=7)
    before = card.form.config()
    card.use_data("mnist", tmp_path)
    assert card.form.config() == before.changed(dataset="mnist", data_folder=tmp_path)
