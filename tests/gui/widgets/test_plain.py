"""Text from files is displayed literally: it is never interpreted as HTML, and nothing it refers to is loaded."""

import json
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, Qt
from PySide6.QtGui import QAction, QTextDocument
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QLabel, QMessageBox, QWidget

import gui
from engine.evaluation.catalogue import VERSION
from engine.runs.run import Run, RunState
from engine.settings.presets import save_preset
from engine.settings.run_config import RunConfig
from gui.runs.compare import CompareDialog
from gui.runs.export import JobDialog, KindDialog
from gui.settings.asking import may
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain, for_button, message_box, tip
from gui.window.errors import ErrorDialog, Problem

Role = Qt.ItemDataRole
BAD = '<img src="file:///etc/hostname"><b>x</b>'


def plain(text):
    """Return how Qt displays a tooltip, and whether that would load anything."""
    if not GuiQt.mightBeRichText(text):
        return text
    document = QTextDocument()
    document.setHtml(text)
    images = [
        fragment.fragment()
        for block in _blocks(document)
        for fragment in block
        if fragment.fragment().charFormat().isImageFormat()
    ]
    assert not images, text
    return document.toPlainText()


def _blocks(document):
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def texts_of(widget):
    """Return all texts of a widget and its children that Qt might interpret as HTML: labels, tooltips, items, ...."""
    found = []
    for each in [widget, *widget.findChildren(QWidget)]:
        found += [each.toolTip(), each.statusTip(), each.whatsThis()]
        if isinstance(each, QLabel) and each.textFormat() != Qt.TextFormat.PlainText:
            found.append(each.text())
        if isinstance(each, QAbstractItemView) and each.model() is not None:
            found += item_words(each.model())
        if isinstance(each, QComboBox):
            found += item_words(each.model())
    found += [action.toolTip() for action in widget.findChildren(QAction)]
    return [text for text in found if text]


def item_words(model: QAbstractItemModel):
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount()
    places = [model.index(row, column) for row in range(model.rowCount()) for column in range(columns)]
    headings = [model.headerData(n, Qt.Orientation.Horizontal, Role.ToolTipRole) for n in range(columns)]
    found = [place.data(role) for place in places for role in (Role.ToolTipRole, Role.StatusTipRole)]
    return [str(text) for text in (*found, *headings) if text]


def assert_shown_as_written(widget):
    """Check that no text from a file appears as an image or in bold, and that hostile text is visible as text."""
    texts = texts_of(widget)
    for text in texts:
        shown = plain(text)
        assert "<b>x</b>" in shown or "/etc/hostname" not in text, text
    return texts


@pytest.fixture
def hostile(tmp_path):
    """Runs in which every string is an HTML image: name, tags, latents, message, time, reasons, protocol, data."""
    root = tmp_path / "runs"
    for seed in (0, 1):
        config = RunConfig(
            dataset="images", data_folder=tmp_path / BAD.replace("/", "∕"), objective="vae", seed=seed, latents=2
        )
        run = Run.create(root, config, f"{seed} {BAD}")
        marks = {"name": f"{seed} {BAD}", "tags": [BAD], "latents": {"0": BAD, "1": "<b>x</b>"}, "notes": BAD}
        run.write_marks(marks)
        run.write_state(RunState("failed", 20, 100, BAD))
        values = json.loads((run.path / "config.json").read_text())
        (run.path / "config.json").write_text(json.dumps(values | {"created": BAD, "versions": {BAD: BAD}}))
        protocol = {"name": BAD, "n": 10, "split": BAD, "factors": [BAD]}
        table = {"factors": [BAD, "y"], "latents": [[0.1, 0.2], [0.9, 0.0]]}
        metrics = {
            "reconstruction": {"value": 41.0 + seed, "unit": "", "protocol": protocol},
            "kl": {"value": 5.0, "unit": "", "protocol": protocol},
            "sap": {"value": None, "reason": BAD},
            "mig": {"value": 0.1, "unit": "", "protocol": protocol, "mutual_information": table},
        }
        run.write_evaluation(
            {"step": 20, "checkpoint": f"{VERSION}-a", "metrics": metrics, "kl_per_latent": [0.5, 3.0]}
        )
        rows = "".join(f"{n},{n / 10},{n},9,8,1,,0.5,0.5\n" for n in range(1, 21))
        run.metrics_file.write_text(f"step,epoch,seconds,loss,reconstruction,kl,capacity,kl_0,kl_1\n{rows}")
    return root


