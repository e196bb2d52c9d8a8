"""Representations from elsewhere on the Metrics page: dropped or opened, evaluated, and what they cannot do."""

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from engine.evaluation.catalogue import METRICS
from gui.window.header import TABS

GRID = np.stack(np.meshgrid(range(4), range(5), range(6), indexing="ij"), axis=-1).reshape(-1, 3)


def write(path, **arrays):
    np.savez(path, **{"codes": GRID, "factors": GRID, "factor_names": ["x", "y", "hue"]} | arrays)
    return path


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window.dropEvent(
        QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.NoModifier)
    )


@pytest.fixture
def only_mig(monkeypatch, window):
    monkeypatch.setattr(type(window.metrics_page.chooser), "metrics", ["mig", "total_correlation"])


def test_a_dropped_representation_is_scored_beside_the_runs(qtbot, window, tmp_path, only_mig):
    window._show_page(TABS.index("Metrics"))
    drop(window, write(tmp_path / "theirs.npz"))
    page = window.metrics_page
    qtbot.waitUntil(
        lambda: any(each.rows[0].value("mig") is not None for each in page.full.lines) and not window.evaluation.active,
        timeout=60_000,
    )
    [line] = page.full.lines
    assert line.title == "theirs"
    assert line.cells[page.full.index("mig")].value == pytest.approx(1, abs=0.05)
    shown = {heading.key: cell.text for heading, cell in zip(page.full.headings, line.cells, strict=True)}
    assert shown["method"] == "Representation from a file"
    assert (shown["supervision"], shown["step"], shown["seed"]) == ("not known", "–", "–")
    assert "codes (120 × 3) in theirs.npz, contents" in line.cells[0].note
    [item] = window.run_list.items()
    assert item.name == "theirs"


def test_it_can_be_neither_trained_nor_traversed(qtbot, window, tmp_path, only_mig):
    window._show_page(TABS.index("Metrics"))
    drop(window, write(tmp_path / "theirs.npz"))
    qtbot.waitUntil(lambda: not window.evaluation.active, timeout=60_000)
    actions = window.actions_of_runs
    for action in (actions.resume, actions.longer, actions.use, actions.again, actions.keep):
        assert not action.isEnabled()
    for action in (actions.rename, actions.export, actions.trash):
        assert action.isEnabled()
    window._show_page(TABS.index("Traversal"))
    assert (
        "theirs cannot be traversed: a representation from a file holds codes only"
        in window.traversal_page.card.message.text()
    )
    window._show_page(TABS.index("Training"))
    assert "Read from theirs.npz; it was not trained here." in window.training_page._empty.text()


def test_files_that_cannot_be_used_are_named_and_others_opened(qtbot, window, tmp_path, only_mig):
    window._show_page(TABS.index("Metrics"))
    drop(window, write(tmp_path / "good.npz"), write(tmp_path / "bad.npz", codes=np.full((120, 3), np.nan)))
    qtbot.waitUntil(lambda: not window.evaluation.active, timeout=60_000)
    assert [item.name for item in window.run_list.items()] == ["good"]
    assert "'codes' in bad.npz has values that are not finite" in window.banner.text.text()
    drop(window, tmp_path / "bad.npz")
    assert "not finite" in window.banner.text.text()


def test_codes_dropped_elsewhere_are_not_taken_for_images(window, tmp_path):
    from gui.window.drops import are_representations, invitation

    codes, images = write(tmp_path / "codes.npz"), write(tmp_path / "images.npz", images=np.zeros((120, 28, 28)))
    assert are_representations([codes], scores=False)
    assert not are_representations([images], scores=False)
    assert are_representations([images], scores=True)
    assert invitation([codes], scores=False) == "Drop the file to score its codes"
    assert invitation([images], scores=False) == "Drop the file to use its images as data"


def test_a_file_is_asked_for(qtbot, window, tmp_path, monkeypatch, only_mig):
    file = write(tmp_path / "asked.npz")
    monkeypatch.setattr(
        "gui.metrics.opening.QFileDialog.getOpenFileNames", lambda *question: ([str(file)], "NumPy arrays (*.npz)")
    )
    window._show_page(TABS.index("Metrics"))
    qtbot.mouseClick(window.metrics_page.open_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.evaluation.active, timeout=60_000)
    assert [item.name for item in window.run_list.items()] == ["asked"]
    assert METRICS["mig"].title in [h.column.title for h in window.metrics_page.full.headings if h.column]
