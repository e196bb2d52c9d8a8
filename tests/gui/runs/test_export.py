"""Exporting runs from the window: kind, file, progress, cancel, closing message."""

import zipfile

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QPushButton, QRadioButton, QWidget

from engine.errors import StudioError
from engine.jobs.events import Finished, Progress
from gui.runs import export
from gui.runs.export import JobDialog, KindDialog, ask_and_export_curves, export_runs
from gui.training.view_options import ViewOptions


@pytest.fixture
def parent(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def save_as(monkeypatch):
    """Answer the file dialog; return the proposed name."""
    asked = []

    def answer(path):
        monkeypatch.setattr(export, "ask_file", lambda *question: asked.append(question[3:]) or path)
        monkeypatch.setattr(export, "ask_new_folder", lambda *question: asked.append(question[3:]) or path)
        return asked

    return answer


def choose(qtbot, title):
    """When the dialog opens, select the kind with this title and press "Save as"."""

    def press():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, KindDialog)
        choices = {button.text(): button for button in dialog.findChildren(QRadioButton)}
        choices[title].click()
        qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, press)


@pytest.mark.parametrize(
    ("title", "name", "proposed"),
    [
        ("Curves as a figure", "out.svg", "tiny-curves"),
        ("Curves as a table", "out.csv", "tiny-curves"),
        ("Complete run", "out.zip", "tiny-run"),
        ("TensorBoard event files", "out", "tiny-tensorboard"),
    ],
)
def test_a_run_is_exported_as_chosen(qtbot, parent, settings, tmp_path, tiny_run, save_as, title, name, proposed):
    if name == "out":
        pytest.importorskip("tensorboard")
    asked = save_as(tmp_path / name)
    choose(qtbot, title)
    words = export_runs(parent, settings, [tiny_run])
    assert words.startswith(f"Saved to {tmp_path / name}")
    assert asked[0][0] == proposed
    if name == "out.svg":
        assert b"<svg" in (tmp_path / name).read_bytes()
    elif name == "out.csv":
        assert (tmp_path / name).read_bytes() == tiny_run.metrics_file.read_bytes()
    elif name == "out.zip":
        assert "tiny/config.json" in zipfile.ZipFile(tmp_path / name).namelist()
    else:
        assert list((tmp_path / name).glob("tiny/events*"))


def test_curves_are_exported_without_asking_for_the_kind(parent, settings, tmp_path, tiny_run, save_as):
    asked = save_as(tmp_path / "both.csv")
    assert (
        ask_and_export_curves(parent, settings, [tiny_run, tiny_run], ViewOptions())
        == f"Saved to {tmp_path / 'both.csv'}"
    )
    assert asked[0][0] == "2-runs-curves"
    assert [each.ending for each in asked[0][1]] == ["png", "svg", "pdf", "csv"]


def test_nothing_is_saved_if_the_user_cancels(parent, settings, tiny_run, save_as):
    save_as(None)
    assert ask_and_export_curves(parent, settings, [tiny_run], ViewOptions()) == ""
    QTimer.singleShot(0, lambda: QApplication.activeModalWidget().reject())
    assert export_runs(parent, settings, [tiny_run]) == ""


def test_a_failure_is_explained(parent, settings, tmp_path, tiny_run, save_as):
    (tmp_path / "file").write_bytes(b"")
    save_as(tmp_path / "file" / "curves.csv")
    with pytest.raises(StudioError, match=r"curves\.csv cannot be written"):
        ask_and_export_curves(parent, settings, [tiny_run], ViewOptions())


def test_progress_is_shown_and_cancel_ends_the_job(qtbot, parent):
    closed = []

    def job():
        try:
            for number in range(1_000_000):
                yield Progress(number, 1_000_000, "Saving", "files")
            yield Finished(message="Saved")
        finally:
            closed.append(True)

    dialog = JobDialog(parent, "Export", job)

    def cancel():
        qtbot.waitUntil(lambda: dialog.bar.value() > 0)
        assert dialog.what.text() == "Saving…"
        assert dialog.bar.maximum() == 1_000_000
        qtbot.mouseClick(dialog.findChild(QPushButton), Qt.MouseButton.LeftButton)

    QTimer.singleShot(0, cancel)
    assert dialog.carry_out() == ""
    assert closed == [True]


def test_if_tensorboard_is_missing_the_choice_says_how_to_install_it(qtbot, parent, tiny_run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    dialog = KindDialog(parent, [tiny_run, tiny_run])
    choices = {button.text(): button for button in dialog.findChildren(QRadioButton)}
    assert not choices["TensorBoard event files"].isEnabled()
    assert "pip install tensorboard" in choices["TensorBoard event files"].accessibleDescription()
    assert choices["Complete runs"].isEnabled()