def test_no_text_of_a_run_is_interpreted_as_html_anywhere(qtbot, window, hostile, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save_preset(f"preset {BAD}", BAD, RunConfig(dataset="digits"))
    window.training_page.settings._list_presets()
    window.store.refresh()
    assert [item.name for item in window.store.items if "<b>" in item.name]
    window.run_list.view.selectAll()
    window.banner.say(BAD)
    window.banner.offer(BAD, "Yes", lambda: None, lambda: None)
    said = []
    for page in range(window.pages.count()):
        window._show_page(page)
        QApplication.processEvents()
        said += assert_shown_as_written(window)
    assert any("etc/hostname" in text for text in said)  # the text is there, as text


def test_dialogs_show_text_from_files_literally(qtbot, window, hostile):
    window.store.refresh()
    items = window.store.items
    error = ErrorDialog(window, BAD)
    error.add(Problem(BAD, BAD, BAD, BAD))
    for dialog in (
        CompareDialog(items, window),
        KindDialog(window, [items[0].run]),
        error,
        message_box(QMessageBox.Icon.Question, "title", BAD, BAD, parent=window),
    ):
        assert_shown_as_written(dialog)
        dialog.deleteLater()
    job = JobDialog(window, "Import", lambda: iter(()))
    job.what.setText(BAD)
    assert_shown_as_written(job)
    job.deleteLater()


def test_confirmations_show_text_from_files_literally(qtbot, window, settings, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(assert_shown_as_written(box)) or 0)
    may(window, settings, "ask_preset", f"Delete “{BAD}”?", BAD, "Delete", "Keep")
    assert any("etc/hostname" in text for text in asked[0])


def test_qts_own_dialogs_get_plain_text(window, monkeypatch):
    from PySide6.QtWidgets import QInputDialog

    from gui.widgets.number_question import NumberQuestion
    from gui.widgets.plain import ask_text

    given = []
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: given.append(a[2]) or ("", False))
    ask_text(window, "t", f"Tags of {BAD}")
    assert [plain(text) for text in given] == [f"Tags of {BAD}"]
    question = NumberQuestion(window, "t", f"Epochs of {BAD}", 1, 1, 2)
    assert_shown_as_written(question)
    assert f"Epochs of {BAD}" in [each.text() for each in question.findChildren(QLabel)]


def test_text_is_escaped_only_where_qt_would_interpret_it_as_html():
    assert as_plain("a < b & c") == "a < b & c"
    assert plain(as_plain(f"{BAD}\nsecond & line")) == f"{BAD}\nsecond & line"
    assert plain(tip(BAD, "two", title=BAD)).split("\n") == [BAD, BAD, "two"]
    assert tip() == ""
    assert for_button("A & B") == "A && B"


def test_labels_are_plain_text(qtbot):
    made = label(BAD)
    qtbot.addWidget(made)
    assert made.textFormat() == Qt.TextFormat.PlainText
    assert made.text() == BAD


def test_the_facts_of_a_data_set_are_shown_literally(qtbot, window, tmp_path):
    from dataclasses import replace

    import numpy as np

    from engine.data import load_dataset
    from engine.data.dataset import Factors
    from gui.data.details import Details

    digits = load_dataset("digits")
    bad = replace(
        digits,
        source=BAD,
        label_names=(BAD,) * digits.classes,
        notes=(BAD,),
        factors=Factors((BAD,), (np.arange(len(digits), dtype=float),), table=np.arange(len(digits))[:, None]),
    )
    page = window.data_page
    page.show_entry("digits")
    page._asked = "asked"
    page._answered("asked", Details(bad, bad.images(np.arange(4)), np.arange(4)))
    assert plain(page.facts.text()).count(BAD) >= 4
    assert_shown_as_written(page)


@pytest.mark.parametrize("given", ["plain", "two\nlines\x1b[31m\u202e"])
def test_a_name_typed_in_the_list_is_cleaned(qtbot, window, tmp_path, given):
    Run.create(tmp_path / "runs", RunConfig(dataset="digits"))
    window.store.refresh()
    model = window.run_list.view.model()
    model.setData(model.index(0, 0), given, Role.EditRole)
    window.store.refresh()
    assert window.store.items[0].name == {"plain": "plain"}.get(given, "two lines[31m")


def test_labels_and_dialogs_are_made_in_one_place():
    """A label, message box or input dialog made elsewhere would let Qt guess whether its text is HTML."""
    folder = Path(gui.__file__).parent
    for file in folder.rglob("*.py"):
        made = re.findall(
            r"\b(QLabel\((?!\))|QMessageBox\(|QMessageBox\.[a-z]|QInputDialog\.)", file.read_text("utf-8")
        )
        place = file.relative_to(folder).as_posix()
        assert not made or place in ("widgets/layouts.py", "widgets/plain.py"), (place, made)
