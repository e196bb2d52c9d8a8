"""Dialogs that ask where to save: extensions, replacing, and the last folder."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from engine.errors import ConfigError
from gui.widgets import save_dialog
from gui.widgets.save_dialog import (
    CSV,
    MARKDOWN,
    PDF,
    PICTURES,
    PNG,
    SVG,
    ask_file,
    ask_new_folder,
    last_folder,
    proposed_name,
    with_ending,
)


@pytest.fixture
def parent(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def answers(monkeypatch):
    """The user's successive inputs in the file dialog: (path, filter), or None to cancel."""
    given: list[tuple[Path, str] | None] = []
    seen: list[tuple[str, list[str]]] = []

    def run(dialog):
        seen.append((dialog.directory().absolutePath(), [Path(p).name for p in dialog.selectedFiles()]))
        answer = given.pop(0)
        if answer is None:
            return 0
        dialog.selectNameFilter(answer[1])
        dialog.selectFile(str(answer[0]))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", run)
    yield given, seen
    assert given == []


@pytest.fixture
def boxes(monkeypatch):
    """Texts of message boxes; each is answered with the button whose text is in `press`."""
    said: list[str] = []
    press: list[str] = []

    def run(box):
        said.append(box.text())
        next(button for button in box.buttons() if button.text() == press[0]).click()
        press.pop(0)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", run)
    monkeypatch.setattr(save_dialog, "show_problem", lambda parent, title, problem: said.append(problem.happened))
    return said, press


@pytest.mark.parametrize(
    ("typed", "chosen", "saved"),
    [
        ("grid", PNG, "grid.png"),
        ("grid", SVG, "grid.svg"),
        ("grid.pdf", PNG, "grid.pdf"),
        ("grid.PNG", SVG, "grid.PNG"),
        ("beta 0.5", SVG, "beta 0.5.svg"),
        ("v1.2", PNG, "v1.2.png"),
        ("grid.", PDF, "grid.pdf"),
    ],
)
def test_the_extension_is_that_of_the_chosen_format_unless_one_is_typed(typed, chosen, saved):
    assert with_ending(Path("/a.b") / typed, chosen, PICTURES) == Path("/a.b") / saved


@pytest.mark.parametrize("typed", ["table.png", "table.xlsx", "table.md5"])
def test_another_extension_is_refused_with_a_list_of_valid_ones(typed):
    with pytest.raises(ConfigError, match=rf"{typed} cannot be saved.* \.csv or \.md\."):
        with_ending(Path("/a") / typed, CSV, (CSV, MARKDOWN))


def test_a_name_is_made_of_the_run_and_the_content():
    assert proposed_name(["annealed ReLU · 0"], "traversal") == "annealed-ReLU-0-traversal"
    assert proposed_name(["a/b", "c"], "curves") == "2-runs-curves"
    assert Path(proposed_name(["../../x"], "curves")).name == proposed_name(["../../x"], "curves")


def test_the_extension_is_added_and_the_folder_remembered(parent, settings, tmp_path, answers):
    given, seen = answers
    given += [(tmp_path / "mine", "SVG drawing (*.svg)"), None]
    assert ask_file(parent, settings, "Save", "proposed", PICTURES) == tmp_path / "mine.svg"
    assert seen[0][1] == ["proposed"]
    assert last_folder(settings) == tmp_path
    assert ask_file(parent, settings, "Save", "proposed", PICTURES) is None
    assert seen[1][0] == str(tmp_path)


def test_a_wrong_extension_is_explained_and_asked_again(parent, settings, tmp_path, answers, boxes):
    given, _ = answers
    given += [(tmp_path / "mine.jpg", "PNG image (*.png)"), (tmp_path / "mine.png", "PNG image (*.png)")]
    assert ask_file(parent, settings, "Save", "x", PICTURES) == tmp_path / "mine.png"
    assert len(boxes[0]) == 1
    assert "mine.jpg cannot be saved" in boxes[0][0]
    assert list(tmp_path.glob("mine*")) == []


@pytest.mark.parametrize("replace", [True, False])
def test_an_existing_file_is_replaced_only_on_confirmation(parent, settings, tmp_path, answers, boxes, replace):
    (tmp_path / "mine.png").write_bytes(b"old")
    (said, press), (given, _) = boxes, answers
    press.append("Replace" if replace else "Choose another name")
    given += [(tmp_path / "mine", "PNG image (*.png)")] + ([] if replace else [None])
    wanted = tmp_path / "mine.png" if replace else None
    assert ask_file(parent, settings, "Save", "x", PICTURES) == wanted
    assert said == ["mine.png already exists."]


def test_a_remembered_folder_that_is_gone_is_forgotten(settings, tmp_path):
    settings.setValue("save-folder", str(tmp_path / "gone"))
    assert last_folder(settings).is_dir()


def test_a_new_folder_gets_an_unused_name(parent, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    (tmp_path / "events").mkdir()
    assert ask_new_folder(parent, settings, "Save", "events") == tmp_path / "events-2"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    assert ask_new_folder(parent, settings, "Save", "events") is None
